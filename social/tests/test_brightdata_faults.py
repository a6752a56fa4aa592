"""What goes wrong between BrightData and us: each fault in its category, in time, and paid for only once."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from pytest_django import Settings

from core import calls, errors, redis
from core.calls import VendorCall
from sandbox.brightdata import BrightDataSandbox, bad_gateway, refused
from social.errors import JobFailed
from social.facts import Found, Lost, NotReady, PostAddress
from social.scrapers.brightdata import BrightData

HEARD: list[VendorCall] = []
ADDRESSES = [
    PostAddress(platform="x", post_id=str(n), url=f"https://x.com/i/status/{n}") for n in (1990000000000000001, 12, 13)
]
calls.on_call(HEARD.append)

# 25 answers of 429 in five minutes and our address is banned: these, and one after each rest, stay well below.
AT_ONCE, TURNS = 5, "turns:brightdata"


@pytest.fixture
def bright(settings: Settings) -> Iterator[BrightDataSandbox]:
    HEARD.clear()
    with BrightDataSandbox() as sandbox:
        for name, value in sandbox.settings().items():
            setattr(settings, name, value)
        yield sandbox


@pytest.fixture
def job(bright: BrightDataSandbox) -> str:
    """A job that is ready."""
    begun = BrightData().collect(ADDRESSES)
    assert isinstance(begun, NotReady)
    return begun.job


def records() -> list[int]:
    return [heard.units["records"] for heard in HEARD if "records" in heard.units]


def test_what_is_delivered_is_counted_once_and_failed_rows_are_not(bright):
    bright.knobs.building = 1
    bright.knobs.instead["13"] = {"error": "Dead page", "error_code": "dead_page"}
    begun = BrightData().collect(ADDRESSES)
    assert BrightData().collect(ADDRESSES, job=begun.job) == NotReady(job=begun.job, retry_in=30)
    assert records() == []
    BrightData().collect(ADDRESSES, job=begun.job)
    assert records() == [2]
    assert {heard.vendor for heard in HEARD} == {"brightdata"}
    assert [heard.operation for heard in HEARD] == ["trigger", "progress", "snapshot", "progress", "snapshot"]


def test_a_reel_is_counted_among_the_posts_and_among_the_reels_once_each(bright):
    reel = [PostAddress(platform="instagram", post_id="DSbxReel001", url="https://www.instagram.com/p/DSbxReel001/")]
    answer: Any = BrightData().collect(reel)
    while isinstance(answer, NotReady):
        answer = BrightData().collect(reel, job=answer.job)
    assert records() == [1, 1]


FAULTS: dict[str, tuple[dict[str, Any], type[errors.Problem]]] = {
    "401": (refused("bad_key"), errors.VendorRefused),
    "402": (refused("no_credit"), errors.VendorBusy),
    "429": (refused("too_many"), errors.VendorBusy),
    "500": (refused("broken"), errors.VendorUnavailable),
    "html 502": (bad_gateway(), errors.VendorUnavailable),
    "odd 5xx": ({"status": 520, "body": b"?"}, errors.VendorUnavailable),
    "truncated": ({"truncate": 10}, errors.VendorUnavailable),
    "dropped": ({"drop": True}, errors.VendorUnavailable),
    "reset": ({"reset": True}, errors.VendorUnavailable),
    "html": ({"status": 200, "body": b"<html>"}, errors.VendorAnswerInvalid),
    "half": ({"status": 200, "body": b'[{"url": "https'}, errors.VendorAnswerInvalid),
    "text": ({"status": 200, "body": "ok"}, errors.VendorAnswerInvalid),
    "number": ({"status": 200, "body": 7}, errors.VendorAnswerInvalid),
    "null": ({"status": 200, "body": b"null"}, errors.VendorAnswerInvalid),
    "deep": ({"status": 200, "body": b"[" * 50_000}, errors.VendorAnswerInvalid),
    "compressed": ({"status": 200, "headers": {"Content-Encoding": "gzip"}}, errors.VendorAnswerInvalid),
}


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("operation", ["trigger", "progress", "download"])
def test_a_fault_has_its_category_and_is_not_tried_again_at_once(bright, job, operation, fault):
    how, category = FAULTS[fault]
    before = bright.count(operation)
    bright.fail(operation, **how, times=-1)
    with pytest.raises(errors.Problem) as raised:
        BrightData().collect(ADDRESSES, job="" if operation == "trigger" else job)
    assert type(raised.value) is category
    assert bright.count(operation) == before + 1
    assert HEARD[-1].units == {}
    assert HEARD[-1].outcome != "ok" or category is errors.VendorAnswerInvalid
    assert bright.key not in repr(raised.value.details)


@pytest.mark.parametrize(
    ("operation", "fault", "category"),
    [
        ("trigger", {"status": 404, "body": b"dataset does not exist"}, errors.VendorRefused),
        ("trigger", refused("not_ready"), errors.VendorRefused),
        ("trigger", {"status": 200, "body": {"snapshot_id": "../list"}}, errors.VendorAnswerInvalid),
        ("trigger", {"status": 200, "body": {"snapshot_id": {"a": 1}}}, errors.VendorAnswerInvalid),
        ("progress", refused("gone"), JobFailed),
        ("progress", {"status": 200, "body": {"status": "failed", "error_message": "account suspended"}}, JobFailed),
        ("progress", {"status": 200, "body": {"status": "canceled"}}, JobFailed),
        ("progress", {"status": 200, "body": {"status": "Cancelled"}}, JobFailed),
        ("progress", {"status": 302, "headers": {"Location": "http://169.254.169.254/"}}, errors.VendorRefused),
        ("download", refused("gone"), JobFailed),
        ("download", refused("expired"), JobFailed),
        ("download", {"status": 400, "body": {"validation_errors": []}}, errors.VendorRefused),
        ("download", {"status": 200, "body": {"message": "try again"}}, errors.VendorAnswerInvalid),
    ],
)
def test_each_operation_has_refusals_of_its_own(bright, job, operation, fault, category):
    bright.fail(operation, **fault)
    with pytest.raises(errors.Problem) as raised:
        BrightData().collect(ADDRESSES, job="" if operation == "trigger" else job)
    assert type(raised.value) is category


@pytest.mark.parametrize(("seconds", "rest"), [(None, 60), (0, 60), (1, 30), (90, 90)])
def test_after_a_429_nobody_asks_for_half_a_minute_or_as_long_as_they_say(bright, job, seconds, rest):
    bright.fail("progress", **refused("too_many", seconds=seconds))
    with pytest.raises(errors.VendorBusy) as busy:
        BrightData().collect(ADDRESSES, job=job)
    assert busy.value.retry_after == rest
    asked = len(bright.calls)
    for another in ("", job):
        with pytest.raises(errors.VendorBusy) as spared:
            BrightData().collect(ADDRESSES, job=another)
        assert rest - 5 < (spared.value.retry_after or 0) <= rest
    assert len(bright.calls) == asked


def test_however_many_workers_ask_at_once_few_are_refused(bright, job):
    before = len(bright.calls)
    bright.fail("*", **refused("too_many"), delay=0.3, times=-1)
    with ThreadPoolExecutor(40) as workers:
        codes = [each.result() for each in [workers.submit(code_of, job if n % 2 else "") for n in range(80)]]
    assert set(codes) == {"vendor_busy"}
    assert 1 <= len(bright.calls) - before <= AT_ONCE


def code_of(job: str) -> str:
    try:
        BrightData().collect(ADDRESSES, job=job)
    except errors.Problem as problem:
        return problem.code
    return "asked"


def test_a_turn_comes_back_from_whoever_took_it_and_from_the_dead_in_time(bright, job):
    for _ in range(2 * AT_ONCE):
        bright.fail("progress", drop=True)
        with pytest.raises(errors.VendorUnavailable):
            BrightData().collect(ADDRESSES, job=job)
        redis.client().delete("breaker:brightdata")
    redis.client().zadd(TURNS, {f"gone-{n}": int(time.time()) - 1 for n in range(AT_ONCE)})
    assert len(BrightData().collect(ADDRESSES, job=job)) == len(ADDRESSES)
    redis.client().zadd(TURNS, {f"busy-{n}": int(time.time()) + 60 for n in range(AT_ONCE)})
    with pytest.raises(errors.VendorBusy):
        BrightData(seconds=0.2).collect(ADDRESSES, job=job)


def test_a_refused_key_is_not_tried_again_for_a_while(bright, settings):
    settings.BRIGHTDATA_API_KEY = "wrong"
    with pytest.raises(errors.VendorRefused):
        BrightData().collect(ADDRESSES)
    with pytest.raises(errors.VendorBusy) as spared:
        BrightData().collect(ADDRESSES)
    assert (spared.value.retry_after or 0) > 200
    assert len(bright.calls) == 1


@pytest.mark.parametrize(("seconds", "rest"), [(None, 900), (3600, 3600)])
def test_without_credit_it_rests_longer(bright, job, seconds, rest):
    bright.fail("progress", **refused("no_credit", seconds=seconds))
    with pytest.raises(errors.VendorBusy) as broke:
        BrightData().collect(ADDRESSES, job=job)
    assert broke.value.retry_after == rest


@pytest.mark.parametrize("status", ["starting", "running", "queued_1", "rolling_back", "new", "", None, 7, {"a": 1}])
def test_whatever_is_not_ready_or_over_is_waited_for(bright, job, status):
    bright.fail("progress", status=200, body={"status": status})
    assert BrightData().collect(ADDRESSES, job=job) == NotReady(job=job, retry_in=10)


def test_what_is_never_put_together_is_never_ready_and_holds_nobody_up(bright, job):
    next(iter(bright.snapshots.values())).building = -1
    for _ in range(20):
        assert BrightData().collect(ADDRESSES, job=job) == NotReady(job=job, retry_in=30)
    assert records() == []
    assert BrightData.patience <= 20 * 60


def test_a_vendor_that_hangs_is_left_within_the_time_of_a_call(bright, job):
    bright.fail("progress", delay=30)
    begun = time.monotonic()
    with pytest.raises(errors.VendorTimeout):
        BrightData(seconds=0.2).collect(ADDRESSES, job=job)
    assert time.monotonic() - begun < 2


def test_the_time_of_a_call_is_for_all_its_questions_together(bright, job):
    with pytest.raises(errors.VendorTimeout):
        BrightData(seconds=0.0).collect(ADDRESSES, job=job)
    assert bright.count("progress") == 0


def test_a_body_of_300_mb_is_stopped_early(bright, job):
    sent = []

    def endless() -> Iterator[bytes]:
        piece = b"[" + b" " * 999_999
        for _ in range(300):
            sent.append(len(piece))
            yield piece

    bright.fail("download", status=200, body=endless())
    with pytest.raises(errors.VendorAnswerTooLarge):
        BrightData().collect(ADDRESSES, job=job)
    assert sum(sent) < 100_000_000


def test_an_empty_snapshot_and_an_empty_list_lose_each_address(bright, job):
    bright.fail("download", **refused("empty"))
    bright.fail("download", status=200, body=[])
    for _ in range(2):
        ended = BrightData().collect(ADDRESSES, job=job)
        assert [type(each) for each in ended] == [Lost, Lost, Lost]


def test_rows_one_a_line_and_half_an_emoji_are_read_all_the_same(bright, job):
    lines = b"".join(
        b'{"id": "%s", "description": "cut \\ud83d", "input": {"url": "%s"}}\n'
        % (each.post_id.encode(), each.url.encode())
        for each in ADDRESSES
    )
    bright.fail("download", status=200, body=lines)
    ended = BrightData().collect(ADDRESSES, job=job)
    assert [each.post.text for each in ended if isinstance(each, Found)] == ["cut"] * 3


def test_rows_that_are_no_objects_are_passed_over(bright, job):
    good = {"id": "12", "input": {"url": ADDRESSES[1].url}}
    bright.fail("download", status=200, body=[None, 7, "row", [], good, {"input": 7}, {"input": {"url": []}}, {}])
    ended = BrightData().collect(ADDRESSES, job=job)
    assert [type(each) for each in ended] == [Lost, Found, Lost]
