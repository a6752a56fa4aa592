"""The spool: what is written down stays, and what has no room is refused before it is promised."""

import fcntl
import subprocess
import sys
import threading
import time
from contextlib import suppress
from itertools import chain, count
from pathlib import Path

import pytest

from core.spool import LOOK_AGAIN_SECONDS, RESERVE_BYTES, SEGMENT_BYTES, Spool, SpoolFull

ROOT = Path(__file__).resolve().parents[2]
WRITER = """
import os, pathlib, signal, sys
from django.conf import settings
settings.configure(SPOOL_DIR=pathlib.Path(sys.argv[1]), SPOOL_MAX_BYTES=2**24)
from core.spool import Spool
spool = Spool("things", ("id", "words"))
"""
KILLED = "for n in range(4000): spool.append((n, 'x' * 300))\nos.kill(os.getpid(), signal.SIGKILL)"
ENDED = "spool.append((1, 'one'))"
FORKED = """
spool.append((1, "parent"))
if child := os.fork():
    os.waitpid(child, 0)
    spool.append((3, "parent"))
    os.kill(os.getpid(), signal.SIGKILL)
spool.append((2, "child"))
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture
def folder(settings, tmp_path):
    settings.SPOOL_DIR, settings.SPOOL_MAX_BYTES = tmp_path / "spool", 16 * SEGMENT_BYTES
    return settings.SPOOL_DIR


@pytest.fixture
def spool(folder):
    spool = Spool("things", ("id", "words"))
    yield spool
    spool.close()


def segments(folder):
    return sorted(folder.glob("*.rows"))


def rows(folder):
    """What is written, segment by segment, and that each has its header."""
    texts = [path.read_bytes().rstrip(b"\0").decode() for path in segments(folder)]
    assert all(text.startswith("things\tid,words\n") for text in texts)
    return [[tuple(line.split("\t")) for line in text.splitlines()[1:]] for text in texts]


def all_rows(folder):
    return list(chain.from_iterable(rows(folder)))


def run(code, folder):
    return subprocess.run([sys.executable, "-c", WRITER + code, str(folder)], cwd=ROOT, check=False).returncode


def fill(spool):
    """Append what is promised, until no more is."""
    count = 0
    while spool.has_room():
        spool.append((count, "x" * 1000))
        count += 1
    return count


def fill_up(spool, start):
    """Append what fits, promised or not."""
    numbers = count(start)
    with suppress(SpoolFull):
        while True:
            spool.append((next(numbers), "x" * 1000))
    return next(numbers) - start - 1


def test_rows_outlive_a_process_that_is_killed_right_after_writing_them(folder):
    assert run(KILLED, folder) == -9
    assert len(segments(folder)) == 3
    assert [row[0] for row in all_rows(folder)] == [str(number) for number in range(4000)]


def test_a_process_that_ends_in_order_leaves_no_more_than_its_rows(folder):
    assert run(ENDED, folder) == 0
    assert [path.read_bytes() for path in segments(folder)] == [b"things\tid,words\n1\tone\n"]


def test_a_forked_process_has_a_segment_of_its_own(folder):
    assert run(FORKED, folder) == -9
    assert rows(folder) == [[("1", "parent"), ("3", "parent")], [("2", "child")]]


def test_a_segment_is_locked_for_as_long_as_its_writer_lives(folder, spool):
    spool.append((1, "one"))
    with segments(folder)[0].open("rb") as file:
        with pytest.raises(BlockingIOError):
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        spool.close()
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


def test_a_full_segment_is_let_go_for_the_next_one(folder, spool):
    for number in range(600):
        spool.append((number, "x" * 1000))
    first, second = segments(folder)
    with first.open("rb") as full, second.open("rb") as current:
        fcntl.flock(full, fcntl.LOCK_EX | fcntl.LOCK_NB)
        with pytest.raises(BlockingIOError):
            fcntl.flock(current, fcntl.LOCK_EX | fcntl.LOCK_NB)


def test_threads_do_not_tear_each_others_lines(folder, spool):
    def write(name):
        for number in range(1500):
            spool.append((f"{name}-{number}", name * 100))

    threads = [threading.Thread(target=write, args=(name,)) for name in "abcdefgh"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = all_rows(folder)
    assert {(f"{name}-{number}", name * 100) for name in "abcdefgh" for number in range(1500)} == set(found)
    assert len(found) == 8 * 1500


def test_nothing_more_is_promised_at_the_limit_but_what_is_under_way_still_fits(settings, folder, spool):
    settings.SPOOL_MAX_BYTES = 2 * SEGMENT_BYTES
    promised = fill(spool)
    assert len(segments(folder)) == 2
    under_way = fill_up(spool, promised)
    # The end of the second segment, and a third one.
    assert len(segments(folder)) == 3
    assert under_way * 1000 > SEGMENT_BYTES
    assert [int(row[0]) for row in all_rows(folder)] == list(range(promised + under_way))


def test_there_is_room_again_when_segments_are_taken_away(settings, folder, spool):
    settings.SPOOL_MAX_BYTES = 3 * SEGMENT_BYTES
    fill(spool)
    assert not spool.has_room()
    segments(folder)[0].unlink()
    time.sleep(LOOK_AGAIN_SECONDS)
    assert spool.has_room()


def test_a_spool_as_small_as_a_segment_goes_on_when_what_is_full_has_been_taken_away(settings, folder, spool):
    settings.SPOOL_MAX_BYTES = 2 * SEGMENT_BYTES
    for _ in range(3):
        fill(spool)
        segments(folder)[0].unlink()
        time.sleep(LOOK_AGAIN_SECONDS)
        assert spool.has_room()


def test_a_folder_that_cannot_be_written_to_is_a_full_one(settings, tmp_path, spool):
    (tmp_path / "file").touch()
    settings.SPOOL_DIR = tmp_path / "file"
    assert not spool.has_room()
    with pytest.raises(SpoolFull) as full:
        spool.append((1, "one"))
    assert (full.value.status, full.value.code) == (503, "unavailable")


def test_a_signal_handler_that_writes_inside_of_a_write_does_not_hang(spool):
    with spool._alone(), pytest.raises(SpoolFull):
        spool.append((1, "one"))


def test_a_row_longer_than_the_reserve_is_refused(spool):
    with pytest.raises(ValueError, match="too long"):
        spool.append((1, "x" * RESERVE_BYTES))


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("a\tb\\c\nd\re\x00f", r"a\tb\\c\nd\ref"),
        (None, r"\N"),
        (r"\N", r"\\N"),
        ("\x01", "\x01"),
        ("", ""),
        (7, "7"),
        ("half \ud83d of a pair, \u2028, ü", "half ? of a pair, \u2028, ü"),
    ],
)
def test_odd_values_are_written_as_copy_reads_them(folder, spool, value, text):
    spool.append((1, value))
    spool.append((None, value))
    lines = segments(folder)[0].read_bytes().rstrip(b"\0").decode().split("\n")[1:-1]
    assert lines == [f"1\t{text}", f"\\N\t{text}"]
