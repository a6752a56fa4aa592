"""The log tables by month: rows land where they belong, wait where nothing is ready, and go with their month."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pytest
from django.conf import settings
from django.db import connection, transaction

from core.ids import uuid7
from logs.partitions import complete_since, drop_old_partitions, ensure_partitions, missing_partitions
from logs.tasks import keep_partitions

TABLE = "logs_applog"


def insert(*moments: datetime) -> None:
    with connection.cursor() as cursor:
        for moment in moments:
            cursor.execute(
                "INSERT INTO logs_applog (id, created_at, level, category, message) VALUES (%s, %s, 'INFO', 'API', '')",
                [uuid7(), moment],
            )


def places() -> dict[str, int]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT tableoid::regclass::text, count(*) FROM logs_applog GROUP BY 1")
        return dict(cursor.fetchall())


def make_for(moment: datetime) -> list[str]:
    """In a thread of its own."""
    try:
        return ensure_partitions(moment)
    finally:
        connection.close()


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.django_db
def test_a_month_ends_and_its_rows_lie_on_either_side():
    ensure_partitions(at("2031-12-31T23:59"))
    insert(at("2031-12-31T23:59:59.999999"), at("2032-01-01T00:00:00"))
    assert places() == {"logs_applog_2031_12": 1, "logs_applog_2032_01": 1}


@pytest.mark.django_db
def test_the_months_to_come_are_made_ahead():
    assert missing_partitions() == []
    ahead = missing_partitions(at("2031-11-15"))
    assert [name for name in ahead if name.startswith(TABLE)] == [
        f"{TABLE}_{month}" for month in ("2031_10", "2031_11", "2031_12", "2032_01", "2032_02")
    ]
    assert ensure_partitions(at("2031-11-15")) == ahead
    assert ensure_partitions(at("2031-11-15")) == missing_partitions(at("2031-11-15")) == []
    assert [name for name in ensure_partitions(at("2031-12-01")) if name.startswith(TABLE)] == ["logs_applog_2032_03"]


@pytest.mark.django_db
def test_a_row_outside_every_month_waits_and_is_moved():
    insert(at("2031-05-01"), at("2031-05-31T23:00"), at("2031-06-01"), at("2040-01-01"))
    assert places() == {"logs_applog_default": 4}
    ensure_partitions(at("2031-07-10"))
    assert places() == {"logs_applog_2031_05": 2, "logs_applog_2031_06": 1, "logs_applog_default": 1}
    insert(at("2031-05-20"))
    assert places()["logs_applog_2031_05"] == 3


@pytest.mark.django_db
def test_the_months_before_those_that_are_kept_are_dropped_and_no_other(settings):
    settings.LOG_TABLES = {TABLE: 2, "analytics_externalapicalllog": 600}
    insert(*(at(f"2031-{month:02}-15") for month in range(1, 7)))
    ensure_partitions(at("2031-06-20"))
    dropped = drop_old_partitions(at("2031-06-20"))
    assert [name for name in dropped if "2031" in name] == [f"logs_applog_2031_0{month}" for month in (1, 2, 3)]
    assert sorted(places()) == [f"logs_applog_2031_0{month}" for month in (4, 5, 6)]
    assert not [name for name in dropped if name.startswith("analytics")]
    assert complete_since(TABLE, at("2031-06-20")) == at("2031-04-01")


@pytest.mark.django_db
def test_what_comes_too_late_even_for_its_month_goes_the_way_of_its_month():
    insert(at("2020-02-02"))
    assert "logs_applog_2020_02" in keep_partitions()["dropped"]
    assert places() == {}


@pytest.mark.django_db(transaction=True, serialized_rollback=True)
def test_two_at_once_make_each_month_once():
    with ThreadPoolExecutor(4) as threads:
        made = [name for names in threads.map(make_for, [at("2031-06-20")] * 4) for name in names]
    assert sorted(made) == sorted(set(made))
    assert len(made) == 5 * len(settings.LOG_TABLES)
    remove_months_of("2031")


@pytest.mark.django_db(transaction=True, serialized_rollback=True)
def test_a_table_in_use_is_left_for_later_and_the_writer_goes_on():
    insert(at("2031-06-20"))
    with ThreadPoolExecutor(1) as threads, transaction.atomic():
        places()
        assert threads.submit(make_for, at("2031-06-25")).result()
        assert "logs_applog_2031_06" in missing_partitions(at("2031-06-25"))
    assert "logs_applog_2031_06" in ensure_partitions(at("2031-06-25"))
    remove_months_of("2031")


def remove_months_of(year: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT relname FROM pg_class WHERE relispartition AND relkind = 'r' AND relname ~ %s", [year])
        for (name,) in cursor.fetchall():
            cursor.execute(f"DROP TABLE {name}")
