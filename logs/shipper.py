"""Ships what waits in the spool to PostgreSQL: raw bytes by COPY, each row exactly once.

A batch of lines and the positions behind them are one transaction, so what is in the table and how far a segment has
been read cannot disagree, whoever is killed when. Nothing is parsed here. A line that PostgreSQL refuses is kept as a
RejectedLine; a row that is there already, under its own id, is left alone.
"""

import fcntl
import re
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cache
from pathlib import Path
from threading import Event
from typing import IO
from uuid import UUID

import structlog
from django.apps import apps
from django.conf import settings
from django.db import DatabaseError, InterfaceError, connection, transaction
from django.utils import timezone

from core.spool import SUFFIX, UNFINISHED
from logs.models import RejectedLine, ShippedSegment
from logs.segments import SHIPPED, Piece, read_piece, remove_stray, segments_in

POLL_SECONDS, LONGEST_PAUSE = 0.3, 5.0
# Where so much comes at once, it is left to gather for longer: a batch costs the same whatever is in it.
BUSY_BYTES, BUSY_SECONDS = 16 * 1024, 1.0
# How long the last look may take when the process is asked to end.
LAST_LOOK_SECONDS = 5.0
BATCH_BYTES = 1024 * 1024
# Of spools that were thrown away before they were shipped.
KEEP_POSITIONS = timedelta(days=30)
# The classes of errors that a line brings about: data, integrity, limits, and what a trigger raises. All others are
# the state of the server, and pass.
LINES_FAULT = ("21", "22", "23", "54", "P0")
UNIQUE_VIOLATION = "23505"
# The tables have no checks of their own: this is a month being made under a row on its way to the default partition.
MONTH_IS_BEING_MADE = "23514"
LINE = re.compile(rb"[^\n]*\n")

ADD = """
INSERT INTO logs_shippedsegment (id, position, moved_at) SELECT unnest(%s::uuid[]), 0, now() ON CONFLICT DO NOTHING
"""
MOVE = """
UPDATE logs_shippedsegment AS shipped SET position = piece.after, moved_at = now()
FROM unnest(%s::uuid[], %s::bigint[], %s::bigint[]) AS piece (id, before, after)
WHERE shipped.id = piece.id AND shipped.position = piece.before
"""

logger = structlog.get_logger(__name__)


class NotAllTaken(Exception):
    """PostgreSQL took fewer lines than it was given."""


class Moved(Exception):
    """Somebody else has shipped from these segments."""


@dataclass(slots=True)
class Batch:
    """Pieces of segments that go into the same columns."""

    table: str
    columns: tuple[str, ...]
    pieces: list[Piece] = field(default_factory=list)

    @property
    def size(self) -> int:
        return sum(len(piece.lines) for piece in self.pieces)


class Shipper:
    """The one reader of a spool."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        # Kept between two looks; None where only the database knows.
        self.positions: dict[UUID, int] | None = None
        self.pause = POLL_SECONDS
        self.passed_over: set[Path] = set()

    def run(self, stop: Event) -> None:
        """Ship until asked to stop, then once more what has come in the meantime."""
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with open(self.folder / "shipper.lock", "w") as lock:
            if not _is_alone(lock, stop):
                return
            while not stop.is_set():
                shipped = self._attempt(enough=stop.is_set)
                stop.wait(self._pause_after(shipped))
            last = time.monotonic() + LAST_LOOK_SECONDS
            self._attempt(enough=lambda: time.monotonic() > last)

    def _pause_after(self, shipped: int) -> float:
        if shipped >= BATCH_BYTES:
            return 0.0
        return BUSY_SECONDS if shipped >= BUSY_BYTES else self.pause

    def _attempt(self, *, enough: Callable[[], bool]) -> int:
        """One look; while the database is away, later and later ones."""
        try:
            shipped = self.ship(enough=enough)
        except (Moved, DatabaseError, InterfaceError) as error:
            if self.pause == POLL_SECONDS:
                logger.warning("shipper_waits", error=type(error).__name__, reason=_state(error))
            self.positions, self.pause = None, min(self.pause * 2, LONGEST_PAUSE)
            connection.close()
            return 0
        if self.pause > POLL_SECONDS:
            logger.info("shipper_goes_on")
            self.pause = POLL_SECONDS
        return shipped

    def ship(self, *, enough: Callable[[], bool] = lambda: False) -> int:
        """Look at every segment once, and say how many bytes of rows were shipped."""
        files = segments_in(self.folder)
        self._forget(files[SHIPPED])
        for path in files[UNFINISHED]:
            with suppress(FileNotFoundError):
                remove_stray(path, now=time.time())
        if self.positions is None:
            self.positions = _kept_positions(files[SUFFIX])
        shipped = 0
        for batch in _batches(self._pieces(files[SUFFIX])):
            self._ship_batch(batch)
            shipped += batch.size
            if enough():
                break
        return shipped

    def _forget(self, paths: list[Path]) -> None:
        # In this order, whatever happens in between: a file that is left over leads here again.
        if paths:
            ShippedSegment.objects.filter(id__in=[path.stem for path in paths]).delete()
        for path in paths:
            path.unlink(missing_ok=True)

    def _pieces(self, paths: list[Path]) -> Iterator[Piece]:
        for path in paths:
            piece = self._piece(path)
            if piece and piece.has_news:
                yield piece
            elif piece and piece.last:
                self._finish(piece)

    def _piece(self, path: Path) -> Piece | None:
        try:
            piece = read_piece(path, (self.positions or {}).get(UUID(path.stem), 0))
        except FileNotFoundError:
            return None
        except OSError as error:
            self._pass_over(path, type(error).__name__)
            return None
        if piece.has_news and not _is_known(piece.table, piece.columns):
            self._pass_over(path, "It is not for a log table that is known here.")
            return None
        return piece

    def _pass_over(self, path: Path, reason: str) -> None:
        # Not removed: a newer release may have written it, and its own shipper will know what it is for.
        if path not in self.passed_over:
            self.passed_over.add(path)
            logger.error("segment_passed_over", segment=path.stem, reason=reason)

    def _ship_batch(self, batch: Batch) -> None:
        try:
            with transaction.atomic():
                _copy(batch, [piece.lines for piece in batch.pieces])
                _note(batch.pieces)
        except (DatabaseError, NotAllTaken) as error:
            if not _is_lines_fault(error):
                raise
            with transaction.atomic():
                for piece in batch.pieces:
                    _copy_what_fits(batch, piece, piece.start, LINE.findall(piece.lines))
                _note(batch.pieces)
        for piece in batch.pieces:
            self.positions[piece.id] = piece.end  # type: ignore[index]
            if piece.last:
                self._finish(piece)

    def _finish(self, piece: Piece) -> None:
        with suppress(FileNotFoundError):
            piece.path.rename(piece.path.with_suffix(SHIPPED))
        if self.positions:
            self.positions.pop(piece.id, None)


def _is_alone(lock: IO[str], stop: Event) -> bool:
    """Wait until no other process ships from this spool."""
    while not stop.is_set():
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            stop.wait(POLL_SECONDS)
        else:
            return True
    return False


def _kept_positions(paths: list[Path]) -> dict[UUID, int]:
    here = [path.stem for path in paths]
    lost = ShippedSegment.objects.filter(moved_at__lt=timezone.now() - KEEP_POSITIONS)
    lost.exclude(id__in=here).delete()
    return dict(ShippedSegment.objects.filter(id__in=here).values_list("id", "position"))


def _is_known(table: str, columns: tuple[str, ...]) -> bool:
    return table in settings.LOG_TABLES and set(columns) <= _columns_of(table)


@cache
def _columns_of(table: str) -> set[str]:
    model = next(model for model in apps.get_models() if model._meta.db_table == table)
    return {field.column for field in model._meta.concrete_fields if field.column}


def _batches(pieces: Iterable[Piece]) -> Iterator[Batch]:
    filling: dict[tuple[str, tuple[str, ...]], Batch] = {}
    for piece in pieces:
        key = (piece.table, piece.columns)
        batch = filling.setdefault(key, Batch(*key))
        batch.pieces.append(piece)
        if batch.size >= BATCH_BYTES:
            yield filling.pop(key)
    yield from filling.values()


def _copy(batch: Batch, texts: list[bytes]) -> None:
    columns = ", ".join(map(connection.ops.quote_name, batch.columns))
    statement = f"COPY {connection.ops.quote_name(batch.table)} ({columns}) FROM STDIN"
    with connection.cursor() as cursor, connection.wrap_database_errors:
        with cursor.copy(statement) as copy:
            for text in texts:
                copy.write(text)
        # A line may end the whole of it, unseen.
        if cursor.rowcount != sum(text.count(b"\n") for text in texts):
            raise NotAllTaken


def _copy_what_fits(batch: Batch, piece: Piece, start: int, lines: list[bytes]) -> None:
    """Halve what is refused until the lines that are to blame stand alone."""
    try:
        with transaction.atomic():
            _copy(batch, [b"".join(lines)])
    except (DatabaseError, NotAllTaken) as error:
        if not _is_lines_fault(error):
            raise
        if len(lines) > 1:
            middle = len(lines) // 2
            _copy_what_fits(batch, piece, start, lines[:middle])
            _copy_what_fits(batch, piece, start + sum(map(len, lines[:middle])), lines[middle:])
        elif _state(error) != UNIQUE_VIOLATION:
            _reject(piece, start, lines[0], str(error).strip().partition("\n")[0] or type(error).__name__)


def _note(pieces: list[Piece]) -> None:
    """Move the positions behind what was shipped, unless somebody else already has."""
    for piece in pieces:
        for line in piece.torn:
            _reject(piece, piece.end, line, "It was not finished.")
    with connection.cursor() as cursor:
        if new := [piece.id for piece in pieces if not piece.before]:
            cursor.execute(ADD, [new])
        columns = zip(*((piece.id, piece.before, piece.end) for piece in pieces), strict=True)
        cursor.execute(MOVE, [list(column) for column in columns])
        if cursor.rowcount != len(pieces):
            raise Moved


def _reject(piece: Piece, position: int, line: bytes, error: str) -> None:
    text = line.decode("utf-8", "backslashreplace").replace("\0", "").rstrip("\n")
    RejectedLine.objects.create(segment=piece.id, position=position, table=piece.table, line=text, error=error[:500])
    # Not the error, which quotes the line.
    logger.error("line_rejected", segment=piece.path.stem, position=position, table=piece.table)


def _is_lines_fault(error: Exception) -> bool:
    state = _state(error) or ""
    return isinstance(error, NotAllTaken) or (state.startswith(LINES_FAULT) and state != MONTH_IS_BEING_MADE)


def _state(error: BaseException) -> str | None:
    return getattr(error.__cause__, "sqlstate", None)
