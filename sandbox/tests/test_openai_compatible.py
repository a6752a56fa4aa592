"""The sandbox's model server keeps to OpenAI's protocol, with the habits of those that speak it."""

import json
from collections.abc import Iterator

import httpx
import pytest

from sandbox.openai_compatible import OpenAICompatibleSandbox

PATH = "/v1/chat/completions"
HELLO = {"model": "default", "messages": [{"role": "user", "content": "Hello"}]}
STREAM = HELLO | {"stream": True, "stream_options": {"include_usage": True}}
SHAPE = {"type": "object", "properties": {"word": {"type": "string"}}}


@pytest.fixture
def server() -> Iterator[OpenAICompatibleSandbox]:
    with OpenAICompatibleSandbox() as sandbox:
        yield sandbox


@pytest.fixture
def client(server: OpenAICompatibleSandbox) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=server.url, timeout=5, trust_env=False) as client:
        yield client


def test_it_asks_for_a_key_only_where_it_has_one(server, client):
    assert client.post(PATH, json=HELLO).status_code == 200
    server.api_key = "secret"
    assert client.post(PATH, json=HELLO).status_code == 401
    assert client.post(PATH, json=HELLO, headers={"Authorization": "Bearer secret"}).status_code == 200


def test_a_model_that_was_never_fetched_is_not_found(client):
    assert client.post(PATH, json=HELLO | {"model": "llama-9"}).status_code == 404


def test_it_takes_schemas_or_only_json(server, client):
    by_schema = {"response_format": {"type": "json_schema", "json_schema": {"name": "x", "schema": SHAPE}}}
    said = client.post(PATH, json=HELLO | by_schema).json()["choices"][0]["message"]["content"]
    assert set(json.loads(said)) == {"word"}
    server.takes_schemas = False
    assert "response_format" in client.post(PATH, json=HELLO | by_schema).json()["error"]["message"]
    told = {"messages": [{"role": "system", "content": f"JSON like {json.dumps(SHAPE)}"}, *HELLO["messages"]]}
    by_words = HELLO | told | {"response_format": {"type": "json_object"}}
    said = client.post(PATH, json=by_words).json()["choices"][0]["message"]["content"]
    assert set(json.loads(said)) == {"word"}


def test_a_stream_begins_with_nothing_tells_its_usage_apart_and_says_that_it_is_done(server, client):
    server.says = "One two"
    *events, done, rest = client.post(PATH, json=STREAM).text.split("\n\n")
    assert (done, rest) == ("data: [DONE]", "")
    chunks = [json.loads(event.removeprefix("data: ")) for event in events]
    assert chunks[0]["choices"][0]["delta"]["content"] is None
    assert [chunk["choices"][0]["delta"].get("content") for chunk in chunks[1:3]] == ["One ", "two"]
    assert chunks[-2]["choices"][0]["finish_reason"] == "stop"
    assert (chunks[-1]["choices"], chunks[-1]["usage"]["completion_tokens"]) == ([], 2)


@pytest.mark.parametrize(("kind", "start"), [("data", "data: "), ("field", "error: ")])
def test_an_error_may_come_inside_a_stream_in_two_ways(kind, start, server, client):
    server.breaks_after, server.then_error = 1, kind
    answer = client.post(PATH, json=STREAM)
    last = answer.text.rstrip("\n").split("\n\n")[-1]
    assert answer.status_code == 200
    assert last.startswith(start)
    assert "KV cache" in last
    assert "finish_reason" not in last


def test_the_last_blank_line_may_be_missing(server, client):
    server.ends_with = "bare"
    assert client.post(PATH, json=STREAM).text.endswith("data: [DONE]\n")
    server.comments = True
    assert ": still here\n\n" in client.post(PATH, json=STREAM).text
