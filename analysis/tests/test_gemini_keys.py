"""Several keys for Gemini: which one is asked, how long the others rest, and that none is ever written down."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pytest
from structlog.testing import capture_logs

from analysis.providers.gemini import Gemini, keys
from analysis.providers.gemini.problems import until_midnight
from analysis.tests.conversing import chat, complete, conversation
from core import redis
from core.calls import heard
from core.errors import NotConfigured, VendorBusy, VendorRefused, VendorUnavailable
from sandbox.gemini import problem, quota, twice_encoded

pytestmark = pytest.mark.django_db
MODEL = "gemini-3.8-flash"
OVERLOADED = problem(503, "The model is overloaded. Please try again later.")


def rests() -> dict[str, float]:
    """The keys' names in Redis that rest, and for how many seconds."""
    connection = redis.client()
    return {name: connection.pttl(name) / 1000 for name in connection.scan_iter("gemini:*")}


@pytest.mark.parametrize(
    ("body", "least", "most"),
    [
        (quota(delay="34s"), 30, 34),
        (quota(delay="34.074824224s"), 30, 34.1),
        (quota(says="Quota exceeded for metric: requests.\nPlease retry in 20.04466179s."), 15, 20.1),
        (quota(says="Please retry in 1h2m3s."), 3700, 3723),
        (quota(says="Please retry in 940ms."), 0.1, 0.94),
        (quota(), 25, 30),
        ([quota(delay="7s")], 5, 7),
        (twice_encoded(quota(delay="7s")), 5, 7),
    ],
)
def test_a_tired_key_rests_for_as_long_as_it_was_told_and_the_next_is_asked(body, least, most, gemini):
    gemini.spent["first-key-of-ours"] = body
    began = time.monotonic()
    assert complete(Gemini())
    assert gemini.asked_with == ["second-key-of-ours"]
    ((name, seconds),) = rests().items()
    assert name.endswith(f":{MODEL}")
    assert seconds <= most
    # What has passed of it since, on a busy machine.
    assert least < seconds + time.monotonic() - began
    assert "first-key" not in name


@pytest.mark.parametrize(
    "body",
    [
        quota(delay="34s", quota_id="GenerateRequestsPerDayPerProjectPerModel-FreeTier"),
        quota(says="Quota exceeded for metric: requests, limit: 0, model: x\nPlease retry in 20.04466179s."),
    ],
)
def test_a_key_whose_day_is_used_up_rests_until_midnight_in_california(body, gemini):
    gemini.spent["first-key-of-ours"] = body
    complete(Gemini())
    (seconds,) = rests().values()
    assert abs(seconds - until_midnight(datetime.now(UTC))) < 5


@pytest.mark.parametrize(
    ("now", "hours"),
    [
        (datetime(2026, 11, 20, 12, tzinfo=UTC), 20),
        (datetime(2026, 7, 1, 12, tzinfo=UTC), 19),
        (datetime(2026, 11, 1, 7, 30, tzinfo=UTC), 24.5),  # the night when clocks go back
        (datetime(2026, 3, 8, 8, 30, tzinfo=UTC), 22.5),  # and forward
    ],
)
def test_midnight_in_california_is_reckoned_with_its_clocks(now, hours):
    assert until_midnight(now) == hours * 3600


def test_a_tired_key_is_not_asked_again_while_it_rests_by_any_worker(gemini):
    gemini.spent["first-key-of-ours"] = quota(delay="34s")
    for _ in range(3):
        complete(Gemini())
    assert gemini.count("generate") == 4


def test_a_key_that_is_tired_of_one_model_answers_for_another(gemini):
    gemini.spent["first-key-of-ours"] = quota(delay="34s")
    complete(Gemini())
    gemini.spent.clear()
    assert chat(Gemini())
    assert gemini.asked_with == ["second-key-of-ours", "first-key-of-ours"]


def test_a_short_rest_never_ends_a_long_one(gemini):
    connection = redis.client()
    name = keys._tired("first-key-of-ours", MODEL)
    connection.set(name, 1, px=3_600_000)
    keys._rest(name, 20)
    assert connection.pttl(name) > 3_000_000


def test_of_two_rests_told_at_the_same_moment_the_longer_one_stays():
    connection, at_once = redis.client(), threading.Barrier(2)

    def told(name, seconds):
        at_once.wait(10)
        keys._rest(name, seconds)

    names = [f"gemini:tired:of-both:{number}" for number in range(200)]
    with ThreadPoolExecutor(2) as workers:
        for name in names:
            list(workers.map(told, [name, name], [3600, 20]))
    assert min(connection.pttl(name) for name in names) > 3_000_000


def test_a_key_that_is_used_up_in_the_middle_of_an_answer_rests_too_and_nobody_takes_over(gemini):
    gemini.breaks_after, gemini.then_error = 3, quota(delay="34s")
    with pytest.raises(VendorBusy):
        chat(Gemini())
    ((name, seconds),) = rests().items()
    assert (gemini.count("stream"), 30 < seconds <= 34, ":tired:" in name) == (1, True, True)
    # The vendor itself is open to whoever has another key.
    gemini.breaks_after = None
    assert chat(Gemini())
    assert gemini.asked_with[-1] == "second-key-of-ours"


def test_a_turn_is_held_for_as_long_as_the_answer_comes(gemini):
    gemini.token_delay = 0.05
    stream = Gemini().stream(conversation())
    next(stream)
    assert redis.client().zcard(keys.vendor.turns) == 1
    stream.close()  # type: ignore[attr-defined]
    assert redis.client().zcard(keys.vendor.turns) == 0


def test_a_key_that_rests_is_asked_again_afterwards(gemini):
    gemini.spent["first-key-of-ours"] = quota(says="Please retry in 200ms.")
    complete(Gemini())
    gemini.spent.clear()
    time.sleep(0.25)
    complete(Gemini())
    assert gemini.asked_with == ["second-key-of-ours", "first-key-of-ours"]


def test_when_all_keys_rest_whoever_asks_is_told_when_the_first_wakes(gemini):
    gemini.spent = {"first-key-of-ours": quota(delay="50s"), "second-key-of-ours": quota(delay="20s")}
    for _ in range(2):
        with pytest.raises(VendorBusy) as caught:
            complete(Gemini())
        assert 15 < (caught.value.retry_after or 0) <= 20
    assert gemini.count("generate") == 2


@pytest.mark.parametrize("operation", ["generate", "stream"])
def test_a_refused_key_rests_for_an_hour_and_is_never_named(operation, gemini, settings):
    settings.GEMINI_API_KEYS = ["expired-key-of-ours", "second-key-of-ours"]
    with capture_logs() as logs, heard() as calls:
        assert complete(Gemini()) if operation == "generate" else chat(Gemini())
    (warning,) = [line for line in logs if line["log_level"] == "warning"]
    assert (warning["event"], warning["number"]) == ("gemini_key_refused", 1)
    assert "key-of-ours" not in str([logs, calls])
    ((name, seconds),) = rests().items()
    assert 3590 < seconds <= 3600
    assert "key-of-ours" not in name


@pytest.mark.parametrize(
    "body",
    [
        problem(403, "Your API key was reported as leaked. Please use another API key."),
        problem(403, "Generative Language API has not been used in project 1 before or it is disabled.",
            {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "SERVICE_DISABLED"}),
        problem(400, "API key expired. Please renew the API key."),
    ],
)  # fmt: skip
def test_there_are_several_ways_to_refuse_a_key(body, gemini):
    gemini.fail("generate", status=body["error"]["code"], body=body)
    assert complete(Gemini())
    assert gemini.asked_with == ["second-key-of-ours"]


def test_where_no_key_is_taken_waiting_would_not_help(gemini, settings):
    settings.GEMINI_API_KEYS = ["wrong-one", "wrong-two"]
    for _ in range(2):
        with pytest.raises(VendorRefused) as caught:
            complete(Gemini())
        assert not caught.value.retryable
    assert gemini.count("generate") == 2
    settings.GEMINI_API_KEYS = []
    with pytest.raises(NotConfigured):
        complete(Gemini())


def test_what_is_wrong_with_a_video_is_no_fault_of_the_key(gemini):
    """Somebody who has a private video analysed would otherwise take our keys away for an hour."""
    gemini.fail("generate", status=403, body=problem(403, "You do not have permission to access the File."))
    with pytest.raises(VendorRefused):
        complete(Gemini())
    assert rests() == {}


def test_an_error_never_repeats_the_key(gemini, settings):
    said = "API key first-key-of-ours is not allowed to do this."
    gemini.fail("generate", status=400, body=problem(400, said))
    with heard() as calls, pytest.raises(VendorRefused) as caught:
        complete(Gemini())
    assert "first-key-of-ours" not in f"{caught.value.details} {calls}"


def test_tired_keys_do_not_close_the_vendor_but_its_own_failures_do(gemini):
    gemini.spent["first-key-of-ours"] = quota(delay="1s")
    for _ in range(6):
        complete(Gemini())
    gemini.fail("generate", status=503, body=OVERLOADED, times=-1)
    for _ in range(5):
        with pytest.raises(VendorUnavailable):
            complete(Gemini())
    asked = gemini.count("generate")
    with pytest.raises(VendorBusy) as caught:
        complete(Gemini())
    assert caught.value.details == {"breaker": "open"}
    assert gemini.count("generate") == asked
