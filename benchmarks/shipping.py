"""P4: what it costs to bring a row of the access log to PostgreSQL, and how long it takes."""

import contextlib
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import connection
from psycopg import Cursor

from analytics.middleware import COLUMNS
from benchmarks.machine import SERVER_CORE, can_pin, cpu_of, on_server_core
from benchmarks.measure import Cost, Figure, Line, cost_of, microseconds, ratios, rounds
from benchmarks.servers import ROOT
from core.ids import uuid7
from core.spool import Spool
from logs.shipper import Shipper

LINES = {
    "P4": Line("shipping a row / a single INSERT, client side", "x CPU", target=0.05, red=0.05),
    "P4 steady": Line("the same at a steady load, the shipper's waiting included", "x CPU", target=0.05, red=0.2),
    "P4 visible": Line("from written down to visible, p99", "s", target=2, red=2),
}
ROWS, INSERTS = 3_000, 300
STEADY_SECONDS, STEADY_ROWS, TICK_SECONDS = 12.0, 1_000, 0.02
TABLE = "analytics_apiaccesslog"
BROWSER = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 Safari/537.36"


def measure(home: Path, wanted: set[str]) -> list[Figure]:
    shipper = Shipper(settings.SPOOL_DIR)
    shipper.ship()
    with on_server_core():
        taken = rounds({"ship": lambda: _ship(shipper), "insert": _insert})
    insert = microseconds(taken, "insert")
    detail = f"ship {microseconds(taken, 'ship'):.1f} us, insert {insert:.0f} us a row"
    with _shipper(home) as process:
        cpu, delays = _steady([process.pid])
    steady = f"{cpu * 1e6:.1f} us a row, at {STEADY_ROWS} rows a second"
    spread = f"median {statistics.median(delays):.2f} s, longest {max(delays):.2f} s"
    return [
        Figure("P4", LINES["P4"], ratios(taken, "ship", "insert"), detail),
        Figure("P4 steady", LINES["P4 steady"], (cpu * 1e6 / insert,), steady),
        Figure("P4 visible", LINES["P4 visible"], (statistics.quantiles(delays, n=100)[98],), spread),
    ]


def _row(mark: str) -> tuple[Any, ...]:
    now = datetime.now(UTC).isoformat()
    return (uuid7().hex, now, "GET", "api/accounts/me/activity/", "200", "712", "192.0.2.7", BROWSER, None, mark, "")


def _ship(shipper: Shipper) -> Cost:
    spool = Spool(TABLE, COLUMNS)
    for _ in range(ROWS):
        spool.append(_row("ship"))
    spool.close()
    return cost_of(shipper.ship, units=ROWS)


def _insert() -> Cost:
    """What the driver alone takes for it, without the ORM: each row a statement that is prepared, and a commit."""
    statement = f"INSERT INTO {TABLE} ({', '.join(COLUMNS)}) VALUES ({', '.join(['%s'] * len(COLUMNS))})"
    rows = [_row("insert") for _ in range(INSERTS)]
    connection.ensure_connection()
    with Cursor(connection.connection) as cursor:
        return cost_of(lambda: [cursor.execute(statement, row, prepare=True) for row in rows], units=INSERTS)


@contextlib.contextmanager
def _shipper(home: Path) -> Iterator[subprocess.Popen[bytes]]:
    command = [sys.executable, "-m", "django", "ship_logs"]
    with open(home / "shipper.log", "wb") as output:
        process = subprocess.Popen(command, cwd=ROOT, stdout=output, stderr=output)
    try:
        if can_pin():
            os.sched_setaffinity(process.pid, {SERVER_CORE})
        yield process
    finally:
        process.terminate()
        process.wait(timeout=30)


def _steady(pids: list[int]) -> tuple[float, list[float]]:
    """The shipper's CPU for a row, and how long each row took until others saw it."""
    spool, written, delays = Spool(TABLE, COLUMNS), [], []
    _write(spool, "warm up", 1)
    while not _seen("warm up"):
        time.sleep(TICK_SECONDS)
    before, start = cpu_of(pids), time.monotonic()
    while len(delays) < STEADY_SECONDS * STEADY_ROWS:
        due = min((time.monotonic() - start) * STEADY_ROWS, STEADY_SECONDS * STEADY_ROWS)
        written += _write(spool, "steady", int(due) - len(written))
        now = time.monotonic()
        delays += [now - each for each in written[len(delays) : _seen("steady")]]
        time.sleep(TICK_SECONDS)
    spool.close()
    return (cpu_of(pids) - before) / len(delays), delays


def _write(spool: Spool, mark: str, count: int) -> list[float]:
    for _ in range(count):
        spool.append(_row(mark))
    return [time.monotonic()] * count


def _seen(mark: str) -> int:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT count(*) FROM {TABLE} WHERE request_id = %s", [mark])
        return int(cursor.fetchone()[0])
