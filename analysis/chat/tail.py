"""An answer as Server-Sent Events: out of its stream, and out of its row where the stream is gone.

Whoever comes back says how many characters were shown (Last-Event-ID), and gets what follows: nothing twice, nothing
left out, whichever of the two it comes from.
"""

import asyncio
from collections.abc import AsyncGenerator, Iterator
from typing import Any
from uuid import UUID

import orjson
import structlog
from django.db import Error as DatabaseProblem

from analysis.chat.bodies import message_body
from analysis.chat.models import ChatMessage
from analysis.chat.stream import stream_of
from core import streams

log = structlog.get_logger(__name__)
# How long a stream that is not there yet is waited for, and the pause before the row is looked at instead.
PATIENCE, LOOK_SECONDS = 5.0, 0.2
# How often a browser is told that it is still connected, and the row is asked whether the last event was lost.
HEARTBEAT_SECONDS = 15.0
# The pause while the database is away.
REST_SECONDS = 1.0


def after_header(last_event_id: str | None) -> int:
    """How many characters were shown already."""
    return int(last_event_id) if last_event_id and last_event_id.isdecimal() and len(last_event_id) < 9 else 0


async def follow(
    message_id: UUID, shown: int, *, is_new: bool = False, heartbeat: float = HEARTBEAT_SECONDS
) -> AsyncGenerator[bytes, None]:
    """All that follows behind so many characters. Of an answer that is new the row has nothing to tell yet."""
    teller = _Teller(message_id, shown)
    if not shown:
        yield streams.encode("start", {"message_id": message_id}, event_id="0")
    row = None if is_new else await teller.look()
    while row is None or row.status == ChatMessage.Status.STREAMING:
        if row and (chunk := teller.tell_words(row.content[teller.shown :], at=teller.shown)):
            yield chunk
        async for chunk in teller.listen(heartbeat):
            yield chunk
        row = await teller.look()
        if row is None or row.status == ChatMessage.Status.STREAMING:
            yield streams.HEARTBEAT
            await asyncio.sleep(LOOK_SECONDS)
    for chunk in teller.end(row):
        yield chunk


class _Teller:
    """How much of an answer somebody has been told."""

    def __init__(self, message_id: UUID, shown: int) -> None:
        self.message_id, self.shown = message_id, shown
        self.cited: set[str] = set()

    async def look(self) -> ChatMessage | None:
        """Its row; None while the database is away, or has no connection to spare."""
        try:
            return await streams.ask_database(lambda: _look(self.message_id))
        except DatabaseProblem as problem:
            log.warning("answer_not_looked_at", error=type(problem).__name__)
            await asyncio.sleep(REST_SECONDS)
            return None

    async def has_ended(self) -> bool:
        row = await self.look()
        return row is not None and row.status != ChatMessage.Status.STREAMING

    async def listen(self, heartbeat: float) -> AsyncGenerator[bytes, None]:
        """What the stream has, to its last event, or to where it is gone or has lost words."""
        stream = stream_of(self.message_id)
        try:
            async for event in streams.tail(stream, heartbeat=heartbeat, patience=PATIENCE):
                if event is None:
                    yield streams.HEARTBEAT
                    if await self.has_ended():
                        return
                    continue
                if event.last:
                    return  # or it is about to: whoever ends it from outside says so first
                data = orjson.loads(event.data)
                # Redis has lost words: the row will have them in a moment.
                if event.name == "token" and data["at"] > self.shown:
                    break
                if chunk := self._pass_on(event.name, data):
                    yield chunk
        except streams.StreamGone:
            return

    def _pass_on(self, name: str, data: Any) -> bytes | None:
        """An event of the stream; of a token, what was not shown yet."""
        return (
            self.tell_words(data["text"], at=data["at"])
            if name == "token"
            else self._tell_citation(data["evidence_id"])
        )

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
        left += [self._tell_citation(told["evidence_id"]) for told in row.citations if told["known"]]
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
