"""Gemini on a bad day: each failure has its name, and whatever it sends is an answer or an error of ours."""

import time
from contextlib import suppress

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as examples

from analysis.answer import Explanation
from analysis.errors import ContentBlocked
from analysis.providers.contract import Medium
from analysis.providers.gemini import Gemini, showing
from analysis.providers.gemini.problems import Asked, problem_of
from analysis.tests.conversing import chat, complete, prompt
from core import redis
from core.calls import heard
from core.errors import (
    NotConfigured,
    Problem,
    VendorAnswerInvalid,
    VendorAnswerTooLarge,
    VendorBusy,
    VendorProblem,
    VendorRefused,
    VendorTimeout,
    VendorUnavailable,
)
from sandbox.gemini import bad_key, problem, quota, twice_encoded
from social.tests.damage import damaged

MODEL = "gemini-3.8-flash"
pytestmark = pytest.mark.django_db
OVERLOADED = problem(503, "The model is overloaded. Please try again later.")
HTML = b"<!DOCTYPE html><title>Error 502 (Server Error)!!1</title>"


@pytest.mark.parametrize("operation", ["generate", "stream"])
@pytest.mark.parametrize(
    ("fault", "expected", "outcome"),
    [
        ({"status": 400, "body": problem(400, "Unable to process input image.")}, VendorRefused, "vendor_refused"),
        ({"status": 400, "body": problem(400, "User location is not supported for the API use.",
            status="FAILED_PRECONDITION")}, VendorRefused, "vendor_refused"),
        ({"status": 403, "body": problem(403, "The caller does not have permission")}, VendorRefused, "vendor_refused"),
        ({"status": 413, "body": HTML}, VendorRefused, "vendor_refused"),
        ({"status": 499, "body": problem(499, "Cancelled", status="CANCELLED")},
            VendorUnavailable, "vendor_unavailable"),
        ({"status": 500, "body": problem(500, "An internal error has occurred.")},
            VendorUnavailable, "vendor_unavailable"),
        ({"status": 502, "body": HTML}, VendorUnavailable, "vendor_unavailable"),
        ({"status": 503, "body": OVERLOADED}, VendorUnavailable, "vendor_unavailable"),
        ({"status": 503, "body": twice_encoded(OVERLOADED)}, VendorUnavailable, "vendor_unavailable"),
        ({"status": 503, "body": [OVERLOADED]}, VendorUnavailable, "vendor_unavailable"),
        ({"status": 504, "body": problem(504, "Deadline expired")}, VendorTimeout, "vendor_timeout"),
        ({"status": 302, "headers": {"Location": "http://169.254.169.254/"}},
            VendorAnswerInvalid, "vendor_answer_invalid"),
        ({"drop": True}, VendorUnavailable, "vendor_unavailable"),
        ({"reset": True}, VendorUnavailable, "vendor_unavailable"),
        ({"status": 200, "body": HTML}, VendorAnswerInvalid, "ok"),
    ],
)  # fmt: skip
def test_a_failure_has_its_name_here_and_in_the_record(operation, fault, expected, outcome, gemini):
    gemini.fail(operation, **fault)
    with heard() as calls, pytest.raises(Problem) as caught:
        complete(Gemini()) if operation == "generate" else chat(Gemini())
    assert type(caught.value) is expected
    assert [call.outcome for call in calls] == [outcome]
    assert gemini.count(operation) == 1
    assert not [*redis.client().scan_iter("gemini:*")]


def test_an_endless_answer_is_cut_off(gemini):
    gemini.fail("generate", status=200, body=(b"x" * 65_536 for _ in range(4_800)))
    with pytest.raises(VendorAnswerTooLarge):
        complete(Gemini())


@pytest.mark.parametrize("fault", [{"delay": 30}, {"drip": 0.05}])
@pytest.mark.parametrize("operation", ["generate", "stream"])
def test_the_deadline_holds_whatever_comes_when(operation, fault, gemini, settings):
    settings.MODEL_SECONDS = 1
    gemini.fail(operation, **fault)
    began = time.monotonic()
    with pytest.raises(VendorTimeout):
        complete(Gemini()) if operation == "generate" else chat(Gemini())
    assert time.monotonic() - began < 3


def test_a_file_that_is_never_ready_is_given_up_and_forgotten(gemini, settings):
    settings.MODEL_SECONDS, gemini.looks = 2, 1000
    video = Medium(evidence_id="v1", media_type="video/mp4", data=bytes(showing.INLINE_BYTES + 1))
    with pytest.raises(VendorTimeout):
        complete(Gemini(), video)
    assert (gemini.files, gemini.count("generate")) == ({}, 0)


def test_a_file_that_cannot_be_read_is_refused_and_forgotten(gemini):
    gemini.file_fails = True
    video = Medium(evidence_id="v1", media_type="video/mp4", data=bytes(showing.INLINE_BYTES + 1))
    with pytest.raises(VendorRefused):
        complete(Gemini(), video)
    assert (gemini.files, gemini.count("generate")) == ({}, 0)


@pytest.mark.parametrize("finish", ["SAFETY", "RECITATION", "PROHIBITED_CONTENT", "SPII", "BLOCKLIST"])
def test_a_blocked_answer_is_told_before_anything_of_it_is_read(finish, gemini):
    gemini.finish, gemini.says = finish, '{"virality_reasoning": [{"te'
    with pytest.raises(ContentBlocked) as caught:
        complete(Gemini())
    assert caught.value.details == {"reason": finish}
    assert not caught.value.retryable


def test_a_blocked_prompt_is_a_success_that_says_nothing(gemini):
    gemini.blocks = "PROHIBITED_CONTENT"
    for ask in (complete, chat):
        with pytest.raises(ContentBlocked):
            ask(Gemini())
    gemini.fail("generate", status=200, body={"candidates": [], "promptFeedback": {"blockReasonMessage": "No."}})
    with pytest.raises(ContentBlocked):
        complete(Gemini())


def test_an_answer_that_was_cut_off_says_so_and_what_it_took(gemini):
    gemini.finish, gemini.says = "MAX_TOKENS", '{"virality_reasoning": [{"te'
    with heard() as calls:
        cut = Gemini().complete(prompt(), [], Explanation)
    assert (cut.finish, cut.text, cut.tokens.units) == ("length", gemini.says, calls[0].units)
    assert (cut.cost_micros or 0) > 0


@pytest.mark.parametrize(
    "body",
    [
        {"candidates": [{"finishReason": "OTHER", "finishMessage": "Model failed to generate content."}]},
        {"candidates": [{"content": {"role": "model"}, "finishReason": "STOP"}]},
        {"candidates": [{"content": {"parts": [{"text": ""}], "role": "model"}, "finishReason": "STOP"}]},
        {"candidates": []},
        {},
        {"candidates": "none"},
        [1, 2],
    ],
)
def test_an_answer_without_words_is_one_too(body, gemini):
    gemini.fail("generate", status=200, body=body)
    assert complete(Gemini()) == ""


@pytest.mark.filterwarnings("ignore:.*is not a valid FinishReason")
def test_a_finish_that_nobody_knows_yet_is_no_reason_to_lose_the_answer(gemini):
    gemini.finish = "TIRED_OF_IT"
    assert Gemini().complete(prompt(), [], Explanation).finish == "other"


def test_a_model_that_is_gone_is_a_matter_of_configuration(gemini, settings):
    settings.GEMINI_ANALYSIS_MODEL = "gemini-2.0-flash"
    with pytest.raises(NotConfigured, match=r"gemini-2\.0-flash"):
        complete(Gemini())
    assert gemini.count("generate") == 1


def test_it_is_asked_again_after_it_was_overloaded_twice(gemini):
    gemini.fail("generate", status=503, body=OVERLOADED, times=2)
    for _ in range(2):
        with pytest.raises(VendorUnavailable):
            complete(Gemini())
    assert complete(Gemini())


def test_a_stream_that_breaks_off_is_a_failure_that_may_be_tried_again(gemini):
    gemini.breaks_after = 3
    with pytest.raises(VendorUnavailable):
        chat(Gemini())


@pytest.mark.parametrize("body", [OVERLOADED, twice_encoded(OVERLOADED)])
def test_a_stream_may_tell_of_an_error_when_it_has_begun(body, gemini):
    gemini.breaks_after, gemini.then_error = 3, body
    with pytest.raises(VendorUnavailable):
        chat(Gemini())


def test_a_piece_that_was_torn_is_no_end(gemini):
    gemini.fail("stream", truncate=60)
    with pytest.raises(VendorProblem):
        chat(Gemini())


def test_without_redis_nobody_is_asked(gemini, settings):
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    with pytest.raises(VendorUnavailable):
        complete(Gemini())
    assert gemini.count("generate") == 0


WHOLE = {
    "candidates": [{
        "content": {"parts": [{"text": "thinking", "thought": True}, {"text": "{}"}], "role": "model"},
        "finishReason": "STOP", "index": 0,
        "safetyRatings": [{"category": "HARM_CATEGORY_HARASSMENT", "probability": "NEGLIGIBLE"}],
    }],
    "promptFeedback": {"safetyRatings": []},
    "usageMetadata": {"promptTokenCount": 7, "candidatesTokenCount": 2, "thoughtsTokenCount": 9, "totalTokenCount": 18},
    "modelVersion": MODEL,
}  # fmt: skip
ERROR = quota(delay="3s", says="Please retry in 3s.", quota_id="GenerateRequestsPerMinute")


@pytest.mark.filterwarnings("ignore")
@examples(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(damaged(WHOLE))
def test_whatever_is_broken_in_an_answer_it_is_our_error_or_an_answer(gemini, body):
    gemini.fail("generate", status=200, body=body)
    with suppress(ContentBlocked, VendorAnswerInvalid):
        assert isinstance(complete(Gemini()), str)


@given(damaged([ERROR]))
def test_whatever_is_broken_in_an_error_it_is_an_error_of_ours(body):
    told = problem_of(429, body, Asked(model=MODEL, key="a key"))
    assert isinstance(told, VendorBusy)
    assert 0 < (told.retry_after or 0) <= 90_000
    assert isinstance(problem_of(0, body, Asked(model=MODEL)), Problem)


def test_the_error_of_a_bad_key_is_told_from_that_of_a_bad_request():
    assert problem_of(400, bad_key(), Asked()).details["said"].startswith("API key not valid")
