"""Whoever works on something says so every few seconds: so a lease can be short, and a dead worker is soon found out.

One thread a process renews all of its leases in one statement. A stage that holds on for longer than its patience is
not spoken for any more: it hangs, and somebody else takes over.
"""

import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from uuid import UUID

import structlog
from django.db import connection

from analysis import engine

logger = structlog.get_logger(__name__)


class Leases:
    """What this process holds, and until when it speaks for it."""

    def __init__(self, *, renew: Callable[[dict[UUID, int]], None], seconds: Callable[[], float]) -> None:
        self._extend, self._seconds = renew, seconds
        self._held: dict[UUID, tuple[int, float]] = {}
        self._lock = threading.Lock()
        self._process = 0

    @contextmanager
    def kept(self, row_id: UUID, fence: int, *, patience: float) -> Iterator[None]:
        with self._lock:
            self._held[row_id] = (fence, time.monotonic() + patience)
            self._start()
        try:
            yield
        finally:
            with self._lock:
                # Another thread may hold it by now, under a later fence.
                if self._held.get(row_id, (0, 0.0))[0] == fence:
                    del self._held[row_id]

    def _start(self) -> None:
        # A thread does not survive a fork.
        if self._process != os.getpid():
            self._process = os.getpid()
            threading.Thread(target=self._renew_for_ever, name="leases", daemon=True).start()

    def _renew_for_ever(self) -> None:
        while True:
            time.sleep(self._seconds() / 3)
            if held := self._spoken_for():
                self._renew(held)

    def _spoken_for(self) -> dict[UUID, int]:
        now = time.monotonic()
        with self._lock:
            return {post: fence for post, (fence, until) in self._held.items() if now < until}

    def _renew(self, held: dict[UUID, int]) -> None:
        try:
            self._extend(held)
        except Exception as problem:  # noqa: BLE001  # whatever it is: without this thread all that is held here is lost
            # The next turn tries again; should that be too late, the fence decides.
            logger.warning("leases_not_renewed", error=type(problem).__name__)
        finally:
            # One more connection for each process would be held for what is asked every few seconds.
            connection.close()


leases = Leases(renew=engine.renew, seconds=lambda: engine.lease().total_seconds())
