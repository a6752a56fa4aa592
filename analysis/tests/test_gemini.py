"""Gemini through its SDK and our door: what is asked, what is shown, what comes back and what it cost."""

import subprocess
import sys
import time

import pytest

from analysis.answer import Explanation
from analysis.grounding import ground, read
from analysis.providers.contract import Medium
from analysis.providers.gemini import Gemini
from analysis.providers.gemini import showing as gemini_showing
from analysis.tests.conversing import EVIDENCE, conversation, ended, prompt, spoken
from core.calls import cost_of, heard

pytestmark = pytest.mark.django_db
FRAME = Medium(evidence_id="f1", media_type="image/jpeg", data=b"\xff\xd8 a frame")


def test_it_is_configured_by_a_key(settings):
    settings.GEMINI_API_KEYS = []
    assert not Gemini().is_configured()
    settings.GEMINI_API_KEYS = ["a key"]
    assert Gemini().is_configured()


def test_nobody_pays_for_the_sdk_who_asks_no_model():
    """It takes a second and 61 MB to import."""
    look = "import sys, analysis.providers; sys.exit(any(name.startswith('google.genai') for name in sys.modules))"
    assert subprocess.run([sys.executable, "-c", f"import django; django.setup(); {look}"], check=False).returncode == 0


def test_an_answer_has_our_shape_and_cites_what_was_shown(gemini):
    completion = Gemini().complete(prompt(), [], Explanation)
    explanation = Explanation.model_validate_json(completion.text)
    assert len(explanation.suggestions_for_future_posts) == 4
    cited = {claim.evidence[0] for claim in explanation.virality_reasoning + explanation.quick_takeaways}
    assert cited <= {item.id for item in EVIDENCE}
    assert ground(read(completion.text), prompt().dossier).ratio == 1.0
    assert (completion.provider, completion.model, completion.finish) == ("gemini", "gemini-3.8-flash", "stop")


def test_it_is_asked_for_json_of_a_flat_schema_with_little_thinking(gemini):
    asked = prompt()
    Gemini().complete(asked, [], Explanation)
    body = gemini.asked[0]
    how = body["generationConfig"]
    schema = how["responseJsonSchema"]
    assert how["responseMimeType"] == "application/json"
    assert (how["thinkingConfig"], how["maxOutputTokens"]) == ({"thinkingLevel": "LOW"}, 16_384)
    assert "$ref" not in str(schema)
    assert "maxItems" not in str(schema)
    assert schema["properties"]["quick_takeaways"]["minItems"] == 3
    assert "At most 5." in schema["properties"]["quick_takeaways"]["description"]
    assert body["systemInstruction"]["parts"][0]["text"] == asked.orders
    assert [part["text"] for part in body["contents"][0]["parts"]] == [asked.data]


def test_tokens_are_counted_as_google_charges_for_them_and_recorded_with_the_call(gemini):
    gemini.thoughts, gemini.cached, gemini.says = 40, 30, '{"a": 1}'
    with heard() as calls:
        completion = Gemini().complete(prompt(), [], Explanation)
    tokens = completion.tokens
    assert (tokens.input, tokens.cached, tokens.output, tokens.thinking) == (100, 30, 2, 40)
    (call,) = calls
    assert (call.vendor, call.operation, call.model, call.outcome) == ("gemini", "complete", "gemini-3.8-flash", "ok")
    assert call.units == {"input_tokens": 100, "cached_input_tokens": 30, "output_tokens": 42}
    assert completion.cost_micros == cost_of(calls)
    assert completion.cost_micros is not None
    assert completion.cost_micros > 0


def test_a_model_whose_price_nobody_knows_costs_nothing_that_is_known(gemini, settings):
    settings.GEMINI_ANALYSIS_MODEL = "gemini-9"
    gemini.models.add("gemini-9")
    assert Gemini().complete(prompt(), [], Explanation).cost_micros is None


def test_pictures_go_with_the_request_under_the_ids_of_their_evidence(gemini):
    Gemini().complete(prompt(), [FRAME, Medium(evidence_id="f2", media_type="image/png", data=b"png")], Explanation)
    parts = gemini.asked[0]["contents"][0]["parts"][1:]
    assert [part.get("text") for part in parts] == ["Evidence f1:", None, "Evidence f2:", None]
    assert [part["inlineData"]["mimeType"] for part in parts[1::2]] == ["image/jpeg", "image/png"]
    assert gemini.count("upload") == 0


def test_a_public_video_of_youtube_is_named_by_its_address(gemini):
    address = "https://www.youtube.com/watch?v=aaaaaaaaaaa"
    Gemini().complete(prompt(), [Medium(evidence_id="", media_type="video/*", url=address)], Explanation)
    assert gemini.asked[0]["contents"][0]["parts"][1:] == [
        {"text": "The post itself:"},
        {"fileData": {"fileUri": address}},
    ]


def test_what_is_too_large_is_uploaded_awaited_and_forgotten(gemini):
    gemini.looks = 2
    video = Medium(evidence_id="v1", media_type="video/mp4", data=bytes(gemini_showing.INLINE_BYTES + 1))
    with heard() as calls:
        Gemini().complete(prompt(), [FRAME, video], Explanation)
    parts = gemini.asked[0]["contents"][0]["parts"]
    assert "inlineData" in parts[2]
    assert parts[4]["fileData"]["mimeType"] == "video/mp4"
    assert gemini.files == {}
    operations = [call.operation for call in calls]
    # Its start, two chunks of 8 MB, and then it is looked at twice.
    assert operations == ["upload"] * 3 + ["look_at_upload"] * 2 + ["complete", "forget_upload"]
    assert {call.outcome for call in calls} == {"ok"}


def test_a_stream_says_its_words_as_they_come_and_ends_with_the_whole(gemini):
    gemini.token_delay = 0.02
    began, came = time.monotonic(), []
    pieces = []
    for piece in Gemini().stream(conversation()):
        came.append(time.monotonic() - began)
        pieces.append(piece)
    end = ended(pieces)
    assert "Why did it work?" in end.text
    assert spoken(pieces) == end.text
    assert len(pieces) > 10
    assert came[1] < came[-1] / 2
    assert (end.model, end.finish, end.tokens.thinking) == ("gemini-3.5-flash-lite", "stop", 40)
    assert end.cost_micros


def test_a_conversation_is_told_in_turns_and_our_orders_apart(gemini):
    list(Gemini().stream(conversation("And now?")))
    body = gemini.asked[0]
    assert [turn["role"] for turn in body["contents"]] == ["user", "model", "user"]
    assert body["contents"][-1]["parts"] == [{"text": "And now?"}]
    assert "BEGIN" in body["systemInstruction"]["parts"][0]["text"]


def test_a_stream_is_recorded_when_it_ends_with_its_tokens(gemini):
    with heard() as calls:
        end = ended(list(Gemini().stream(conversation())))
    (call,) = calls
    assert (call.operation, call.model, call.outcome) == ("stream", "gemini-3.5-flash-lite", "ok")
    assert call.units == end.tokens.units


def test_whoever_stops_listening_ends_the_call(gemini):
    gemini.token_delay = 0.05
    with heard() as calls:
        stream = Gemini().stream(conversation())
        next(stream)
        stream.close()  # type: ignore[attr-defined]
    assert [call.outcome for call in calls] == ["interrupted"]
    assert calls[0].units["input_tokens"] == 100


def test_a_stream_that_was_cut_by_its_bound_says_so(gemini):
    gemini.finish = "MAX_TOKENS"
    assert ended(list(Gemini().stream(conversation()))).finish == "length"


def test_a_model_that_takes_no_schema_is_told_it_in_words_from_then_on(gemini, settings):
    settings.GEMINI_ANALYSIS_MODEL = "gemini-shy"
    gemini.models.add("gemini-shy")
    gemini.takes_schemas = False
    for calls in (2, 3):
        completion = Gemini().complete(prompt(), [], Explanation)
        assert Explanation.model_validate_json(completion.text)
        assert gemini.count("generate") == calls
    assert "responseJsonSchema" not in gemini.asked[-1]["generationConfig"]
    assert "Its JSON schema:" in gemini.asked[-1]["systemInstruction"]["parts"][0]["text"]
