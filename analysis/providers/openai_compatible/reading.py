"""What such a server answers, whole or in pieces, and what it says when it does not."""

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any

from analysis.errors import AnswerInvalid, ContentBlocked
from analysis.providers import sse
from analysis.providers.contract import Completion, Finish, Tokens
from analysis.providers.costs import cost_of
from core import redaction
from core.errors import (
    NotConfigured,
    Problem,
    VendorAnswerInvalid,
    VendorBusy,
    VendorRefused,
    VendorTimeout,
    VendorUnavailable,
)
from core.http import Answer, Incoming
from social.scrapers.reading import count, entry, items, text

LONGEST_SAID = 300
END_SECONDS = 0.1
FINISHES: dict[str, Finish] = {"stop": "stop", "length": "length", "eos": "stop"}
OF_THE_SHAPE = re.compile(r"response_format|json_?schema|json_object|schema|grammar|structured", re.IGNORECASE)


class ShapeRefused(VendorRefused):
    """The server does not take the shape in this form."""


class Heard:
    """An answer as far as it has come."""

    def __init__(self, *, model: str, operation: str, key: str) -> None:
        self.model, self.operation, self.key = model, operation, key
        self.text, self.stopped = "", ""
        self.tokens = Tokens()

    def take(self, body: Mapping[str, Any]) -> str:
        """The new words of a whole answer or of a piece; an error may come under any status and at any time."""
        if body.get("error"):
            raise problem_of(0, body, model=self.model, key=self.key)
        if usage := entry(body.get("usage")):
            self.tokens = tokens_of(usage)
        choice = next(iter(items(body.get("choices"))), {})
        said = entry(choice.get("delta")) or entry(choice.get("message"))
        self.stopped = text(choice.get("finish_reason")) or self.stopped
        if self.stopped == "content_filter" or said.get("refusal"):
            raise ContentBlocked(details={"reason": self.stopped or "refusal"})
        words = said.get("content")
        words = words if isinstance(words, str) else ""
        self.text += words
        return words

    def whole(self) -> Completion:
        """As far as it goes: one that was cut off, or says nothing, was paid for too."""
        cost = cost_of(self.tokens, vendor="openai_compatible", model=self.model, operation=self.operation)
        return Completion(
            text=self.text,
            provider="openai_compatible",
            model=self.model,
            tokens=self.tokens,
            cost_micros=cost,
            finish=FINISHES.get(self.stopped, "other"),
        )

    def end(self) -> Completion:
        """Of a stream."""
        if not self.text.strip():
            raise AnswerInvalid(details={"reason": self.stopped or "nothing was said"})
        return self.whole()


def chunks_of(incoming: Incoming) -> Iterator[Mapping[str, Any]]:
    """The pieces of a stream, up to its [DONE]. A server that knows no streams sends one whole answer instead."""
    if incoming.headers.get("content-type", "").startswith("application/json"):
        yield whole_of(incoming.read())
        return
    events = sse.events(incoming)
    for event in events:
        if event.data == "[DONE]":
            _hear_out(incoming, events)
            return
        if event.error:
            yield {"error": _read(event.error) or event.error}
            return
        body = _read(event.data)
        if not isinstance(body, dict):
            # Torn, where the stream stopped in its middle.
            raise VendorAnswerInvalid(details={"problem": "no_object"}) if event.ended else VendorUnavailable
        yield body


def _hear_out(incoming: Incoming, events: Iterator[sse.Event]) -> None:
    """Up to the end of the body, where it comes at once: only then does the next answer come over this connection."""
    trip = incoming.trip
    # In all, not for each read: comments may go on for ever.
    trip.seconds, trip.gather = trip.seconds - max(trip.left() - END_SECONDS, 0.0), 0.0
    with suppress(Problem):
        next(events, None)


def whole_of(answer: Answer) -> Mapping[str, Any]:
    body = answer.json()
    if not isinstance(body, dict) or not (body.get("error") or isinstance(body.get("choices"), list)):
        raise VendorAnswerInvalid(details={"problem": "no_choices"})
    return body


def tokens_of(usage: Mapping[str, Any]) -> Tokens:
    """The prompt's count includes what was cached, the answer's the thoughts."""
    prompt, answer = (count(usage.get(name)) or 0 for name in ("prompt_tokens", "completion_tokens"))
    cached = count(entry(usage.get("prompt_tokens_details")).get("cached_tokens")) or 0
    thoughts = count(entry(usage.get("completion_tokens_details")).get("reasoning_tokens")) or 0
    return Tokens(
        input=max(prompt - cached, 0), output=max(answer - thoughts, 0), cached=cached, thinking=min(thoughts, answer)
    )


def units_of(answer: Answer) -> Mapping[str, int]:
    return tokens_of(entry(entry(_read(answer.body)).get("usage"))).units


def problem_of(status: int, body: object, *, model: str, key: str) -> Problem:
    """`status` 0: the error came inside an answer, and may say its status itself."""
    error = entry(body).get("error") or entry(body)
    status = status or count(entry(error).get("code")) or 500
    said = text(entry(error).get("message")) or text(error) or text(entry(body).get("detail"))
    details = {"status": status, "said": text(redaction.without([key], said), limit=LONGEST_SAID)}
    if status == 404:
        return NotConfigured(f"The model server does not know the model {model}.", details=details)
    if status in {400, 422} and OF_THE_SHAPE.search(said):
        return ShapeRefused(details=details)
    kinds: dict[int, type[Problem]] = {408: VendorTimeout, 429: VendorBusy, 504: VendorTimeout}
    return kinds.get(status, VendorUnavailable if status >= 500 else VendorRefused)(details=details)


def error_in(body: bytes) -> object:
    return _read(body) or {"message": body[:LONGEST_SAID].decode("utf-8", "replace")}


def _read(body: bytes | str) -> object:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None
