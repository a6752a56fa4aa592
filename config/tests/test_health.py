"""What /health/ says of the record of what happens, the partitions it makes where beat does not, and of vendors."""

import time

import jsonschema
import pytest
from django.db import connection

from config import health
from config.heartbeat import sign
from core import redis
from core.schema import describe
from core.spool import Spool
from core.vendors import Vendor
from logs.partitions import missing_partitions
from social.platforms.redirects import LEADS

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


# Vendors


def vendors(client):
    answer = client.get("/health/")
    described = describe()["paths"]["/health/"]["get"]["responses"]["200"]["content"]["application/json"]["schema"]
    jsonschema.validate(answer.json(), described)
    return answer.json()["vendors"]


def test_every_vendor_is_shown_with_its_breaker(stranger, settings):
    shown = vendors(stranger)
    assert set(shown) == set(settings.VENDOR_BUDGETS)
    closed = {"state": "closed", "failures": 0, "seconds_left": 0.0, "reason": ""}
    assert all(state == closed for state in shown.values())


def test_every_vendor_has_a_budget_and_turns(settings):
    spared = {*settings.SCRAPERS["instagram"], *settings.SCRAPERS["x"], *settings.SCRAPERS["youtube"]} - {"samples"}
    assert spared | {*LEADS} <= set(settings.VENDOR_BUDGETS)
    assert set(settings.VENDOR_BUDGETS) == set(settings.VENDOR_TURNS)


def test_a_breaker_that_opens_is_shown_and_degrades_nothing(stranger):
    before = stranger.get("/health/").json()["status"]
    Vendor("gemini").open(30, "vendor_refused")
    shown = vendors(stranger)
    assert (shown["gemini"]["state"], shown["gemini"]["reason"]) == ("open", "vendor_refused")
    assert 25 < shown["gemini"]["seconds_left"] <= 30
    assert shown["twitterapi"]["state"] == "closed"
    assert stranger.get("/health/").json()["status"] == before


def test_without_redis_nothing_is_known_of_vendors(stranger, settings):
    settings.REDIS_URL = "redis://127.0.0.1:9/0"
    assert vendors(stranger) == {}
    assert stranger.get("/health/").json()["redis"]["status"] == "down"
