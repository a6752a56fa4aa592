"""The sandbox's Gemini keeps to the protocol it stands for, with each of its ways."""

import json
from collections.abc import Iterator

import httpx
import pytest

from sandbox.gemini import GeminiSandbox, quota

MODEL = "/v1/models/gemini-3.8-flash"
SAY_HELLO = {"contents": [{"role": "user", "parts": [{"text": "Hello"}]}]}
SHAPE = {
    "type": "object",
    "properties": {
        "some_claims": {
            "type": "array",
            "minItems": 2,
            "items": {
                "type": "object",
                "properties": {"text": {"type": "string"}, "evidence": {"type": "array", "items": {"type": "string"}}},
            },
        },
        "how_many": {"type": "integer"},
        "kind": {"enum": ["one", "other"]},
        "maybe": {"anyOf": [{"type": "string"}, {"type": "null"}]},
    },
}


@pytest.fixture
def gemini() -> Iterator[GeminiSandbox]:
    with GeminiSandbox() as sandbox:
        yield sandbox


@pytest.fixture
def client(gemini: GeminiSandbox) -> Iterator[httpx.Client]:
    headers = {"x-goog-api-key": "sandbox"}
    with httpx.Client(base_url=gemini.url, headers=headers, timeout=5, trust_env=False) as client:
        yield client


def events_of(answer: httpx.Response) -> list[dict]:
    return [json.loads(event.removeprefix("data: ")) for event in answer.text.split("\r\n\r\n") if event]


def test_a_bad_key_is_a_bad_request(gemini):
    for path in (f"{MODEL}:generateContent", f"{MODEL}:streamGenerateContent?alt=sse"):
        answer = httpx.post(f"{gemini.url}{path}", json=SAY_HELLO, headers={"x-goog-api-key": "x"}, trust_env=False)
        assert answer.status_code == 400
        assert answer.json()["error"]["details"][0]["reason"] == "API_KEY_INVALID"
    answer = httpx.post(f"{gemini.url}{MODEL}:generateContent?key=sandbox", json=SAY_HELLO, trust_env=False)
    assert answer.status_code == 200


def test_it_reads_both_spellings_at_every_level_and_leaves_a_schema_alone(gemini, client):
    snake = {
        **SAY_HELLO,
        "system_instruction": {"parts": [{"text": "[c1] (caption) Slow bread for busy people"}]},
        "generation_config": {"response_mime_type": "application/json", "response_json_schema": SHAPE},
    }
    camel = {
        **SAY_HELLO,
        "systemInstruction": snake["system_instruction"],
        "generationConfig": {"responseMimeType": "application/json", "responseJsonSchema": SHAPE},
    }
    said = [client.post(f"{MODEL}:generateContent", json=body).json() for body in (snake, camel)]
    assert said[0] == said[1]
    assert gemini.asked[0] == gemini.asked[1]
    answer = json.loads(said[0]["candidates"][0]["content"]["parts"][-1]["text"])
    assert [claim["evidence"] for claim in answer["some_claims"]] == [["c1"], ["c1"]]
    assert '"Slow bread for busy people"' in answer["some_claims"][0]["text"]
    assert len({claim["text"] for claim in answer["some_claims"]}) == 2
    assert (answer["how_many"], answer["kind"]) == (0, "one")


def test_it_takes_one_schema_and_a_turn_of_the_user_at_the_end(client):
    both = {"generationConfig": {"responseJsonSchema": SHAPE, "responseSchema": {"type": "OBJECT"}}}
    model_last = {"contents": [{"role": "model", "parts": [{"text": "Hello"}]}]}
    for body in (SAY_HELLO | both, model_last, {}):
        answer = client.post(f"{MODEL}:generateContent", json=body)
        assert (answer.status_code, answer.json()["error"]["status"]) == (400, "INVALID_ARGUMENT")


def test_the_older_kind_of_schema_has_types_in_capitals(client):
    shape = {"type": "OBJECT", "properties": {"word": {"type": "STRING"}, "right": {"type": "BOOLEAN"}}}
    body = SAY_HELLO | {"generationConfig": {"responseSchema": shape}}
    said = client.post(f"{MODEL}:generateContent", json=body).json()["candidates"][0]["content"]["parts"][-1]["text"]
    assert json.loads(said)["right"] is False


def test_a_model_that_is_gone_is_not_found(client):
    answer = client.post("/v1/models/gemini-2.0-flash:generateContent", json=SAY_HELLO)
    assert (answer.status_code, answer.json()["error"]["status"]) == (404, "NOT_FOUND")


def test_a_stream_ends_without_a_word_of_its_end(gemini, client):
    gemini.says = "One two three"
    events = events_of(client.post(f"{MODEL}:streamGenerateContent?alt=sse", json=SAY_HELLO))
    assert ["finishReason" in event["candidates"][0] for event in events] == [False, False, True]
    assert "candidatesTokenCount" not in events[0]["usageMetadata"]
    assert events[-1]["usageMetadata"]["thoughtsTokenCount"] == 40


def test_what_is_blocked_is_a_success(gemini, client):
    gemini.blocks = "SAFETY"
    answer = client.post(f"{MODEL}:generateContent", json=SAY_HELLO)
    assert (answer.status_code, answer.json()["promptFeedback"]) == (200, {"blockReason": "SAFETY"})
    assert "candidates" not in answer.json()


def test_a_quota_may_say_when_to_come_again_in_two_places(gemini, client):
    for body in (quota(delay="34s", quota_id="PerMinute"), quota(says="Please retry in 20.04466179s."), quota()):
        gemini.spent = {"sandbox": body}
        answer = client.post(f"{MODEL}:generateContent", json=SAY_HELLO)
        assert (answer.status_code, answer.json()) == (429, body)


def test_a_file_is_looked_through_before_it_may_be_used(gemini, client):
    gemini.looks = 2
    start = {"X-Goog-Upload-Protocol": "resumable", "X-Goog-Upload-Command": "start"}
    begun = client.post("/upload/v1/files", json={"file": {"mime_type": "video/mp4"}}, headers=start)
    address = begun.headers["X-Goog-Upload-URL"]
    for command, status in (("upload", "active"), ("upload, finalize", "final")):
        headers = {"X-Goog-Upload-Command": command, "X-Goog-Upload-Offset": "0"}
        sent = httpx.post(address, content=b"video", headers=headers, trust_env=False)
        assert sent.headers["X-Goog-Upload-Status"] == status
    file = sent.json()["file"]
    assert (file["state"], file["sizeBytes"]) == ("PROCESSING", "10")
    shown = {"contents": [{"role": "user", "parts": [{"file_data": {"file_uri": file["uri"]}}, {"text": "?"}]}]}
    assert client.post(f"{MODEL}:generateContent", json=shown).json()["error"]["status"] == "FAILED_PRECONDITION"
    assert [client.get(f"/v1/{file['name']}").json()["state"] for _ in range(2)] == ["PROCESSING", "ACTIVE"]
    assert client.post(f"{MODEL}:generateContent", json=shown).status_code == 200
    assert client.delete(f"/v1/{file['name']}").json() == {}
    assert client.get(f"/v1/{file['name']}").status_code == 403
