"""An answer as Server-Sent Events: out of its stream, and out of its row where the stream is gone.

Whoever comes back says how many characters were shown (Last-Event-ID), and gets what follows: nothing twice, nothing
left out, whichever of the two it comes from.
"""

import asyncio
from collections.abc import AsyncGenerator, Iterator
from typing import Any
from uuid import UUID

import orjson
from asgiref.sync import sync_to_async

from analysis.chat.bodies import message_body
from analysis.chat.models import ChatMessage
from analysis.chat.stream import stream_of
from core import streams

# How long a stream that is not there yet is waited for, and the pause before the row is looked at instead.
PATIENCE, LOOK_SECONDS = 5.0, 0.2


def after_header(last_event_id: str | None) -> int:
    """How many characters were shown already."""
    return int(last_event_id) if last_event_id and last_event_id.isdecimal() and len(last_event_id) < 9 else 0


async def follow(message_id: UUID, shown: int) -> AsyncGenerator[bytes, None]:
    teller = _Teller(message_id, shown)
    while (row := await teller.look()).status == ChatMessage.Status.STREAMING:
        if chunk := teller.tell_words(row.content[teller.shown :], at=teller.shown):
            yield chunk
        async for chunk in teller.listen():
            yield chunk
    for chunk in teller.end(row):
        yield chunk


class _Teller:
    """How much of an answer somebody has been told."""

    def __init__(self, message_id: UUID, shown: int) -> None:
        self.message_id, self.shown = message_id, shown
        self.cited: set[str] = set()

    async def look(self) -> ChatMessage:
        row = await sync_to_async(_look)(self.message_id)
        await streams.release_database()
        return row

    async def listen(self) -> AsyncGenerator[bytes, None]:
        """What the stream has, to its last event; where it is gone, a moment's rest."""
        try:
            async for event in streams.tail(stream_of(self.message_id), patience=PATIENCE):
                if event is None:
                    yield streams.HEARTBEAT
                elif self._is_gap(event):
                    break
                elif chunk := self._pass_on(event):
                    yield chunk
        except streams.StreamGone:
            yield streams.HEARTBEAT
        await asyncio.sleep(LOOK_SECONDS)

    def _is_gap(self, event: streams.Event) -> bool:
        """Redis has lost words: the row will have them in a moment."""
        return event.name == "token" and orjson.loads(event.data)["at"] > self.shown

    def _pass_on(self, event: streams.Event) -> bytes | None:
        """An event of the stream; of a token, what was not shown yet. How it ends is told from the row."""
        data = orjson.loads(event.data)
        if event.name == "token":
            return self.tell_words(data["text"], at=data["at"])
        if event.name == "citation":
            return self._tell_citation(data["evidence_id"])
        return streams.encode(event.name, data, event_id="0") if event.name == "start" and not self.shown else None

    def tell_words(self, text: str, *, at: int) -> bytes | None:
        fresh = text[max(self.shown - at, 0) :]
        if not fresh:
            return None
        place, self.shown = self.shown, self.shown + len(fresh)
        return streams.encode("token", {"text": fresh, "at": place}, event_id=str(self.shown))

    def _tell_citation(self, name: str) -> bytes | None:
        if name in self.cited:
            return None
        self.cited.add(name)
        return streams.encode("citation", {"evidence_id": name}, event_id=str(self.shown))

    def end(self, row: ChatMessage) -> Iterator[bytes]:
        """What is left of the words, and how it ended."""
        left = [self.tell_words(row.content[self.shown :], at=self.shown)]
        left += [self._tell_citation(told["evidence_id"]) for told in row.citations]
        yield from (chunk for chunk in left if chunk)
        yield streams.encode(*_ending(row), event_id=str(self.shown))


def _ending(row: ChatMessage) -> tuple[str, dict[str, Any]]:
    if row.status == ChatMessage.Status.COMPLETE:
        return "done", {"message": message_body(row)}
    return "error", {"code": row.error_code, "message": SENTENCES[row.status], "answer": message_body(row)}


SENTENCES = {
    "interrupted": "The answer broke off; what was said of it is kept.",
    "failed": "The question could not be answered. Nothing was spent.",
}


def _look(message_id: UUID) -> ChatMessage:
    row = ChatMessage.objects.filter(pk=message_id).first()
    return row or ChatMessage(id=message_id, status=ChatMessage.Status.INTERRUPTED, error_code="removed")
