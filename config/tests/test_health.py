"""What /health/ says of the record of what happens, and the partitions it makes where beat does not."""

import time

import pytest
from django.db import connection

from config import health
from config.heartbeat import sign
from core import redis
from core.spool import Spool
from logs.partitions import missing_partitions

pytestmark = pytest.mark.django_db
COLUMNS = ("id", "created_at", "level", "category", "logger", "message", "metadata")


@pytest.fixture(autouse=True)
def spool(settings, tmp_path):
    settings.SPOOL_DIR = tmp_path
    health._made_partitions_at = None
    return Spool("logs_applog", COLUMNS)


def write(spool, seconds_ago):
    milliseconds = int((time.time() - seconds_ago) * 1000)
    made = f"{milliseconds << 80 | 0x7000_8000_0000_0000_0000:032x}"
    spool.append((made, "2026-11-01T00:00:00Z", "INFO", "SYSTEM", "", "hello", "{}"))


def drop_this_month():
    with connection.cursor() as cursor:
        cursor.execute(f"DROP TABLE logs_applog_{time.strftime('%Y_%m', time.gmtime())}")
    assert len(missing_partitions()) == 1


def logs(client):
    answer = client.get("/health/")
    assert answer.status_code == 200
    return answer.json()["logs"]


def test_a_spool_that_is_shipped_is_well(stranger):
    assert logs(stranger) == {"status": "ok", "spool_bytes": 0, "seconds_waiting": 0.0, "partitions_missing": 0}


def test_rows_that_wait_for_long_are_late(stranger, spool):
    write(spool, seconds_ago=5)
    said = logs(stranger)
    assert (said["status"], said["spool_bytes"] > 0) == ("ok", True)
    assert said["seconds_waiting"] == pytest.approx(5, abs=1)
    other = Spool("logs_applog", COLUMNS)
    write(other, seconds_ago=90)
    said = logs(stranger)
    assert said["status"] == "late"
    assert said["seconds_waiting"] == pytest.approx(90, abs=1)


def test_it_makes_partitions_where_beat_is_silent(stranger):
    drop_this_month()
    assert logs(stranger)["partitions_missing"] == 0
    assert missing_partitions() == []


def test_it_does_so_once_an_hour_and_leaves_it_to_beat_where_beat_lives(stranger):
    drop_this_month()
    redis.ask(lambda client: sign(client, "beat"))
    assert logs(stranger) | {"spool_bytes": 0} == {
        "status": "late",
        "spool_bytes": 0,
        "seconds_waiting": 0.0,
        "partitions_missing": 1,
    }
    redis.client().delete("heartbeat:beat")
    health._made_partitions_at = time.monotonic() - 60
    assert logs(stranger)["status"] == "late"
    health._made_partitions_at = time.monotonic() - 3601
    assert logs(stranger)["status"] == "ok"


def test_a_spool_that_cannot_be_read_does_not_fail_the_probe(stranger, settings, tmp_path):
    (tmp_path / "file").touch()
    settings.SPOOL_DIR = tmp_path / "file" / "spool"
    assert logs(stranger)["status"] in {"ok", "unknown"}
