"""Telling the workers that events have come, without holding up who sent them. The rows are the truth, this is a bell.

To describe and send one message takes longer than to verify and store what it is about. So a thread does it for the
whole process, a moment later, and many are told of in one message. What is lost with it the sweeper finds.
"""

import os
import threading
import time
from uuid import UUID

import structlog

from core.queue import enqueue

# The tasks: what is to be done about one event, and what hands several out.
ONE, SEVERAL = "billing.process_event", "billing.hand_out"
MOMENT_SECONDS = 0.1
# Up to so many are told of one by one, which spares each the way over another task.
FEW = 4
MANY = 200

logger = structlog.get_logger(__name__)


class Bell:
    """The events that this process has not told the workers of yet."""

    def __init__(self) -> None:
        self._owed: list[UUID] = []
        self._lock = threading.Lock()
        self._some = threading.Event()
        self._process = 0

    def ring(self, event_id: UUID) -> None:
        with self._lock:
            self._owed.append(event_id)
            self._start()
            if len(self._owed) == 1:
                self._some.set()

    def _start(self) -> None:
        # A thread does not survive a fork.
        if self._process != os.getpid():
            self._process = os.getpid()
            threading.Thread(target=self._tell_for_ever, name="billing-bell", daemon=True).start()

    def _tell_for_ever(self) -> None:
        while self._some.wait():
            time.sleep(MOMENT_SECONDS)
            self._some.clear()
            with self._lock:
                owed, self._owed = self._owed, []
            try:
                tell(owed)
            except Exception as problem:  # noqa: BLE001  # whatever it is: without this thread nobody is told any more
                logger.warning("bell_not_rung", error=type(problem).__name__)


def tell(owed: list[UUID]) -> None:
    if len(owed) <= FEW:
        _send_each(owed)
        return
    for start in range(0, len(owed), MANY):
        if not enqueue(SEVERAL, *owed[start : start + MANY]):
            return


def _send_each(owed: list[UUID]) -> None:
    for event_id in owed:
        if not enqueue(ONE, event_id):
            return


ring = Bell().ring
