"""Telling whoever watches a request that its history has a new row. The row is the truth, this only a bell.

A worker carries many posts at once, and a trip to Redis for each bell would cost half of what the row did. One thread a
process rings for all of them: what comes while it is on its way, or within a moment, goes with its next trip, and a
request is rung for once.
"""

import os
import threading
import time
from uuid import UUID

import structlog

from core import streams

logger = structlog.get_logger(__name__)

# Nobody sees that a bell is this much later; a busy worker makes a tenth of the trips.
MOMENT_SECONDS = 0.05


class Ringer:
    """The bells that this process owes."""

    def __init__(self) -> None:
        self._owed: dict[UUID, int] = {}
        self._lock = threading.Lock()
        self._some = threading.Event()
        self._process = 0

    def ring(self, request_id: UUID, told: int | None) -> None:
        if told is None:
            return
        with self._lock:
            # Whoever hears it reads every row that is new, so the newest is enough.
            self._owed[request_id] = told
            self._start()
        self._some.set()

    def _start(self) -> None:
        # A thread does not survive a fork.
        if self._process != os.getpid():
            self._process = os.getpid()
            threading.Thread(target=self._ring_for_ever, name="bells", daemon=True).start()

    def _ring_for_ever(self) -> None:
        while self._some.wait():
            time.sleep(MOMENT_SECONDS)
            self._some.clear()
            with self._lock:
                owed, self._owed = self._owed, {}
            self._ring_all(owed)

    def _ring_all(self, owed: dict[UUID, int]) -> None:
        entries = [(stream_of(each), streams.fields_of("status", {}, str(told))) for each, told in owed.items()]
        try:
            streams.append_all(entries)
        except Exception as problem:  # noqa: BLE001  # whatever it is: without this thread nobody is rung for any more
            # Whoever watches looks at the rows every few seconds anyway.
            logger.warning("bells_not_rung", error=type(problem).__name__)


def stream_of(request_id: UUID) -> str:
    return f"analysis:{request_id}"


ring = Ringer().ring
