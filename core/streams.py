"""Live events: what happens to one thing, in order, to whoever is watching it now.

A stream is a bounded Redis stream that is forgotten an hour after its last entry. The rows are the truth: `append`
gives up at once when Redis is away, and a reader must get by without the entry. A tail is for async views. While it
runs it costs a Redis connection (measured: 15 kB here, 13 kB there, a descriptor on each side) and no thread.

Resuming after `Last-Event-ID`, without gaps or duplicates, has two forms.

Events that are rows (a status history) have their row's id as `event_id`, and the entry is only a bell. The view asks
`latest` BEFORE it reads the rows, sends those after Last-Event-ID, tails from `latest`, and at each event and each
heartbeat sends the rows after the last one sent, up to the final row, which it reads through `ask_database`.
Entries are appended after commit, so a row that was not read yet rings later; an entry that Redis lost is made good by
the next. All this holds if ids grow in the order of commits: a row must get its id under a lock on what it belongs to.

Events that are no rows (the words of an answer) say themselves where they stand, and what is missing is read from the
row that they are kept in (analysis/chat/tail.py). Where the entry that a tail starts from is no longer kept, StreamGone
says that something may have been missed. An EventSource asks again after every end, also after the last event: a tail
that starts at the last event ends at once, and 204 makes the browser stop.
"""

import asyncio
import json
import math
import random
import re
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing, suppress
from dataclasses import dataclass
from functools import cache
from typing import Any, TypeVar

import orjson
import structlog
from asgiref.sync import sync_to_async
from django.conf import settings
from django.db import DEFAULT_DB_ALIAS, connections
from django.http import StreamingHttpResponse
from redis import Redis
from redis.asyncio.connection import AbstractConnection, ConnectionPool
from redis.event import EventDispatcher
from redis.exceptions import RedisError

from core import redis
from core.errors import Missing

logger = structlog.get_logger(__name__)
Answer = TypeVar("Answer")

START = "0"
HEARTBEAT = b": heartbeat\n\n"
LONGEST = 10_000
KEEP_SECONDS = 3600
BATCH = 100
# How long one blocking read may take, which bounds how late a stream's disappearance is noticed; and what a healthy
# Redis may take to answer, or to end a blocking read, before it is held to be away.
SLICE_SECONDS, GRACE_SECONDS = 5.0, 1.0
FIRST_PAUSE, LONGEST_PAUSE = 0.1, 2.0
LINE_END = re.compile(r"\r\n|\r|\n")
# For all streams: a thousand that end at once must be neither a thousand threads nor all of the connections.
_askers = ThreadPoolExecutor(max_workers=4, thread_name_prefix="askers")
# The tails of this process, for whoever wants to know how many there are.
live: set["_Reader"] = set()


class StreamGone(Missing):
    """These live events are no longer kept."""

    code = "stream_gone"


@dataclass(frozen=True, slots=True)
class Event:
    """One entry of a stream; its data stays the JSON text it was written as."""

    entry_id: str
    name: str
    data: str
    event_id: str = ""
    last: bool = False


def append(stream: str, event: str, data: Any, *, event_id: str = "", last: bool = False) -> str | None:
    """Add an event, the last one if so marked, and answer its entry id; None where Redis could not take it."""
    return next(iter(append_all([(stream, fields_of(event, data, event_id, last=last))])), None)


def append_all(entries: Sequence[tuple[str, dict[str, str]]]) -> list[str]:
    """Add events, each to its stream, in one trip; their entry ids, or none where Redis could not take them."""
    try:
        return redis.ask(lambda connection: _write(connection, entries))
    except redis.RedisAway:
        return []
    except RedisError as error:
        # Full or read-only, perhaps: whoever writes has more important things to do.
        logger.warning("event_not_written", stream=entries[0][0], error=type(error).__name__)
        return []


def fields_of(event: str, data: Any, event_id: str = "", *, last: bool = False) -> dict[str, str]:
    fields = {"event": event, "data": _json(data), "id": event_id, "last": "1" if last else ""}
    return {name: value for name, value in fields.items() if value}


def read(stream: str, *, after: str = START) -> list[Event]:
    """Everything that is kept behind an entry, or raise RedisAway."""
    entries: Any = redis.ask(lambda connection: connection.xrange(_key(stream), min=f"({after}"))
    return [_event(*entry) for entry in entries]


def latest(stream: str) -> str:
    """The entry to tail from so as to get only what is new; where it cannot be known, the start."""
    with suppress(redis.RedisAway):
        entries: Any = redis.ask(lambda connection: connection.xrevrange(_key(stream), count=1))
        return str(entries[0][0]) if entries else START
    return START


async def tail(
    stream: str, *, after: str = START, heartbeat: float = 15.0, patience: float = 60.0
) -> AsyncGenerator[Event | None, None]:
    """Yield what is and will be behind an entry, up to the last event, and None each time a heartbeat is due.

    Raises StreamGone when an entry may have been missed, or when for `patience` seconds there was no such stream or
    no Redis. The stream may be tailed before its first event is written.
    """
    loop, reader = asyncio.get_running_loop(), _Reader(_key(stream), after, patience)
    due = loop.time() + heartbeat
    live.add(reader)
    try:
        while not reader.ended:
            for event in await reader.read(min(due - loop.time(), SLICE_SECONDS)):
                yield event
            if loop.time() >= due and not reader.ended:
                yield None
                due = loop.time() + heartbeat
    finally:
        live.discard(reader)
        await reader.close()


class _Reader:
    """One place in one stream, and a connection that blocks there."""

    def __init__(self, key: str, position: str, patience: float) -> None:
        self.key, self.position, self.patience = key, position, patience
        self.ended, self.pause = False, FIRST_PAUSE
        self.connection: AbstractConnection = _maker(settings.REDIS_URL).make_connection()  # type: ignore[no-untyped-call]
        self.give_up_at: float | None = None

    async def read(self, seconds: float) -> list[Event]:
        """Wait at most so long for what comes next; [] also while Redis is away."""
        try:
            if not self.connection.is_connected:
                await self._connect()
            return [] if self.ended else await self._next(max(seconds, 0.001))
        except (RedisError, OSError) as error:
            logger.info("tail_interrupted", stream=self.key, error=type(error).__name__)
            await self.close()
            self._lose_patience()
            await asyncio.sleep(min(max(seconds, 0.0), self._next_pause()))
            return []

    async def close(self) -> None:
        # Not waiting: a cancelled view must end now, and closing is all there is to do.
        await self.connection.disconnect(nowait=True)

    async def _connect(self) -> None:
        async with asyncio.timeout(GRACE_SECONDS):
            await self.connection.connect()  # type: ignore[no-untyped-call]
        if self.position != START:
            entries = await self._ask("XRANGE", self.key, self.position, self.position)
            if not entries:
                raise StreamGone
            self.ended = _event(*entries[0]).last

    async def _next(self, seconds: float) -> list[Event]:
        words = ("XREAD", "COUNT", BATCH, "BLOCK", max(1, int(seconds * 1000)), "STREAMS", self.key, self.position)
        answer = await self._ask(*words, seconds=seconds)
        self.pause = FIRST_PAUSE
        if not answer:
            await self._look()
            return []
        events = [_event(*entry) for entry in answer[0][1]]
        self.position, self.give_up_at = events[-1].entry_id, None
        self.ended = any(event.last for event in events)
        return events

    async def _look(self) -> None:
        if await self._ask("EXISTS", self.key):
            self.give_up_at = None
        elif self.position != START:
            raise StreamGone
        else:
            self._lose_patience()

    async def _ask(self, *words: str | int, seconds: float = 0.0) -> Any:
        # The client's own read timeout, when given, answers None instead of raising, as a silent stream does.
        async with asyncio.timeout(seconds + GRACE_SECONDS):
            await self.connection.send_command(*words)
            return await self.connection.read_response(timeout=math.inf)

    def _lose_patience(self) -> None:
        now = asyncio.get_running_loop().time()
        self.give_up_at = self.give_up_at or now + self.patience
        if now >= self.give_up_at:
            raise StreamGone

    def _next_pause(self) -> float:
        # Spread out: every tail of every process lost its connection in the same moment.
        pause = self.pause * random.uniform(0.5, 1.0)  # noqa: S311
        self.pause = min(self.pause * 2, LONGEST_PAUSE)
        return pause


@cache
def _maker(url: str) -> ConnectionPool:
    # A pool only because that reads the address: one that lent connections would keep those of a busy hour, or let
    # readers that block lock out all others. The client's own timeout makes a task of each command, and before
    # Python 3.12 swallows that the reader has left; who it is it would look up in its package's files every time.
    shared = {"socket_timeout": None, "driver_info": None, "event_dispatcher": EventDispatcher()}
    return ConnectionPool.from_url(url, protocol=2, decode_responses=True, **shared)


def encode(name: str, data: Any, *, event_id: str = "") -> bytes:
    """An event that comes from a row, as the browser reads it."""
    # A line end would begin a field of somebody else's choosing; JSON has none.
    lines = [f"{field}: {LINE_END.sub(' ', value)}" for field, value in (("event", name), ("id", event_id)) if value]
    return ("\n".join([*lines, f"data: {_json(data)}"]) + "\n\n").encode("utf-8", "replace")


def respond_with(chunks: AsyncGenerator[bytes, None]) -> StreamingHttpResponse:
    """Answer with encoded events as they come; when the stream is gone the answer ends and the browser asks again."""
    # What the request has used so far to ask the database.
    close_connections()
    response = StreamingHttpResponse(_stream(chunks), content_type="text/event-stream")
    response["Cache-Control"] = "no-store"
    response["X-Accel-Buffering"] = "no"
    return response


async def ask_database(question: Callable[[], Answer]) -> Answer:
    """Ask from within a stream: in turns, where many want to know at once, and without keeping a connection."""

    def ask() -> Answer:
        try:
            return question()
        finally:
            close_connections()

    return await sync_to_async(ask, thread_sensitive=False, executor=_askers)()


def close_connections() -> None:
    """Give this thread's connection back, before it waits for something else."""
    own = connections[DEFAULT_DB_ALIAS]
    # An open transaction is somebody else's.
    if own.connection is not None and not own.in_atomic_block:
        own.close()


async def _stream(chunks: AsyncGenerator[bytes, None]) -> AsyncIterator[bytes]:
    # Without a first byte some servers hold the headers back, and the browser does not know that it is connected.
    yield HEARTBEAT
    async with aclosing(chunks):
        with suppress(StreamGone):
            async for chunk in chunks:
                yield chunk


def _key(stream: str) -> str:
    return f"stream:{stream}"


def _write(connection: Redis, entries: Sequence[tuple[str, dict[str, str]]]) -> list[str]:
    with connection.pipeline(transaction=False) as pipe:
        for stream, fields in entries:
            pipe.xadd(_key(stream), fields, maxlen=LONGEST, approximate=True)  # type: ignore[arg-type]
            pipe.expire(_key(stream), KEEP_SECONDS)
        return [str(answer) for answer in pipe.execute()[::2]]


def _event(entry: str, fields: Sequence[str] | dict[str, str]) -> Event:
    named = fields if isinstance(fields, dict) else dict(zip(fields[::2], fields[1::2], strict=True))
    return Event(entry, named.get("event", ""), named.get("data", ""), named.get("id", ""), "last" in named)


def _json(data: Any) -> str:
    try:
        return orjson.dumps(data, option=orjson.OPT_UTC_Z | orjson.OPT_NON_STR_KEYS).decode()
    except orjson.JSONEncodeError:
        # Half a surrogate pair, say, where a model's words were cut: escaped, it harms nobody.
        return json.dumps(data)
