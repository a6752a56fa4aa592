"""A model server on loopback that speaks OpenAI's protocol, with the habits of vLLM, Ollama and llama.cpp as knobs."""

import json
import time
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar, Literal

from sandbox.answering import answer_in_shape, answer_in_words, pieces_of, schema_in
from sandbox.control import Asked, Reply, Route, Sandbox


def problem(code: int, message: str, kind: str = "invalid_request_error") -> dict[str, Any]:
    return {"error": {"message": message, "type": kind, "param": None, "code": code}}


class OpenAICompatibleSandbox(Sandbox):
    """One model. The public attributes are knobs."""

    def __init__(self, *, port: int = 0, key: str = "", model: str = "default") -> None:
        super().__init__(port=port)
        self.api_key, self.model = key, model  # without a key it asks for none
        self.says: str | None = None  # instead of what is asked for
        self.finish = "stop"
        self.refuses = ""  # the model's own words for it
        self.takes_schemas = True
        self.thoughts = self.cached = 0
        self.streams = True
        self.token_delay = 0.0
        self.line_end = "\n"
        self.ends_with: Literal["[DONE]", "bare", ""] = "[DONE]"  # bare: without the last blank line
        self.comments = self.splits_letters = False
        self.counts = True  # usage in streams
        self.breaks_after: int | None = None
        self.then_error: Literal["", "data", "field"] = ""
        self.asked: list[dict[str, Any]] = []

    def settings(self) -> dict[str, Any]:
        """The settings that lead here; the address is allowed by being the operator's own."""
        return {
            "SELF_HOSTED_LLM_URL": self.url,
            "SELF_HOSTED_LLM_KEY": self.api_key,
            "SELF_HOSTED_LLM_MODEL": self.model,
        }

    def refusal(self, asked: Asked) -> Reply | None:
        if self.api_key and asked.headers.get("authorization") != f"Bearer {self.api_key}":
            return Reply(status=401, body=problem(401, "Incorrect API key provided.", "authentication_error"))
        return None

    def chat(self, asked: Asked) -> Reply:
        body = asked.json()
        self.asked.append(body)
        if body["model"] != self.model:
            return Reply(status=404, body=problem(404, f"The model `{body['model']}` does not exist.", "NotFoundError"))
        if body.get("response_format", {}).get("type") == "json_schema" and not self.takes_schemas:
            return Reply(status=400, body=problem(400, "response_format.type must be text or json_object"))
        if body.get("stream") and self.streams:
            return Reply(body=self._events(body), headers={"Content-Type": "text/event-stream"})
        return Reply(body=self._whole(body))

    def _whole(self, body: Mapping[str, Any]) -> dict[str, Any]:
        words = self._text(body)
        said = {"content": None, "refusal": self.refuses} if self.refuses else {"content": words}
        choice = {"index": 0, "message": {"role": "assistant", **said}, "finish_reason": self.finish}
        return {"object": "chat.completion", "model": self.model, "choices": [choice], "usage": self._usage(words)}

    def _text(self, body: Mapping[str, Any]) -> str:
        if self.says is not None:
            return self.says
        turns = [_words(message["content"]) for message in body["messages"]]
        everything = "\n".join(turns)
        shape = body.get("response_format", {})
        if shape.get("type") in {"json_schema", "json_object"}:
            given = shape.get("json_schema", {}).get("schema")
            return answer_in_shape(given or schema_in(everything), everything)
        return answer_in_words(turns[-1], everything)

    def _usage(self, words: str) -> dict[str, Any]:
        answer = len(pieces_of(words)) + self.thoughts
        return {
            "prompt_tokens": 100 + self.cached,
            "completion_tokens": answer,
            "total_tokens": 100 + self.cached + answer,
            "prompt_tokens_details": {"cached_tokens": self.cached},
            "completion_tokens_details": {"reasoning_tokens": self.thoughts},
        }

    def _events(self, body: Mapping[str, Any]) -> Iterator[bytes]:
        words = self._text(body)
        yield self._event(_chunk({"role": "assistant", "content": None}))
        for number, piece in enumerate(pieces_of(words)):
            if number == self.breaks_after:
                yield from self._breaking()
                return
            yield from self._spoken(piece)
        yield self._event(_chunk({"refusal": self.refuses} if self.refuses else {}, finish=self.finish))
        if self.counts and body.get("stream_options", {}).get("include_usage"):
            yield self._event({"choices": [], "usage": self._usage(words)})
        if self.ends_with:
            yield f"data: [DONE]{self.line_end * (1 if self.ends_with == 'bare' else 2)}".encode()

    def _spoken(self, piece: str) -> Iterator[bytes]:
        if self.comments:
            yield f": still here{self.line_end * 2}".encode()
        event = self._event(_chunk({"content": piece}))
        if self.splits_letters:
            yield from (event[start : start + 1] for start in range(len(event)))
        else:
            yield event
        time.sleep(self.token_delay)

    def _breaking(self) -> Iterator[bytes]:
        error = problem(500, "the KV cache is full", "server_error")
        if self.then_error == "data":
            yield self._event(error)
        elif self.then_error == "field":
            yield f"error: {json.dumps(error['error'])}{self.line_end * 2}".encode()

    def _event(self, body: Mapping[str, Any]) -> bytes:
        return f"data: {json.dumps(body, ensure_ascii=False)}{self.line_end * 2}".encode()

    routes: ClassVar[list[Route]] = [Route("chat", "POST", r"/v1/chat/completions", chat)]


def _chunk(delta: Mapping[str, Any], *, finish: str | None = None) -> dict[str, Any]:
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    return {"object": "chat.completion.chunk", "choices": [choice], "usage": None}


def _words(content: str | list[dict[str, Any]]) -> str:
    return content if isinstance(content, str) else "\n".join(part.get("text", "") for part in content)
