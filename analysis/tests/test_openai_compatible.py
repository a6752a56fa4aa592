"""A model server that speaks OpenAI's protocol: the shapes it takes, the streams it sends, the ways it fails."""

import base64
import time
from collections.abc import Iterator
from contextlib import suppress

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as examples
from pytest_django import Settings

from analysis.answer import Explanation
from analysis.errors import AnswerInvalid, ContentBlocked
from analysis.providers.contract import Medium
from analysis.providers.openai_compatible import OpenAICompatible
from analysis.tests.conversing import EVIDENCE, chat, complete, conversation, ended, prompt, spoken
from core import http
from core.calls import heard
from core.errors import (
    AddressRefused,
    NotConfigured,
    Problem,
    VendorAnswerInvalid,
    VendorBusy,
    VendorRefused,
    VendorTimeout,
    VendorUnavailable,
)
from sandbox.openai_compatible import OpenAICompatibleSandbox, problem
from social.tests.damage import damaged

pytestmark = pytest.mark.django_db
LOADING = {"error": {"message": "Loading model", "type": "unavailable_error", "code": 503}}


@pytest.fixture
def server(settings: Settings) -> Iterator[OpenAICompatibleSandbox]:
    with OpenAICompatibleSandbox(key="local-key-of-ours") as sandbox:
        for name, value in sandbox.settings().items():
            setattr(settings, name, value)
        yield sandbox


def test_it_is_configured_by_an_address(settings):
    settings.SELF_HOSTED_LLM_URL = ""
    assert not OpenAICompatible().is_configured()
    settings.SELF_HOSTED_LLM_URL = "http://localhost:11434"
    assert OpenAICompatible().is_configured()


def test_its_private_address_is_open_to_it_and_to_nobody_else(server, settings):
    assert settings.OUTBOUND_ALLOWED_HOSTS == []
    assert complete(OpenAICompatible())
    with pytest.raises(AddressRefused):
        http.request(vendor="instagram", operation="media", url=f"{server.url}/v1/chat/completions")
    settings.SELF_HOSTED_LLM_URL = f"http://localhost:{server.port}"
    assert complete(OpenAICompatible())
    assert server.count("chat") == 2


@pytest.mark.parametrize("end", ["", "/v1", "/"])
def test_the_address_may_end_with_the_version_or_not(end, server, settings):
    settings.SELF_HOSTED_LLM_URL = f"{server.url}{end}".rstrip("/")
    assert complete(OpenAICompatible())


@pytest.mark.parametrize("address", ["localhost:11434", "http://[::1", "ftp://model/"])
def test_an_address_that_is_none_is_a_matter_of_configuration(address, settings):
    settings.SELF_HOSTED_LLM_URL = address
    for ask in (complete, chat):
        with pytest.raises(NotConfigured):
            ask(OpenAICompatible())


def test_an_answer_has_our_shape_and_cites_what_was_shown(server):
    completion = OpenAICompatible().complete(prompt(), [], Explanation)
    explanation = Explanation.model_validate_json(completion.text)
    assert {claim.evidence[0] for claim in explanation.quick_takeaways} <= {item.id for item in EVIDENCE}
    assert (completion.provider, completion.model, completion.finish) == ("openai_compatible", "default", "stop")


def objects_in(schema: dict) -> Iterator[dict]:
    """Every object of a schema."""
    if "properties" in schema:
        yield schema
    inner = [*schema.get("properties", {}).values(), *schema.get("anyOf", [])]
    for part in [*inner, *([schema["items"]] if "items" in schema else [])]:
        yield from objects_in(part)


def test_the_schema_keeps_to_the_rules_of_strict_modes(server):
    complete(OpenAICompatible())
    shape = server.asked[0]["response_format"]
    assert (shape["type"], shape["json_schema"]["strict"]) == ("json_schema", True)
    objects = [*objects_in(shape["json_schema"]["schema"])]
    assert len(objects) > 10
    for each in objects:
        assert each["required"] == [*each["properties"]]
        assert each["additionalProperties"] is False
    assert "$ref" not in str(shape)
    assert "default" not in str(shape["json_schema"]["schema"])


def test_a_server_that_takes_no_schema_is_told_it_in_words_from_then_on(server, settings):
    server.takes_schemas, server.model = False, "shy"
    settings.SELF_HOSTED_LLM_MODEL = "shy"
    for calls in (2, 3):
        assert Explanation.model_validate_json(complete(OpenAICompatible()))
        assert server.count("chat") == calls
    assert server.asked[-1]["response_format"] == {"type": "json_object"}
    assert "Its JSON schema:" in server.asked[-1]["messages"][0]["content"]


def test_a_refusal_for_another_reason_is_no_reason_to_ask_again(server):
    server.fail("chat", status=400, body=problem(400, "This model's maximum context length is 4096 tokens."))
    with pytest.raises(VendorRefused):
        complete(OpenAICompatible())
    assert server.count("chat") == 1


def test_pictures_are_shown_where_the_model_is_said_to_see(server, settings):
    frame = Medium(evidence_id="f1", media_type="image/jpeg", data=b"\xff\xd8")
    video = Medium(evidence_id="v1", media_type="video/mp4", data=b"video")
    assert not OpenAICompatible().sees
    complete(OpenAICompatible(), frame)
    assert server.asked[0]["messages"][1]["content"].startswith("Boundary: ")
    settings.SELF_HOSTED_LLM_SEES = True
    assert OpenAICompatible().sees
    complete(OpenAICompatible(), frame, video)
    words, name, picture = server.asked[1]["messages"][1]["content"]
    assert (words["type"], name["text"], picture["type"]) == ("text", "Evidence f1:", "image_url")
    assert base64.b64decode(picture["image_url"]["url"].removeprefix("data:image/jpeg;base64,")) == b"\xff\xd8"


def test_tokens_are_counted_and_recorded_with_the_call(server):
    server.thoughts, server.cached, server.says = 40, 30, '{"a": 1}'
    with heard() as calls:
        tokens = OpenAICompatible().complete(prompt(), [], Explanation).tokens
    assert (tokens.input, tokens.cached, tokens.output, tokens.thinking) == (100, 30, 2, 40)
    (call,) = calls
    assert (call.vendor, call.operation, call.model, call.outcome) == ("openai_compatible", "complete", "default", "ok")
    assert call.units == tokens.units


@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("ends_with", ["[DONE]", "bare", ""])
@pytest.mark.parametrize("splits_letters", [True, False])
def test_a_stream_is_understood_however_it_is_cut_up(line_end, ends_with, splits_letters, server):
    server.line_end, server.ends_with, server.splits_letters = line_end, ends_with, splits_letters
    server.comments, server.says = True, "Crème brûlée, 焼きたて 🥐 and more"
    pieces = list(OpenAICompatible().stream(conversation()))
    end = ended(pieces)
    assert spoken(pieces) == end.text == server.says
    assert (end.finish, end.tokens.input) == ("stop", 100)


def test_the_words_of_a_stream_come_one_by_one(server):
    server.token_delay = 0.02
    began, came = time.monotonic(), []
    for _ in OpenAICompatible().stream(conversation()):
        came.append(time.monotonic() - began)
    assert len(came) > 10
    assert came[0] < came[-1] / 2


def test_a_stream_is_recorded_with_its_tokens_or_without_where_none_are_told(server):
    for counts in (True, False):
        server.counts = counts
        with heard() as calls:
            end = ended(list(OpenAICompatible().stream(conversation())))
        assert [(call.operation, call.outcome) for call in calls] == [("stream", "ok")]
        assert calls[0].units == end.tokens.units
        assert bool(end.tokens.units) is counts


def test_a_server_that_knows_no_streams_answers_at_once(server):
    server.streams = False
    pieces = list(OpenAICompatible().stream(conversation()))
    assert len(pieces) == 2
    assert spoken(pieces) == ended(pieces).text != ""


@pytest.mark.parametrize("then_error", ["", "data", "field"])
def test_a_stream_that_ends_before_its_answer_is_a_failure(then_error, server):
    server.breaks_after, server.then_error = 3, then_error
    with heard() as calls, pytest.raises(VendorUnavailable):
        chat(OpenAICompatible())
    assert [call.outcome for call in calls] == ["vendor_unavailable"]


def test_a_torn_piece_is_a_failure_too(server):
    server.fail("chat", status=200, body=b'data: {"choices": [{"del', headers={"Content-Type": "text/event-stream"})
    with pytest.raises(VendorUnavailable):
        chat(OpenAICompatible())
    server.fail("chat", status=200, body=b"data: hello\n\n", headers={"Content-Type": "text/event-stream"})
    with pytest.raises(VendorAnswerInvalid):
        chat(OpenAICompatible())


def test_an_answer_that_was_cut_off_says_so_and_what_it_took(server):
    server.finish = "length"
    cut = OpenAICompatible().complete(prompt(), [], Explanation)
    assert (cut.finish, bool(cut.text), bool(cut.tokens.units)) == ("length", True, True)
    assert ended(list(OpenAICompatible().stream(conversation()))).finish == "length"


def test_a_blocked_answer_and_a_refusal_are_told_apart_from_failures(server):
    server.finish = "content_filter"
    for ask in (complete, chat):
        with pytest.raises(ContentBlocked):
            ask(OpenAICompatible())
    server.finish, server.refuses = "stop", "I cannot help with that."
    for ask in (complete, chat):
        with pytest.raises(ContentBlocked):
            ask(OpenAICompatible())


def test_an_answer_without_words_is_one_too_but_not_in_a_chat(server):
    server.says = ""
    assert complete(OpenAICompatible()) == ""
    with pytest.raises(AnswerInvalid) as caught:
        chat(OpenAICompatible())
    assert caught.value.retryable


def test_an_answer_has_one_deadline_though_it_takes_two_calls(server, settings):
    settings.MODEL_SECONDS = 3
    server.fail("chat", status=400, body=problem(400, "json_schema is not supported"), delay=1.2)
    server.fail("chat", delay=30)
    began = time.monotonic()
    with pytest.raises(VendorTimeout):
        complete(OpenAICompatible())
    assert (server.count("chat"), time.monotonic() - began < 4) == (2, True)


def test_a_model_that_is_not_there_is_a_matter_of_configuration(server, settings):
    settings.SELF_HOSTED_LLM_MODEL = "llama-9"
    with pytest.raises(NotConfigured, match="llama-9"):
        complete(OpenAICompatible())


@pytest.mark.parametrize("ask", [complete, chat])
@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        ({"status": 401, "body": problem(401, "Incorrect API key provided: local-key-of-ours")}, VendorRefused),
        ({"status": 413, "body": b"<html>Too large</html>"}, VendorRefused),
        ({"status": 429, "headers": {"Retry-After": "7"}}, VendorBusy),
        ({"status": 500, "body": b"oops"}, VendorUnavailable),
        ({"status": 503, "body": LOADING}, VendorUnavailable),
        ({"status": 200, "body": LOADING}, VendorUnavailable),
        ({"status": 200, "body": {"error": "the model has run out of memory"}}, VendorUnavailable),
        ({"status": 200, "body": problem(429, "slow down")}, VendorBusy),
        ({"status": 200, "body": b"<html>Hello</html>"}, VendorAnswerInvalid),
        ({"status": 200, "body": [1]}, VendorAnswerInvalid),
        ({"status": 200, "body": {"choices": None}}, VendorAnswerInvalid),
        ({"drop": True}, VendorUnavailable),
        ({"reset": True}, VendorUnavailable),
    ],
)
def test_a_failure_has_its_name(ask, fault, expected, server):
    server.fail("chat", **fault)
    with heard() as calls, pytest.raises(Problem) as caught:
        ask(OpenAICompatible())
    assert type(caught.value) is expected
    assert server.count("chat") == 1
    assert "local-key-of-ours" not in f"{caught.value.details} {calls}"
    assert caught.value.retry_after == (7 if "headers" in fault else None)


@pytest.mark.parametrize("ask", [complete, chat])
@pytest.mark.parametrize("fault", [{"delay": 30}, {"drip": 0.05}])
def test_the_deadline_holds_whatever_comes_when(ask, fault, server, settings):
    settings.MODEL_SECONDS = 1
    server.fail("chat", **fault)
    began = time.monotonic()
    with pytest.raises(VendorTimeout):
        ask(OpenAICompatible())
    assert time.monotonic() - began < 3


WHOLE = {
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "{}"}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 7, "completion_tokens": 2, "completion_tokens_details": {"reasoning_tokens": 1}},
}


@examples(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(damaged(WHOLE))
def test_whatever_is_broken_in_an_answer_it_is_our_error_or_an_answer(server, body):
    server.fail("chat", status=200, body=body)
    with suppress(ContentBlocked, VendorAnswerInvalid):
        assert isinstance(complete(OpenAICompatible()), str)
