"""What waits on this machine's disk for the shipper, and whether there is one."""

import fcntl
import time
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from uuid import UUID

from django.conf import settings

from core.spool import SUFFIX
from logs.models import ShippedSegment
from logs.segments import Piece, read_piece, segments_in

# The oldest row is in one of the oldest segments that have something new.
LOOKED_AT = 8
LOCK = "shipper.lock"


@dataclass(frozen=True, slots=True)
class Files:
    """What the spool occupies."""

    segments: int
    bytes: int


def files() -> Files:
    sizes = [_size(path) for path in _segments()]
    return Files(len(sizes), sum(sizes))


def has_shipper() -> bool:
    """Whether a process holds the shipper's lock."""
    try:
        with open(settings.SPOOL_DIR / LOCK) as lock:
            # Let go of at once; a shipper that comes in between tries again.
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False


def oldest_seconds() -> float:
    """How long the oldest row that is not in its table has waited; the database knows how far each segment is."""
    paths = _segments()
    here = [path.stem for path in paths]
    positions = dict(ShippedSegment.objects.filter(id__in=here).values_list("id", "position"))
    pieces = (_piece(path, positions.get(UUID(path.stem), 0)) for path in paths)
    written = [_written_at(piece) for piece in islice((piece for piece in pieces if piece), LOOKED_AT)]
    return max(time.time() - min(written), 0.0) if written else 0.0


def _segments() -> list[Path]:
    return segments_in(settings.SPOOL_DIR)[SUFFIX] if settings.SPOOL_DIR.exists() else []


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def _piece(path: Path, position: int) -> Piece | None:
    try:
        piece = read_piece(path, position)
    except OSError:
        # Shipped and removed meanwhile.
        return None
    return piece if piece.lines and "id" in piece.columns else None


def _written_at(piece: Piece) -> float:
    """The moment in the first line's id, whose first 48 bits are milliseconds; now, where that cannot be read."""
    fields = piece.lines.partition(b"\n")[0].split(b"\t")
    try:
        return (UUID(fields[piece.columns.index("id")].decode()).int >> 80) / 1000
    except (ValueError, IndexError):
        return time.time()
