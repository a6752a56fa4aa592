"""How a vendor is spared: by its budget, by its breaker, and not at all without Redis."""

import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from core import errors, redis, vendors
from core.vendors import FAILURES, Vendor

VENDOR = Vendor("twitterapi")


@pytest.fixture(autouse=True)
def _wide_budget(settings):
    settings.VENDOR_BUDGETS = {"twitterapi": (1000, 1)}
    settings.VENDOR_TURNS = {"twitterapi": (64, 60)}


def fail(error=errors.VendorUnavailable, **more):
    with pytest.raises(error), VENDOR.spared():
        raise error(**more)


def attempt(_=None):
    try:
        with VENDOR.spared():
            return True
    except errors.VendorBusy:
        return False


def test_the_budget_is_exact_over_many_threads(settings):
    settings.VENDOR_BUDGETS = {"twitterapi": (20, 600)}
    with ThreadPoolExecutor(64) as threads:
        assert sum(threads.map(attempt, range(200))) == 20


def test_an_empty_budget_says_when_to_come_again(settings):
    settings.VENDOR_BUDGETS = {"twitterapi": (1, 600)}
    assert attempt()
    with pytest.raises(errors.VendorBusy) as busy, VENDOR.spared():
        pass
    assert 590 < (busy.value.retry_after or 0) <= 600


def test_a_short_wait_for_the_budget_is_waited_for(settings):
    settings.VENDOR_BUDGETS = {"twitterapi": (20, 1)}
    assert all(attempt() for _ in range(25))


def test_the_breaker_opens_after_so_many_failures_and_says_so():
    for _ in range(FAILURES):
        assert vendors.states()["twitterapi"]["state"] == "closed"
        fail()
    state = vendors.states()["twitterapi"]
    assert (state["state"], state["failures"], state["reason"]) == ("open", FAILURES, "vendor_unavailable")
    assert not attempt()


def test_a_success_between_failures_keeps_it_closed():
    for _ in range(3):
        for _ in range(FAILURES - 1):
            fail()
        assert attempt()


def test_what_is_not_the_vendors_fault_is_not_counted():
    for _ in range(FAILURES + 1):
        fail(errors.VendorRefused)
    assert attempt()


def test_after_its_rest_one_caller_at_a_time_may_try():
    VENDOR.open(0.05, "out_of_credit")
    with ThreadPoolExecutor(8) as threads:
        assert not any(threads.map(attempt, range(8)))
    while vendors.states()["twitterapi"]["state"] != "half-open":
        pass
    with VENDOR.spared(), ThreadPoolExecutor(8) as threads:
        assert not any(threads.map(attempt, range(8)))
    assert all(attempt() for _ in range(8))


def test_whom_the_budget_refuses_does_not_take_the_turn_of_who_may_try(settings):
    settings.VENDOR_BUDGETS = {"twitterapi": (1, 600)}
    assert attempt()
    VENDOR.open(0.02, "x")
    while vendors.states()["twitterapi"]["state"] != "half-open":
        pass
    assert not attempt()
    assert vendors.states()["twitterapi"]["state"] == "half-open"


def test_a_failed_try_opens_it_again():
    VENDOR.open(0.02, "x")
    while vendors.states()["twitterapi"]["state"] != "half-open":
        pass
    fail()
    assert vendors.states()["twitterapi"]["state"] == "open"


def test_a_call_that_was_under_way_closes_nothing_when_it_ends_well():
    with VENDOR.spared():
        fail(errors.VendorBusy, retry_after=120)
    assert not attempt()


def test_a_call_that_was_under_way_shortens_no_rest_when_it_fails():
    def lose_credit():
        VENDOR.open(3600, "out_of_credit")
        raise errors.VendorUnavailable

    with pytest.raises(errors.VendorUnavailable), VENDOR.spared():
        lose_credit()
    assert vendors.states()["twitterapi"]["seconds_left"] > 3500
    assert redis.client().pttl("breaker:twitterapi") > 3_500_000


def test_a_vendor_that_says_when_is_left_alone_until_then():
    fail(errors.VendorBusy, retry_after=120)
    with pytest.raises(errors.VendorBusy) as busy, VENDOR.spared():
        pass
    assert 115 < (busy.value.retry_after or 0) <= 120


def test_without_redis_no_vendor_is_called(settings):
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    with pytest.raises(errors.VendorUnavailable), VENDOR.spared():
        raise AssertionError


def test_a_call_through_the_door_is_spared_too(serve):
    server = serve(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
    assert VENDOR.request(operation="x", url=server.url).body == b"ok"
    VENDOR.open(60, "x")
    with pytest.raises(errors.VendorBusy):
        VENDOR.request(operation="x", url=server.url)
    assert server.connections == 1


def test_only_so_many_are_at_a_vendor_at_once_and_the_others_wait(settings):
    settings.VENDOR_TURNS = {"twitterapi": (3, 60)}
    there, most = [], []

    def visit(number):
        with VENDOR.spared():
            there.append(number)
            most.append(len(there))
            time.sleep(0.02)
            there.remove(number)

    with ThreadPoolExecutor(16) as threads:
        list(threads.map(visit, range(24)))
    assert max(most) == 3
    assert len(most) == 24


def test_who_waits_for_a_turn_in_vain_is_told_to_come_again(settings):
    settings.VENDOR_TURNS = {"twitterapi": (1, 60)}
    with VENDOR.spared():
        with pytest.raises(errors.VendorBusy) as busy, VENDOR.spared(until=time.monotonic() + 0.1):
            pass
        assert busy.value.retry_after
    assert attempt()


def test_the_turn_of_who_died_comes_back(settings):
    settings.VENDOR_TURNS = {"twitterapi": (1, 60)}
    redis.client().zadd(VENDOR.turns, {"gone": int(time.time()) - 1})
    assert attempt()


def test_what_was_answered_stays_answered_where_redis_goes_away_meanwhile(settings):
    with VENDOR.spared():
        settings.REDIS_URL = "redis://127.0.0.1:1/0"
    with pytest.raises(errors.VendorUnavailable), VENDOR.spared():
        pass
