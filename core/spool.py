"""Rows written down at once and shipped to PostgreSQL later, so that keeping a record costs its request almost nothing.

A process appends to a segment: a file of fixed size, mapped into its memory, in the text form that COPY takes. What is
in the mapping belongs to the kernel, so a process that is killed loses nothing it wrote. A segment is full of zeros
from the start: its place on the disk is taken before a row needs it, and the first zero is where the rows end.

The writer holds a lock on its segment as long as it lives; `logs.shipper` reads, and removes what nobody writes to.
The room is bounded (SPOOL_MAX_MB, and a segment more). Its last eighth, and the end of each segment, are kept for the
rows of what is already under way when `has_room` says no.
"""

import atexit
import errno
import fcntl
import mmap
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from weakref import WeakSet

from django.conf import settings

from core.errors import Unavailable
from core.ids import uuid7

SEGMENT_BYTES = 512 * 1024
RESERVE_BYTES = LONGEST_ROW = 64 * 1024
PROMISED_BYTES = SEGMENT_BYTES - RESERVE_BYTES
SUFFIX, UNFINISHED = ".rows", ".new"
# With a full spool every request asks for room, and each look goes through the folder.
LOOK_AGAIN_SECONDS = 0.2
LOCK_SECONDS = 1.0
# Populated where the system can: all pages at once cost half of what one fault after another does.
MAPPING = mmap.MAP_SHARED | getattr(mmap, "MAP_POPULATE", 0)
# Stands for a null until it is known whether anything has to be escaped.
NULL = "\x01"
ESCAPES = str.maketrans({"\\": r"\\", "\t": r"\t", "\n": r"\n", "\r": r"\r", "\x00": ""})


class SpoolFull(Unavailable):
    """The record of requests has no room left. Please try again shortly."""


class Spool:
    """Where one table's rows wait; each process has a segment of its own."""

    every: "WeakSet[Spool]" = WeakSet()

    def __init__(self, table: str, columns: tuple[str, ...]) -> None:
        self.table, self.columns = table, columns
        self._start_afresh()
        Spool.every.add(self)

    def _start_afresh(self) -> None:
        self._lock = threading.Lock()
        self._path, self._rows = Path(), None  # type: tuple[Path, mmap.mmap | None]
        # Nine digits that only this process's rows have, for those who make ids of their own.
        self.mark = uuid7().hex[-9:]
        self._look_again_at = 0.0

    def append(self, values: tuple[Any, ...]) -> None:
        """Write one row down; SpoolFull where even the reserve is used up."""
        self.write(_line(values))

    def write(self, line: bytes) -> None:
        """The same for a row that is a line already: `escaped` fields with tabs between, and a line break."""
        rows = self._rows
        if rows is None or rows.tell() + len(line) > PROMISED_BYTES:
            self._make_room(len(line))
        try:
            # One step for the interpreter: no thread and no signal handler comes between its bytes.
            self._rows.write(line)  # type: ignore[union-attr]
        except ValueError:
            # Other threads have taken what was left.
            self.write(line)

    def has_room(self) -> bool:
        """Whether a row can be promised: asked before a request is served, so that none is served unrecorded."""
        rows = self._rows
        if rows is not None and rows.tell() <= PROMISED_BYTES:
            return True
        with suppress(SpoolFull), self._alone():
            return self._left() >= RESERVE_BYTES or self._turn()
        return False

    def close(self) -> None:
        """Leave the segment to the shipper, without the zeros that no row has used."""
        with self._alone():
            path, rows = self._path, self._rows
            self._path, self._rows = Path(), None
        if rows:
            rows.close()
            with suppress(FileNotFoundError):
                os.truncate(path, len(path.read_bytes().rstrip(b"\0")))

    def leave_to_parent(self) -> None:
        """After a fork: the segment, and its lock, stay the parent's."""
        if self._rows:
            self._rows.close()
        self._start_afresh()

    def _left(self) -> int:
        return SEGMENT_BYTES - self._rows.tell() if self._rows else 0

    @contextmanager
    def _alone(self) -> Iterator[None]:
        # With a limit, because a signal handler may log something while the code it interrupted is in here.
        if not self._lock.acquire(timeout=LOCK_SECONDS):
            raise SpoolFull(retry_after=1)
        try:
            yield
        finally:
            self._lock.release()

    def _make_room(self, needed: int) -> None:
        with self._alone():
            if self._left() >= RESERVE_BYTES + needed or self._turn() or self._left() >= needed:
                return
            if not self._open(settings.SPOOL_MAX_BYTES):
                raise SpoolFull(retry_after=1)

    def _turn(self) -> bool:
        """Go on in a new segment, if there is room for one without the last eighth."""
        if time.monotonic() < self._look_again_at:
            return False
        opened = self._open(settings.SPOOL_MAX_BYTES * 7 // 8)
        self._look_again_at = 0.0 if opened else time.monotonic() + LOOK_AGAIN_SECONDS
        return opened

    def _open(self, limit: int) -> bool:
        try:
            # The segment before this one is let go when the last thread has written to it: its lock is its mapping's.
            _require_room(limit, besides=self._path)
            self._path, self._rows = _new_segment(self.table, self.columns)
        except OSError:
            return False
        return True


def _require_room(limit: int, *, besides: Path) -> None:
    # Not counting the segment that will be let go of: the shipper cannot remove it before that, however full it is.
    occupied = sum(_size(path) for path in settings.SPOOL_DIR.glob(f"*{SUFFIX}") if path != besides)
    if occupied + SEGMENT_BYTES > limit:
        raise OSError(errno.EDQUOT, "The spool has grown to its limit.")


def _new_segment(table: str, columns: tuple[str, ...]) -> tuple[Path, mmap.mmap]:
    settings.SPOOL_DIR.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = settings.SPOOL_DIR / f"{uuid7()}{UNFINISHED}"
    try:
        rows = _mapped(path, f"{table}\t{','.join(columns)}\n".encode())
        return path.rename(path.with_suffix(SUFFIX)), rows
    except OSError:
        path.unlink(missing_ok=True)
        raise


def _mapped(path: Path, header: bytes) -> mmap.mmap:
    with open(path, "x+b", buffering=0) as file:
        # Held before the shipper can see the rows: it takes a segment without it for abandoned.
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if file.write(header + bytes(SEGMENT_BYTES - len(header))) != SEGMENT_BYTES:
            raise OSError(errno.ENOSPC, "The disk is full.")
        # The mapping has a descriptor of its own, so that the lock outlives this one.
        rows = mmap.mmap(file.fileno(), SEGMENT_BYTES, flags=MAPPING)
    rows.seek(len(header))
    return rows


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def _line(values: tuple[Any, ...]) -> bytes:
    """The row as COPY reads it, quickly where nothing in it needs escaping."""
    text = "\0".join([value if type(value) is str else NULL if value is None else str(value) for value in values])
    odd = "\\" in text or "\n" in text or "\t" in text or "\r" in text or text.count("\0") >= len(values)
    if odd or text.count(NULL) != values.count(None):
        text = "\0".join(map(escaped, values))
    else:
        text = text.replace(NULL, r"\N")
    line = (text.replace("\0", "\t") + "\n").encode("utf-8", "replace")
    if len(line) > LONGEST_ROW:
        raise ValueError(f"A row of {len(line)} bytes is too long for the spool.")
    return line


def escaped(value: Any) -> str:
    """A field as COPY reads it."""
    return r"\N" if value is None else str(value).translate(ESCAPES)


def _close_all() -> None:
    for spool in list(Spool.every):
        with suppress(SpoolFull, OSError):
            spool.close()


def _leave_all_to_parent() -> None:
    for spool in list(Spool.every):
        spool.leave_to_parent()


atexit.register(_close_all)
os.register_at_fork(after_in_child=_leave_all_to_parent)
