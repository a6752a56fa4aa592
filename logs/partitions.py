"""The months that the log tables consist of: made ahead, filled from the default partition, dropped when they are old.

A row whose month has no partition lands in the default one and waits there until `ensure_partitions` makes its month.
Rows move below the parent, whose triggers do not see it, so that nothing is counted twice.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime

import structlog
from django.conf import settings
from django.db import OperationalError, connection, transaction
from psycopg import sql

MONTHS_AHEAD = 3
# One at a time, whoever asks: beat, the health check, a migration.
ADVISORY_LOCK = 0x77687972
# Writers wait for as long as we wait, so it is short: whoever asks next tries again.
LOCK_TIMEOUT = "2s"

EXISTING = """
SELECT parent.relname, child.relname
FROM pg_inherits JOIN pg_class parent ON parent.oid = inhparent JOIN pg_class child ON child.oid = inhrelid
WHERE parent.relname = ANY(%s) AND parent.relkind = 'p' AND pg_table_is_visible(parent.oid)
"""
WAITING = """
SELECT DISTINCT date_trunc('month', created_at AT TIME ZONE 'UTC')::date FROM {rest} WHERE created_at < {end}
"""
MAKE = """
CREATE TABLE {partition} (LIKE {table} INCLUDING ALL);
DO $$ BEGIN
    -- LIKE leaves this out, and whoever may read a partition by its name is not asked by its table.
    IF (SELECT relrowsecurity FROM pg_class WHERE oid = '{table}'::regclass) THEN
        ALTER TABLE {partition} ENABLE ROW LEVEL SECURITY;
    END IF;
END $$;
LOCK TABLE {rest} IN ACCESS EXCLUSIVE MODE;
WITH moved AS (DELETE FROM {rest} WHERE created_at >= {start} AND created_at < {end} RETURNING *)
INSERT INTO {partition} SELECT * FROM moved;
ALTER TABLE {table} ATTACH PARTITION {partition} FOR VALUES FROM ({start}) TO ({end});
"""
DROP = """
ALTER TABLE {table} DETACH PARTITION {partition};
DROP TABLE {partition};
"""

logger = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, order=True)
class Partition:
    """One month of one table."""

    table: str
    month: date

    def __str__(self) -> str:
        return f"{self.table}_{self.month:%Y_%m}"

    def names(self) -> dict[str, sql.Composable]:
        return {
            "table": sql.Identifier(self.table),
            "partition": sql.Identifier(str(self)),
            "rest": sql.Identifier(f"{self.table}_default"),
            "start": sql.Literal(_midnight(self.month)),
            "end": sql.Literal(_midnight(_later(self.month, 1))),
        }


def ensure_partitions(now: datetime | None = None) -> list[str]:
    """Make what is missing, and every month that rows wait for; a table that stays locked is left for the next time."""
    now = now or datetime.now(UTC)
    wanted = {*_wanted(now), *_waited_for(now)} - _existing()
    return list(_change_each(wanted, MAKE, exist=False))


def missing_partitions(now: datetime | None = None) -> list[str]:
    """The partitions that ought to be there: last month's, this month's and the next ones'."""
    return [str(partition) for partition in sorted(_wanted(now or datetime.now(UTC)) - _existing())]


def drop_old_partitions(now: datetime | None = None) -> list[str]:
    """Drop the months that lie further back than their table keeps."""
    now = now or datetime.now(UTC)
    old = [partition for partition in _existing() if partition.month < _kept_since(partition.table, now)]
    return list(_change_each(old, DROP, exist=True))


def complete_since(table: str, now: datetime | None = None) -> datetime:
    """From when on a table holds every row it was given: what came before may have been dropped."""
    kept_since = _kept_since(table, now or datetime.now(UTC))
    oldest = min((partition.month for partition in _existing() if partition.table == table), default=kept_since)
    return _midnight(max(oldest, kept_since))


def _change_each(partitions: Iterable[Partition], script: str, *, exist: bool) -> Iterator[str]:
    """Run the script for one month after the other; a table that is in use is left for the next time."""
    in_use = set()
    for partition in sorted(partitions):
        try:
            if partition.table not in in_use and _change(partition, script, exists=exist):
                yield str(partition)
        except OperationalError as error:
            in_use.add(partition.table)
            logger.warning("partition_left_for_later", partition=str(partition), problem=str(error))


@transaction.atomic
def _change(partition: Partition, script: str, *, exists: bool) -> bool:
    """Run the script, unless somebody else was quicker."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT set_config('lock_timeout', %s, true)", [LOCK_TIMEOUT])
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [ADVISORY_LOCK])
        if (partition in _existing()) is not exists:
            return False
        cursor.execute(sql.SQL(script).format(**partition.names()))
        return True


def _wanted(now: datetime) -> set[Partition]:
    months = [_later(_month(now), ahead) for ahead in range(-1, MONTHS_AHEAD + 1)]
    return {Partition(table, month) for table in _tables() for month in months if month >= _kept_since(table, now)}


def _waited_for(now: datetime) -> Iterator[Partition]:
    # What lies further ahead than we look is a clock gone wrong: it waits until its month comes near.
    horizon = _later(_month(now), MONTHS_AHEAD)
    for table in _tables():
        with connection.cursor() as cursor:
            cursor.execute(sql.SQL(WAITING).format(**Partition(table, horizon).names()))
            yield from [Partition(table, month) for (month,) in cursor.fetchall()]


def _tables() -> set[str]:
    """The log tables that there are: in the midst of the first migration not all."""
    return {parent for parent, _ in _family()}


def _existing() -> set[Partition]:
    found = ((parent, re.fullmatch(rf"{parent}_(\d{{4}})_(\d\d)", child)) for parent, child in _family())
    return {Partition(parent, date(int(match[1]), int(match[2]), 1)) for parent, match in found if match}


def _family() -> list[tuple[str, str]]:
    with connection.cursor() as cursor:
        cursor.execute(EXISTING, [list(settings.LOG_TABLES)])
        return [(parent, child) for parent, child in cursor.fetchall()]


def _kept_since(table: str, now: datetime) -> date:
    return _later(_month(now), -settings.LOG_TABLES[table])


def _month(moment: datetime) -> date:
    return moment.astimezone(UTC).date().replace(day=1)


def _later(month: date, months: int) -> date:
    years, index = divmod(month.month - 1 + months, 12)
    return date(month.year + years, index + 1, 1)


def _midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)
