"""Storing deliveries, each once: those that come at the same moment in one statement, with one commit for all of them.

Whoever comes first writes. Who comes meanwhile waits for that, and one of them then writes for all who waited, so
nobody waits for more to come, and a single delivery is stored as fast as ever.
"""

import threading
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from operator import itemgetter
from typing import Any
from uuid import UUID

from django.db import Error as DatabaseProblem

from core.statements import ask

# In one statement: each number of rows is one of its own to PostgreSQL, which keeps it prepared.
MOST = 16
# What is given for each: the event's id, its provider, delivery id, type, body, headers, and what it is about.
ROW = "(%s, %s, %s, %s, %s, %s, %s, now(), 'received', 0, now(), '')"
# It answers the ids of those that are new.
INSERT = """
INSERT INTO billing_billingevent
    (id, provider, delivery_id, type, body, headers, about, created_at, state, attempts, run_after, error)
VALUES {rows} ON CONFLICT DO NOTHING RETURNING id
"""

DELIVERY = itemgetter(1, 2)
# One that was given up waits anew. Only of copies: whatever is new is stored by the one statement above.
REVIVE = """
UPDATE billing_billingevent SET state = 'received', attempts = 0, run_after = now(), error = ''
WHERE provider = %s AND delivery_id = %s AND state = 'failed' RETURNING id
"""


@dataclass(slots=True)
class Slip:
    """A delivery on its way into the table."""

    row: tuple[Any, ...]
    is_open: bool = True
    is_new: bool | None = None  # none: not stored, for whatever reason


class Storing:
    """What the threads of this process have to store."""

    def __init__(self) -> None:
        self._waiting: deque[Slip] = deque()
        self._turn = threading.Lock()

    def store(self, row: tuple[Any, ...]) -> bool:
        """Whether it was new; it is committed by then."""
        slip = Slip(row)
        self._waiting.append(slip)
        with self._turn:
            while slip.is_open:
                self._write()
        return bool(insert([row])) if slip.is_new is None else slip.is_new

    def _write(self) -> None:
        slips = [self._waiting.popleft() for _ in range(min(len(self._waiting), MOST))]
        for slip in slips:
            slip.is_open = False
        try:
            new = insert([slip.row for slip in slips])
        except DatabaseProblem:
            return  # each tries by itself, so that one which cannot be stored is nobody else's trouble
        for slip in slips:
            slip.is_new = slip.row[0] in new


@cache
def _statement(count: int) -> str:
    return INSERT.format(rows=", ".join([ROW] * count))


def insert(rows: Sequence[tuple[Any, ...]]) -> set[UUID]:
    """Everywhere in one order: two processes with the same copies would else wait for each other."""
    in_order = sorted(rows, key=DELIVERY)
    return {found for (found,) in ask(_statement(len(rows)), [value for row in in_order for value in row])}


def revive(provider: str, delivery_id: str) -> UUID | None:
    """The event's id, where it was given up."""
    return next((found for (found,) in ask(REVIVE, [provider, delivery_id])), None)


store = Storing().store
