"""Gemini's API on loopback: whole and streamed answers, files, and its many ways of saying no."""

import itertools
import json
import re
import time
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

from sandbox.answering import answer_in_shape, answer_in_words, pieces_of, schema_in
from sandbox.control import Asked, Reply, Route, Sandbox

TYPES = "type.googleapis.com/google.rpc"
# Given as they are: what is under these names is somebody's own.
UNTOUCHED = {"responseJsonSchema", "responseSchema", "args"}
STATUSES = {
    400: "INVALID_ARGUMENT", 403: "PERMISSION_DENIED", 404: "NOT_FOUND", 429: "RESOURCE_EXHAUSTED", 500: "INTERNAL",
    503: "UNAVAILABLE", 504: "DEADLINE_EXCEEDED",
}  # fmt: skip


def problem(code: int, message: str, *details: Mapping[str, Any], status: str = "") -> dict[str, Any]:
    """The body of an error, as Google wraps it."""
    error: dict[str, Any] = {"code": code, "message": message, "status": status or STATUSES[code]}
    return {"error": error | ({"details": [*details]} if details else {})}


def bad_key() -> dict[str, Any]:
    reason = {"@type": f"{TYPES}.ErrorInfo", "reason": "API_KEY_INVALID", "domain": "googleapis.com"}
    return problem(400, "API key not valid. Please pass a valid API key.", reason)


def quota(*, delay: str = "", says: str = "", quota_id: str = "") -> dict[str, Any]:
    """Used up: with a delay in the details, in the words, or nowhere."""
    failure = {"@type": f"{TYPES}.QuotaFailure", "violations": [{"quotaId": quota_id}]}
    retry = {"@type": f"{TYPES}.RetryInfo", "retryDelay": delay}
    details = [failure] * bool(quota_id) + [retry] * bool(delay)
    return problem(429, says or "Resource has been exhausted (e.g. check quota).", *details)


def twice_encoded(body: Mapping[str, Any]) -> dict[str, Any]:
    """As a proxy of Google's wraps an error: its message is the whole error as text."""
    return problem(body["error"]["code"], json.dumps(body, indent=2), status="Service Unavailable")


def spelled(value: Any) -> Any:
    """In camel case throughout: protobuf's JSON takes both spellings at every level, and the SDK sends both."""
    if isinstance(value, list):
        return [spelled(each) for each in value]
    if not isinstance(value, dict):
        return value
    named = {re.sub(r"_([a-z])", lambda found: found[1].upper(), name): part for name, part in value.items()}
    return {name: part if name in UNTOUCHED else spelled(part) for name, part in named.items()}


class GeminiSandbox(Sandbox):
    """Gemini with some models. The public attributes are knobs."""

    def __init__(self, *, port: int = 0, keys: tuple[str, ...] = ("sandbox",)) -> None:
        super().__init__(port=port)
        self.api_keys = keys
        self.spent: dict[str, dict[str, Any]] = {}  # keys whose quota is used up, and in which words that is said
        self.models = {"gemini-3.8-flash", "gemini-3.5-flash-lite"}
        self.says: str | None = None  # instead of what is asked for
        self.finish = "STOP"
        self.blocks = ""  # why the prompt is not let through
        self.without_parts = False
        self.thoughts = 40
        self.cached = 0
        self.takes_schemas = True
        self.token_delay = 0.0
        self.line_end = "\r\n"
        self.breaks_after: int | None = None  # so many pieces of a stream; then it just ends
        self.then_error: dict[str, Any] | None = None  # or tells of this
        self.looks = 1  # how often a file is asked for before it may be used
        self.file_fails = False
        self.files: dict[str, dict[str, Any]] = {}
        self.asked: list[dict[str, Any]] = []  # what was asked of models
        self.asked_with: list[str] = []  # and with which key
        self._names = itertools.count(1)

    def settings(self) -> dict[str, Any]:
        """The settings that lead here."""
        return {
            "GEMINI_URL": self.url,
            "GEMINI_API_KEYS": [*self.api_keys],
            "OUTBOUND_ALLOWED_HOSTS": [self.address],
        }

    # What it answers

    def refusal(self, asked: Asked) -> Reply | None:
        if asked.headers.get("x-goog-upload-command", "start") != "start":
            return None  # the address that was given for it is permission enough
        key = _key(asked)
        if key not in self.api_keys:
            return Reply(status=400, body=bad_key())
        return Reply(status=429, body=self.spent[key]) if key in self.spent else None

    def generate(self, asked: Asked, model: str) -> Reply:
        body = self._note(asked)
        return self._trouble(model, body) or Reply(body=self._response(self._text(body), model, last=True))

    def stream(self, asked: Asked, model: str) -> Reply:
        body = self._note(asked)
        headers = {"Content-Type": "text/event-stream"}
        return self._trouble(model, body) or Reply(body=self._events(body, model), headers=headers)

    def _note(self, asked: Asked) -> dict[str, Any]:
        body: dict[str, Any] = spelled(asked.json())
        self.asked.append(body)
        self.asked_with.append(_key(asked))
        return body

    def _trouble(self, model: str, body: Mapping[str, Any]) -> Reply | None:
        if model not in self.models:
            said = f"models/{model} is not found for API version v1, or is not supported for generateContent."
            return Reply(status=404, body=problem(404, said))
        how = body.get("generationConfig", {})
        shapes = [name for name in ("responseJsonSchema", "responseSchema") if name in how]
        turns = body.get("contents") or [{"role": "model"}]
        if len(shapes) > 1 or turns[-1].get("role") == "model" or (shapes and not self.takes_schemas):
            return Reply(status=400, body=problem(400, "Request contains an invalid argument."))
        unready = [name for name in _files_in(turns) if self.files.get(name, {}).get("state") != "ACTIVE"]
        if unready:
            said = f"The File {unready[0]} is not in an ACTIVE state and usage is not allowed."
            return Reply(status=400, body=problem(400, said, status="FAILED_PRECONDITION"))
        return None

    def _text(self, body: Mapping[str, Any]) -> str:
        if self.says is not None:
            return self.says
        how = body.get("generationConfig", {})
        turns = [*body["contents"], body.get("systemInstruction", {})]
        everything = "\n".join(part.get("text", "") for turn in turns for part in turn.get("parts", []))
        shape = how.get("responseJsonSchema") or how.get("responseSchema")
        if shape or how.get("responseMimeType") == "application/json":
            return answer_in_shape(shape or schema_in(everything), everything)
        return answer_in_words(body["contents"][-1]["parts"][-1].get("text", ""), everything)

    def _response(self, words: str, model: str, *, last: bool, spoken: int = 0) -> dict[str, Any]:
        if self.blocks:
            return {"promptFeedback": {"blockReason": self.blocks}, "modelVersion": model}
        content: dict[str, Any] = {"role": "model"} | ({} if self.without_parts else {"parts": [{"text": words}]})
        usage = {"promptTokenCount": 100 + self.cached, "totalTokenCount": 100 + self.cached + self.thoughts}
        if not last:
            return {"candidates": [{"content": content}], "usageMetadata": usage, "modelVersion": model}
        answer = max(spoken, len(pieces_of(words)))
        usage |= {"candidatesTokenCount": answer, "thoughtsTokenCount": self.thoughts}
        usage |= {"cachedContentTokenCount": self.cached} if self.cached else {}
        thought = [{"text": "Let me see.", "thought": True}] if self.thoughts and not self.without_parts else []
        content |= {"parts": [*thought, *content["parts"]]} if thought else {}
        candidate = {"content": content, "finishReason": self.finish, "index": 0}
        return {"candidates": [candidate], "usageMetadata": usage, "modelVersion": model}

    def _events(self, body: Mapping[str, Any], model: str) -> Iterator[bytes]:
        pieces = pieces_of(self._text(body))
        for number, piece in enumerate(pieces, start=1):
            if self.breaks_after is not None and number > self.breaks_after:
                if self.then_error:
                    yield self._event(self.then_error)
                return
            last = number == len(pieces)
            yield self._event(self._response(piece, model, last=last, spoken=number))
            if self.blocks:
                return
            time.sleep(self.token_delay)

    def _event(self, body: Mapping[str, Any]) -> bytes:
        return f"data: {json.dumps(body, ensure_ascii=False)}{self.line_end * 2}".encode()

    # Files

    def upload(self, asked: Asked) -> Reply:
        if asked.headers.get("x-goog-upload-command") == "start":
            name = f"files/f{next(self._names)}"
            kind = spelled(asked.json())["file"]["mimeType"]
            self.files[name] = {"name": name, "mimeType": kind, "uri": f"{self.url}/v1/{name}", "state": "PROCESSING"}
            self.files[name] |= {"sizeBytes": "0", "looks": 0}
            return Reply(headers={"X-Goog-Upload-URL": f"{self.url}/upload/v1/files?upload_id={name}"})
        file = self.files[asked.query["upload_id"][0]]
        file["sizeBytes"] = str(int(file["sizeBytes"]) + len(asked.body))
        final = "finalize" in asked.headers["x-goog-upload-command"]
        headers = {"X-Goog-Upload-Status": "final" if final else "active"}
        return Reply(body={"file": _told(file)} if final else {}, headers=headers)

    def look(self, asked: Asked, name: str) -> Reply:
        file = self.files.get(name)
        if file is None:
            return Reply(status=403, body=problem(403, "You do not have permission to access the File."))
        file["looks"] += 1
        if file["looks"] >= self.looks:
            file["state"] = "FAILED" if self.file_fails else "ACTIVE"
        return Reply(body=_told(file))

    def forget(self, asked: Asked, name: str) -> Reply:
        return Reply() if self.files.pop(name, None) else Reply(status=404, body=problem(404, "Not found."))

    routes: ClassVar[list[Route]] = [
        Route("generate", "POST", r"/v1(?:beta)?/models/([^/:]+):generateContent", generate),
        Route("stream", "POST", r"/v1(?:beta)?/models/([^/:]+):streamGenerateContent", stream),
        Route("upload", "POST", r"/upload/v1(?:beta)?/files", upload),
        Route("files.get", "GET", r"/v1(?:beta)?/(files/[^/]+)", look),
        Route("files.delete", "DELETE", r"/v1(?:beta)?/(files/[^/]+)", forget),
    ]


def _key(asked: Asked) -> str:
    return asked.headers.get("x-goog-api-key") or asked.query.get("key", [""])[0]


def _told(file: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in file.items() if name != "looks"}


def _files_in(turns: list[dict[str, Any]]) -> list[str]:
    """Those that are kept here; other addresses, YouTube's say, are looked at where they are."""
    parts = [part for turn in turns for part in turn.get("parts", []) if "fileData" in part]
    return [found[1] for part in parts if (found := re.search(r"/(files/[^/]+)$", part["fileData"]["fileUri"]))]
