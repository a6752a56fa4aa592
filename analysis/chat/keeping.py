"""Writes down what the answers of this process have said so far, by the clock: a model may pause behind any word.

One thread does that for all of them, so that whoever listens to a model waits neither for the database nor, where that
is away for a moment, breaks off: the next turn tries again.
"""

import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import structlog
from django.db import connection

from analysis.chat.ending import OPEN, TABLE
from analysis.chat.models import ChatMessage
from core.statements import ask

# How much a crash of Redis and worker together may cost.
FLUSH_SECONDS = 0.5
# Said in full, not through the ORM: every answer that takes its time writes down with it what it said.
WRITE_DOWN = f"""
    UPDATE {TABLE} SET content = %(text)s, provider = %(provider)s, model = %(model)s, prompt_version = %(version)s
    {OPEN} AND fence = 1 RETURNING id
"""  # noqa: S608

log = structlog.get_logger(__name__)


@dataclass(kw_only=True, eq=False)
class Draft:
    """An answer as far as it has come."""

    message: ChatMessage
    text: str = ""
    provider: str = ""
    model: str = ""
    version: str = ""
    # Nobody waits for it any more: it was cancelled, or given up.
    is_stopped: bool = False
    is_written: bool = True

    def columns(self) -> dict[str, Any]:
        known = {name: getattr(self, name) for name in ("text", "provider", "model", "version")}
        return {"message": self.message.pk, **known}


class Keeper:
    """The drafts of this process, and the thread that writes them down."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._drafts: set[Draft] = set()
        self._has_news = threading.Event()
        self._process = 0

    @contextmanager
    def kept(self, draft: Draft) -> Iterator[None]:
        with self._lock:
            self._drafts.add(draft)
            self._start()
        try:
            yield
        finally:
            with self._lock:
                self._drafts.discard(draft)
            # It may have been the last one, and then the thread's connection is of no use.
            self._has_news.set()

    def note(self, draft: Draft) -> None:
        """It has said something, or would have; whether it was stopped shows at the same time."""
        draft.is_written = False
        self._has_news.set()

    def _start(self) -> None:
        # A thread does not survive a fork.
        if self._process != os.getpid():
            self._process = os.getpid()
            threading.Thread(target=self._keep_for_ever, name="keeper", daemon=True).start()

    def _keep_for_ever(self) -> None:
        while self._has_news.wait():
            time.sleep(FLUSH_SECONDS)
            self._has_news.clear()
            with self._lock:
                drafts = [*self._drafts]
            for draft in drafts:
                self._write_down(draft)
            if not drafts:
                connection.close()

    def _write_down(self, draft: Draft) -> None:
        if draft.is_written:
            return
        draft.is_written = True
        try:
            draft.is_stopped = not ask(WRITE_DOWN, draft.columns())
        except Exception as problem:  # noqa: BLE001  # whatever it is: without this thread nothing is written down
            log.warning("answer_not_written_down", message=str(draft.message.pk), error=type(problem).__name__)
            connection.close()
            self.note(draft)


keeper = Keeper()
