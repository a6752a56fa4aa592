"""The shipper: every row that was written down lands once, and no line stops the others."""

import fcntl
import os
import threading
import time
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Event

import pytest
from django.db import connection
from django.utils import timezone

from core.ids import uuid7
from core.spool import Spool
from logs.models import AppLog, RejectedLine, ShippedSegment
from logs.shipper import KEEP_POSITIONS, Moved, Shipper

pytestmark = pytest.mark.django_db

COLUMNS = ("id", "created_at", "level", "category", "logger", "message", "metadata", "request_id", "task_id")
HEADER = f"logs_applog\t{','.join(COLUMNS)}\n"


@pytest.fixture
def folder(settings, tmp_path):
    settings.SPOOL_DIR = tmp_path / "spool"
    settings.SPOOL_DIR.mkdir()
    return settings.SPOOL_DIR


@pytest.fixture
def spool(folder):
    with closing(Spool("logs_applog", COLUMNS)) as spool:
        yield spool


@pytest.fixture
def shipper(folder):
    return Shipper(folder)


def row(message, **other):
    fields = {
        "id": uuid7(), "created_at": datetime.now(UTC), "level": "INFO", "category": "SYSTEM", "logger": "tests",
        "message": message, "metadata": "{}", "request_id": "", "task_id": "",
    }  # fmt: skip
    return tuple((fields | other).values())


def line(message, **other):
    return "\t".join(map(str, row(message, **other))) + "\n"


def abandoned(folder, *lines, header=HEADER, zeros=1000):
    """A segment whose writer is gone."""
    path = folder / f"{uuid7()}.rows"
    path.write_bytes((header + "".join(lines)).encode("utf-8", "surrogateescape") + bytes(zeros))
    return path


def messages():
    return sorted(AppLog.objects.values_list("message", flat=True))


def files(folder):
    return [path.name for path in folder.iterdir()]


@pytest.mark.parametrize(
    "text",
    ["a\tb\\c\nd\r\n", r"\N", r"\.", "", "\\", "\x01\x7f\x85\u2028", "ü 语 🙂", "'; DROP TABLE x; --", '{"a": "\\n"}'],
)
def test_odd_text_arrives_as_it_was(spool, shipper, text):
    spool.append(row(text))
    shipper.ship()
    assert messages() == [text]


def test_what_a_text_cannot_hold_is_left_out(spool, shipper):
    spool.append(row("a\x00b \ud83d c", task_id="x\x00"))
    shipper.ship()
    assert AppLog.objects.values_list("message", "task_id").get() == ("ab ? c", "x")


def test_values_that_are_no_text_arrive_too(spool, shipper):
    written = row("one", metadata='{"tokens": [1, null]}')
    spool.append(written)
    shipper.ship()
    log = AppLog.objects.get()
    assert (log.id, log.created_at, log.metadata) == (written[0], written[1], {"tokens": [1, None]})


def test_a_segment_that_is_written_to_is_shipped_as_it_grows(spool, shipper, folder):
    for number in range(5):
        spool.append(row(str(number)))
        shipper.ship()
        shipper.ship()
        assert messages() == [str(each) for each in range(number + 1)]
    assert ShippedSegment.objects.count() == len(files(folder)) == 1


def test_a_segment_that_nobody_writes_to_is_shipped_and_then_gone(spool, shipper, folder):
    for number in range(4000):
        spool.append(row(str(number), metadata='{"x": "' + "x" * 200 + '"}'))
    spool.close()
    assert len(files(folder)) == 3
    shipper.ship()
    shipper.ship()
    assert AppLog.objects.count() == 4000
    assert not ShippedSegment.objects.exists()
    assert files(folder) == []


def test_a_shipper_that_starts_goes_on_where_the_last_one_was(spool, folder):
    spool.append(row("one"))
    Shipper(folder).ship()
    spool.append(row("two"))
    Shipper(folder).ship()
    assert messages() == ["one", "two"]


def test_what_a_killed_shipper_did_not_tidy_up_is_tidied_up(folder, shipper):
    shipped = abandoned(folder, line("one")).rename(folder / f"{uuid7()}.done")
    ShippedSegment.objects.create(id=shipped.stem, position=500, moved_at=timezone.now())
    shipper.ship()
    assert (files(folder), ShippedSegment.objects.count(), messages()) == ([], 0, [])


def test_nothing_lands_twice_when_somebody_else_has_shipped_it(spool, folder, shipper):
    spool.append(row("one"))
    shipper.ship()
    spool.append(row("two"))
    Shipper(folder).ship()
    with pytest.raises(Moved):
        shipper.ship()
    assert messages() == ["one", "two"]


def test_a_row_that_is_there_already_is_left_alone(folder, shipper):
    ids = [{"id": uuid7(), "created_at": datetime.now(UTC)} for _ in range(10)]
    abandoned(folder, *[line(str(number), **ids[number]) for number in range(7)])
    abandoned(folder, *[line(str(number), **ids[number]) for number in range(3, 10)])
    shipper.ship()
    assert messages() == [str(number) for number in range(10)]
    assert not RejectedLine.objects.exists()


@pytest.mark.parametrize(
    "bad",
    [
        line("bad", metadata="{not json"),
        line("bad", id="1"),
        line("bad", created_at="yesterday's"),
        line("\udcff\udcfe"),
        line(r"\N"),
        line("bad").rstrip("\n") + "\tone more\n",
        "too few\n",
        "\\.\n",
        "\n",
        # Longer than an entry of the index may be, which PostgreSQL calls a limit, not a mistake.
        line("bad", request_id="".join(map(str, range(9000)))),
    ],
    ids=["json", "uuid", "time", "bytes", "null", "more", "few", "end", "empty", "long"],
)
def test_a_line_that_is_refused_is_kept_aside_and_stops_no_other(folder, shipper, bad):
    segment = abandoned(folder, *map(line, "abcde"), bad, *map(line, "fgh"))
    abandoned(folder, line("i"))
    shipper.ship()
    assert messages() == list("abcdefghi")
    rejected = RejectedLine.objects.get()
    before = HEADER + "".join(map(line, "abcde"))
    assert (str(rejected.segment), rejected.table, bool(rejected.error)) == (segment.stem, "logs_applog", True)
    assert rejected.position == len(before)
    assert rejected.line == bad.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace").rstrip("\n")


def test_a_line_that_its_writer_could_not_finish_is_kept_aside(folder, shipper):
    abandoned(folder, line("one"), "half a li")
    shipper.ship()
    assert messages() == ["one"]
    assert RejectedLine.objects.get().line == "half a li"
    shipper.ship()
    assert files(folder) == []


def test_what_stands_behind_a_hole_is_kept_aside(folder, shipper):
    # A power cut may have saved the second page of a file and not the first.
    abandoned(folder, line("one"), "\0" * 4096, "lf a line\n", line("three"), header=HEADER)
    abandoned(folder, header="", zeros=5000)
    shipper.ship()
    assert messages() == ["one"]
    assert RejectedLine.objects.count() == 2
    shipper.ship()
    assert files(folder) == []


def test_a_line_that_is_still_being_written_is_waited_for(folder, shipper):
    path = abandoned(folder, line("one"), "half a line", zeros=0)
    with path.open("ab") as writer:
        fcntl.flock(writer, fcntl.LOCK_EX)
        shipper.ship()
        assert messages() == ["one"]
        writer.write(line("!").encode())
    shipper.ship()
    assert RejectedLine.objects.get().line.startswith("half a line")


@pytest.mark.parametrize(
    "header",
    ["accounts_user\tid\n", "logs_applog\tid,nothing_like_it\n", "logs_applog\tid\") FROM PROGRAM 'x' --\n", "rubbish"],
)
def test_a_segment_for_no_log_table_is_passed_over_and_kept(folder, shipper, header):
    kept = abandoned(folder, "1\n", "2\n", header=header)
    abandoned(folder, line("one"))
    shipper.ship()
    shipper.ship()
    assert messages() == ["one"]
    assert files(folder) == [kept.name]


def test_a_file_that_is_no_segment_is_left_alone(folder, shipper):
    (folder / "notes.rows").write_text("mine")
    shipper.ship()
    assert files(folder) == ["notes.rows"]


def test_what_a_killed_writer_had_begun_is_removed_and_what_a_living_one_begins_is_not(folder, shipper):
    old, young, held = (folder / f"{uuid7()}.new" for _ in range(3))
    for path in (old, young, held):
        path.touch()
    for path in (old, held):
        os.utime(path, (time.time() - 100, time.time() - 100))
    with held.open() as writer:
        fcntl.flock(writer, fcntl.LOCK_EX)
        shipper.ship()
        assert sorted(files(folder)) == sorted([young.name, held.name])


def test_positions_of_a_spool_that_is_no_more_are_forgotten_after_a_while(folder, shipper):
    segment = abandoned(folder, line("one"))
    for name, age in {
        segment.stem: KEEP_POSITIONS * 2,
        uuid7(): KEEP_POSITIONS * 2,
        uuid7(): timedelta(days=1),
    }.items():
        ShippedSegment.objects.create(id=name, position=0, moved_at=timezone.now() - age)
    shipper.ship()
    assert ShippedSegment.objects.count() == 2


def run(folder, stop):
    Shipper(folder).run(stop)
    connection.close()


@pytest.mark.django_db(transaction=True, serialized_rollback=True)
def test_only_one_ships_from_a_spool_and_the_next_takes_over(folder, spool):
    stops = [Event(), Event()]
    first, second = (threading.Thread(target=run, args=(folder, stop)) for stop in stops)
    lock = folder / "shipper.lock"
    with lock.open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        first.start()
        stops[0].set()
        first.join()
        second.start()
        spool.append(row("one"))
        time.sleep(0.5)
        assert messages() == []
    wait_for(lambda: messages() == ["one"])
    spool.append(row("two"))
    stops[1].set()
    second.join()
    # Asked to stop, it looks once more.
    assert messages() == ["one", "two"]


def wait_for(holds):
    deadline = time.monotonic() + 10
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_its_lock_lies_in_the_spool(folder):
    stop = Event()
    stop.set()
    Shipper(folder).run(stop)
    assert files(Path(folder)) == ["shipper.lock"]
