"""How often somebody may ask."""

import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from core import redis
from core.errors import TooMany
from core.throttling import require, take

RACE = """
import sys, django
from concurrent.futures import ThreadPoolExecutor
django.setup()
from django.conf import settings
settings.THROTTLES = {"race": (100, 60)}
from core.throttling import take
sys.stdin.readline()
with ThreadPoolExecutor(32) as pool:
    print(sum(pool.map(lambda _: take("race", "one").allowed, range(500))))
"""


def test_a_thousand_requests_from_two_processes_let_the_limit_through():
    command = [sys.executable, "-c", RACE]
    racers = [subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    start = time.monotonic()
    for racer in racers:
        racer.stdin.write("go\n")
        racer.stdin.flush()
    allowed = sum(int(racer.communicate(timeout=60)[0]) for racer in racers)
    refilled = (time.monotonic() - start) / 0.6
    assert 100 <= allowed <= 100 + refilled + 1


def test_a_full_cell_lets_its_limit_through_and_says_when_to_come_back(settings):
    settings.THROTTLES = {"few": (3, 60)}
    rates = [take("few", "ana") for _ in range(4)]
    assert [rate.allowed for rate in rates] == [True, True, True, False]
    assert [rate.remaining for rate in rates] == [2, 1, 0, 0]
    assert 18 <= rates[3].wait_seconds <= 20
    assert 58 <= rates[3].reset_seconds <= 60


def test_everybody_has_a_cell_of_their_own(settings):
    settings.THROTTLES = {"few": (1, 60), "other": (1, 60)}
    assert take("few", "ana").allowed
    assert take("few", "ben").allowed
    assert take("other", "ana").allowed
    assert not take("few", "ana").allowed


def test_a_cell_refills_with_time(settings):
    settings.THROTTLES = {"quick": (2, 0.4)}
    assert [take("quick", "ana").allowed for _ in range(3)] == [True, True, False]
    time.sleep(0.25)
    assert take("quick", "ana").allowed


def test_nothing_is_kept_longer_than_it_matters(settings):
    settings.THROTTLES = {"few": (10, 60)}
    take("few", "ana")
    assert 0 < redis.client().pttl("rate:few:ana") <= 6001


def test_a_guarded_attempt_is_refused_with_the_time_to_wait(settings):
    settings.THROTTLES = {"guess": (1, 60)}
    require("guess", "ana@example.com")
    with pytest.raises(TooMany) as refused:
        require("guess", "ana@example.com")
    assert (refused.value.retry_after or 0) > 50


@pytest.mark.parametrize(("wait", "said"), [(42, "42 seconds"), (0.2, "1 second")])
def test_a_refusal_says_in_words_and_in_its_details_how_long_to_wait(wait, said):
    refusal = TooMany(retry_after=wait)
    assert refusal.message == f"Too many requests. Please wait {said}."
    assert refusal.details == {"retry_after": int(said.split()[0])}


def test_no_address_is_kept_in_redis(settings):
    settings.THROTTLES = {"guess": (1, 60)}
    require("guess", "ana@example.com")
    assert "ana" not in "".join(redis.client().keys("*"))


def test_threads_of_one_process_do_not_share_a_unit(settings):
    settings.THROTTLES = {"race": (10, 3600)}
    with ThreadPoolExecutor(16) as pool:
        assert sum(pool.map(lambda _: take("race", "one").allowed, range(200))) == 10


def test_answers_carry_the_counters(api, stranger):
    first, second = (api.get("/api/accounts/subscription/") for _ in range(2))
    assert first["RateLimit-Limit"] == "600"
    assert int(second["RateLimit-Remaining"]) <= int(first["RateLimit-Remaining"])
    assert int(second["RateLimit-Reset"]) >= 1


def test_a_user_who_asks_too_often_waits(api, settings):
    settings.THROTTLES = {**settings.THROTTLES, "api": (2, 60)}
    answers = [api.get("/api/accounts/subscription/") for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert answers[2].json()["code"] == "rate_limited"
    assert 28 <= int(answers[2]["Retry-After"]) <= 30


def test_a_limit_beyond_what_a_millisecond_can_tell_still_counts(settings):
    settings.THROTTLES = {"huge": (10**9, 60)}
    assert all(take("huge", "ana").allowed for _ in range(50))
