"""Gemini's SDK speaks through our one door: an httpx transport that hands each request to core.http.

So the SDK's calls have the door's total deadline, size bound, address check and record. What the SDK gives as its
timeout is the deadline of the call. A status that is not 200 is translated here, before the SDK sees it: the record
then says what it was, and nobody else needs to read Google's errors.
"""

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from typing import Any

import httpx

from analysis.providers.contract import Tokens
from analysis.providers.gemini.problems import Asked, problem_of
from core import http
from core.http import Incoming
from social.scrapers.reading import count, entry

MAX_BYTES = 10_000_000
# A stream that says nothing for so long has died.
STREAM_SILENCE = 45.0
ERRORS = {429, 500, 502, 503, 504}
# These are the door's own business.
LEFT_OUT = {"host", "connection", "content-length", "accept", "accept-encoding"}
MODEL_CALL = re.compile(r"/models/([^/:]+):([A-Za-z]+)$")
OPERATIONS = {"generateContent": "complete", "streamGenerateContent": "stream"}


class DoorTransport(httpx.BaseTransport):
    """Stateless: what a call is follows from its address."""

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        operation, model = asked_of(request)
        asked = Asked(model=model, key=request.headers.get("x-goog-api-key", ""))
        with ExitStack() as around:
            incoming = around.enter_context(http.stream(**_call(request, operation, model)))
            if incoming.status != 200:
                body, wait = incoming.read().body, incoming.headers.get("retry-after", "")
                raise problem_of(incoming.status, body, asked, retry_after=wait)
            body_to_come = Body(incoming, around.pop_all())
        return httpx.Response(incoming.status, headers=incoming.headers, stream=body_to_come)


class Body(httpx.SyncByteStream):
    """The answer on its way. The call is recorded when it ends, however it ends, with the tokens that it told of."""

    def __init__(self, incoming: Incoming, around: ExitStack) -> None:
        self._incoming, self._around = incoming, around

    def __iter__(self) -> Iterator[bytes]:
        seen = bytearray()
        with self._around:
            try:
                for chunk in self._incoming:
                    seen += chunk
                    yield chunk
            finally:
                self._incoming.units.update(tokens_of(usage_in(bytes(seen))).units)

    def close(self) -> None:
        self._around.close()


def asked_of(request: httpx.Request) -> tuple[str, str]:
    """Which operation this is, as the record names it, and of which model."""
    path = request.url.path
    if call := MODEL_CALL.search(path):
        return OPERATIONS.get(call[2], call[2]), call[1]
    if path.startswith("/upload/"):
        return "upload", ""
    return {"GET": "look_at_upload", "DELETE": "forget_upload"}.get(request.method, "other"), ""


def usage_in(body: bytes) -> Mapping[str, Any]:
    """What was last said of usage, in a whole answer or in the events of a stream: each counts from the beginning."""
    rest = body.rpartition(b'"usageMetadata"')[2].decode("utf-8", "replace").lstrip(" \t\r\n:")
    try:
        return entry(json.JSONDecoder().raw_decode(rest)[0])
    except (ValueError, RecursionError):
        return {}


def tokens_of(usage: Mapping[str, Any]) -> Tokens:
    """The prompt's count includes what was cached, the answer's excludes the thoughts."""
    prompt, answer, cached, thoughts, tools = (
        count(usage.get(name)) or 0
        for name in (
            "promptTokenCount", "candidatesTokenCount", "cachedContentTokenCount", "thoughtsTokenCount",
            "toolUsePromptTokenCount",
        )
    )  # fmt: skip
    return Tokens(input=max(prompt - cached, 0) + tools, output=answer, cached=cached, thinking=thoughts)


def _call(request: httpx.Request, operation: str, model: str) -> dict[str, Any]:
    seconds = request.extensions["timeout"]["read"]
    return {
        "vendor": "gemini",
        "operation": operation,
        "model": model,
        "method": request.method,
        "url": str(request.url),
        "headers": {name: value for name, value in request.headers.items() if name not in LEFT_OUT},
        "content": request.read() or None,
        "timeout": seconds,
        "read_timeout": min(seconds, STREAM_SILENCE) if operation == "stream" else seconds,
        "max_bytes": MAX_BYTES,
        "accept": ERRORS,
    }
