"""An answer's live events. Each token says where in the answer it stands, so nobody shows a word twice or misses one.

`token {text, at}`, `citation {evidence_id}`, then `done` or `error {code, message}`. The event id is the number of
characters told so far: Last-Event-ID goes on behind them, out of the stream or, where that is gone, the row.
"""

import os
import threading
import time
from itertools import takewhile
from typing import Any
from uuid import UUID

import orjson

from core import redis, streams

# Words that come faster than this are told together: nobody reads faster, and every telling costs both sides.
PACE = 0.1


def stream_of(message_id: UUID) -> str:
    return f"chat:{message_id}"


def tell(message_id: UUID, event: str, data: dict[str, Any], *, at: int, last: bool = False) -> None:
    streams.append(stream_of(message_id), event, data, event_id=str(at), last=last)


def words_told(message_id: UUID) -> list[tuple[int, str]]:
    """What was told of an answer up to its last event, each with its place; nothing where that cannot be known."""
    try:
        events = streams.read(stream_of(message_id))
    except redis.RedisAway:
        return []
    heard = takewhile(lambda event: not event.last, events)
    told = (orjson.loads(event.data) for event in heard if event.name == "token")
    return [(data["at"], data["text"]) for data in told]


def gone_on(text: str, told: list[tuple[int, str]]) -> str:
    """A text, and what was told behind it: up to where words were lost, for nobody was shown what comes after."""
    for at, words in told:
        if at <= len(text):
            text += words[len(text) - at :]
    return text


class Voice:
    """Who tells one answer's words: the first at once, those that follow fast a moment later, together."""

    def __init__(self, message_id: UUID) -> None:
        self.message_id, self.place, self.held = message_id, 0, ""
        self.quiet_until = 0.0

    def say(self, words: str) -> None:
        with _choir.lock:
            self.held += words
            if time.monotonic() < self.quiet_until:
                _choir.wait_for(self)
            else:
                _choir.tell(self)

    def flush(self) -> None:
        with _choir.lock:
            _choir.tell(self)

    def take(self) -> tuple[str, dict[str, str]]:
        """What it holds, as an entry of its stream."""
        data, self.place = {"text": self.held, "at": self.place}, self.place + len(self.held)
        self.held, self.quiet_until = "", time.monotonic() + PACE
        return stream_of(self.message_id), streams.fields_of("token", data, str(self.place))


class Choir:
    """The voices of this process that hold words back, and the thread that tells them all in one trip."""

    def __init__(self) -> None:
        # Held while Redis is written to: whatever is told of an answer comes after what was told of it before.
        self.lock = threading.Lock()
        self._waiting: set[Voice] = set()
        self._some_wait = threading.Event()
        self._process = 0

    def wait_for(self, voice: Voice) -> None:
        self._waiting.add(voice)
        self._some_wait.set()
        # A thread does not survive a fork.
        if self._process != os.getpid():
            self._process = os.getpid()
            threading.Thread(target=self._tell_for_ever, name="choir", daemon=True).start()

    def tell(self, *voices: Voice) -> None:
        self._waiting.difference_update(voices)
        if entries := [voice.take() for voice in voices if voice.held]:
            streams.append_all(entries)

    def _tell_for_ever(self) -> None:
        while self._some_wait.wait():
            time.sleep(PACE)
            with self.lock:
                self._some_wait.clear()
                self.tell(*self._waiting)


_choir = Choir()
