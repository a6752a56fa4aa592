"""Making roll-ups and costs anew from the rows of the logs, a day at a time, while new rows go on coming in.

The counting is done by the triggers that count every day: each day's rows pass once more, through a table of their own.
Days whose rows have been dropped keep what was counted while they were there.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from django.db import connection, transaction
from django.db.backends.utils import CursorWrapper
from psycopg import sql

from analytics.rollups import statement
from logs.partitions import complete_since, ensure_partitions

DAY = timedelta(days=1)
HOURS_KEPT = timedelta(days=90)

LOCK = "LOCK TABLE {tables} IN SHARE ROW EXCLUSIVE MODE"
NEWEST = "SELECT max(created_at) FROM {log}"
FORGET = "DELETE FROM {table} WHERE start >= {day} AND start < {end}"
FORGET_HOURS = "DELETE FROM {table} WHERE period = 'hour' AND start < %s"
COUNT = """
CREATE TEMP TABLE day_again (LIKE {log}) ON COMMIT DROP;
CREATE TRIGGER roll_up AFTER INSERT ON day_again REFERENCING NEW TABLE AS fresh
    FOR EACH STATEMENT EXECUTE FUNCTION {function}('hour', 'day');
INSERT INTO day_again SELECT * FROM {log} WHERE created_at >= {day} AND created_at < {end};
DROP TABLE day_again;
"""
PRICE = """
UPDATE analytics_externalapicalllog SET cost_micros = vendor_cost(vendor, operation, model, units, created_at)
WHERE created_at >= %(day)s AND created_at < %(end)s AND (%(vendor)s = '' OR vendor = %(vendor)s)
    AND cost_micros IS DISTINCT FROM vendor_cost(vendor, operation, model, units, created_at)
"""


@dataclass(frozen=True)
class Log:
    """A log, the function that counts its rows, and where: by hour, day and in all, or by day only."""

    table: str
    function: str
    rollups: tuple[str, ...]
    by_day: tuple[str, ...]
    total: str


REQUESTS = Log(
    table="analytics_apiaccesslog",
    function="roll_up_requests",
    rollups=("analytics_requestrollup", "analytics_latencyrollup"),
    by_day=(),
    total="requests_total_again",
)
VENDOR_CALLS = Log(
    table="analytics_externalapicalllog",
    function="roll_up_vendor_calls",
    rollups=("analytics_vendorrollup",),
    by_day=("analytics_unitrollup", "analytics_spendrollup"),
    total="vendor_calls_total_again",
)


def rebuild_rollups(since: datetime | None = None, *, now: datetime | None = None) -> int:
    """Count every day again whose rows are there, from `since` on, and say how many days that were."""
    ensure_partitions(now)
    days = 0
    for log in (REQUESTS, VENDOR_CALLS):
        for day in _days(log, since, None, now):
            with _held(log) as cursor:
                _count_again(cursor, log, day)
            days += 1
        _total_again(log)
    return days


def recompute_costs(
    since: datetime, until: datetime | None = None, *, vendor: str = "", now: datetime | None = None
) -> int:
    """Give every call the price of its day, as prices are known now, and say how many costs that changed."""
    ensure_partitions(now)
    changed = 0
    for day in _days(VENDOR_CALLS, since, until, now):
        with _held(VENDOR_CALLS) as cursor:
            cursor.execute(PRICE, {"day": day, "end": day + DAY, "vendor": vendor})
            if cursor.rowcount:
                changed += cursor.rowcount
                _count_again(cursor, VENDOR_CALLS, day)
    _total_again(VENDOR_CALLS)
    return changed


def forget_old_hours(now: datetime | None = None) -> int:
    """Days tell enough of what is long ago."""
    until, forgotten = (now or datetime.now(UTC)) - HOURS_KEPT, 0
    with connection.cursor() as cursor:
        for rollup in (*REQUESTS.rollups, *VENDOR_CALLS.rollups):
            cursor.execute(_written(FORGET_HOURS, table=rollup), [until])
            forgotten += cursor.rowcount
    return forgotten


def _days(log: Log, since: datetime | None, until: datetime | None, now: datetime | None) -> Iterator[datetime]:
    """The days whose rows are all there, up to the last that has any."""
    day = complete_since(log.table, now)
    if since and since > day:
        day = since.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    with connection.cursor() as cursor:
        cursor.execute(_written(NEWEST, log=log.table))
        newest = cursor.fetchone()[0]
    while newest and day <= min(newest, until or newest):
        yield day
        day += DAY


@contextmanager
def _held(log: Log) -> Iterator[CursorWrapper]:
    """A transaction in which nobody else counts: who inserts meanwhile waits, and is counted after it."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL statement_timeout = 0")
        cursor.execute(sql.SQL(LOCK).format(tables=sql.SQL(", ").join(map(sql.Identifier, log.rollups + log.by_day))))
        yield cursor


def _count_again(cursor: CursorWrapper, log: Log, day: datetime) -> None:
    span = {"day": sql.Literal(day), "end": sql.Literal(day + DAY)}
    for table in log.rollups + log.by_day:
        cursor.execute(_written(FORGET, table=table, **span))
    cursor.execute(_written(COUNT, log=log.table, function=log.function, **span))


def _total_again(log: Log) -> None:
    with _held(log) as cursor:
        cursor.execute(statement(log.total))


def _written(text: str, **parts: str | sql.Composable) -> sql.Composed:
    made = {name: sql.Identifier(part) if isinstance(part, str) else part for name, part in parts.items()}
    return sql.SQL(text).format(**made)
