"""A segment of a spool as its reader sees it: whole lines up to the first zero, and whether anybody still writes."""

import fcntl
import os
import re
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

from core.spool import SUFFIX, UNFINISHED

# All of it is in the table; only its name and its position are still here.
SHIPPED = ".done"
BLOCK_BYTES = 64 * 1024
# More than a segment holds, so that one read is all of it.
READ_BYTES = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Piece:
    """What is new in a segment."""

    path: Path
    table: str
    columns: tuple[str, ...]
    # How far it was shipped before, where the new lines begin and end, and how far it will have been shipped.
    before: int
    start: int
    lines: bytes
    # What a killed writer did not finish, and the holes that a power cut leaves.
    torn: tuple[bytes, ...]
    # Nobody writes to it any more, and this is the rest of it.
    last: bool

    @property
    def id(self) -> UUID:
        return UUID(self.path.stem)

    @property
    def end(self) -> int:
        return self.start + len(self.lines)

    @property
    def has_news(self) -> bool:
        return bool(self.lines or self.torn)


def read_piece(path: Path, before: int) -> Piece:
    with open(path, "rb", buffering=0) as file:
        # Asked first: what is read after its writer has ended is all there will ever be.
        abandoned = is_abandoned(file.fileno())
        table, columns, header = _header(os.pread(file.fileno(), BLOCK_BYTES, 0))
        start = max(before, header)
        written = _written(file.fileno(), start)
        lines = written[: written.rfind(b"\n") + 1]
        last = abandoned and len(written) < READ_BYTES
        torn = _torn(file.fileno(), start + len(lines)) if last else ()
        return Piece(path, table, columns, before, start, lines, torn, last)


def is_abandoned(file: int) -> bool:
    """Whether its writer has let go of it, or died; nobody ever takes it up again."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def remove_stray(path: Path, *, now: float, age: float = 60.0) -> None:
    """Remove what a killed writer had begun to make."""
    with open(path, "rb") as file:
        # A young one may be about to be locked.
        if now - path.stat().st_mtime > age and is_abandoned(file.fileno()):
            path.unlink()


def segments_in(folder: Path) -> dict[str, list[Path]]:
    """The files of a spool by what they are, the oldest first."""
    found: dict[str, list[Path]] = {SUFFIX: [], UNFINISHED: [], SHIPPED: []}
    for path in sorted(folder.iterdir()) if folder.exists() else ():
        if path.suffix in found and re.fullmatch(r"[0-9a-f-]{36}", path.stem):
            found[path.suffix].append(path)
    return found


def _header(beginning: bytes) -> tuple[str, tuple[str, ...], int]:
    line, found, _ = beginning.partition(b"\n")
    table, _, columns = line.decode("utf-8", "replace").partition("\t")
    return table.strip("\0"), tuple(columns.split(",")), len(line) + 1 if found else 0


def _written(file: int, start: int) -> bytes:
    blocks: list[bytes] = []
    while len(blocks) * BLOCK_BYTES < READ_BYTES and (block := os.pread(file, BLOCK_BYTES, start)):
        end = block.find(b"\0")
        blocks.append(block if end < 0 else block[:end])
        if end >= 0:
            break
        start += len(block)
    return b"".join(blocks)


def _torn(file: int, start: int) -> tuple[bytes, ...]:
    rest = os.pread(file, os.fstat(file).st_size, start)
    return tuple(line for line in re.split(rb"[\0\n]+", rest) if line)
