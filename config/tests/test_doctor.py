"""What `manage.py doctor` finds."""

import fcntl
import time

import pytest
from django.conf import settings as configured
from django.core.management import CommandError, call_command
from django.db import connection

from billing.models import BillingEvent
from core import redis

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def shipper(settings, tmp_path):
    """The lock of a shipper that runs, on a spool of this test's own."""
    settings.SPOOL_DIR = tmp_path
    with open(tmp_path / "shipper.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield lock


def doctor(capsys):
    try:
        call_command("doctor")
        verdict = ""
    except CommandError as error:
        verdict = str(error)
    return capsys.readouterr().out, verdict


def everybody_is_alive():
    for name in ("beat", *(f"worker:{queue}" for queue in configured.CELERY_TASK_QUEUES)):
        redis.client().set(f"heartbeat:{name}", time.time())


def test_a_well_service_has_nothing_to_put_right(capsys):
    everybody_is_alive()
    said, verdict = doctor(capsys)
    assert verdict == ""
    assert "PostgreSQL 18" in said
    assert "all applied" in said
    assert "set CLERK_SECRET_KEY for Clerk" in said


def test_it_names_who_is_silent(capsys):
    everybody_is_alive()
    redis.client().delete("heartbeat:beat")
    redis.client().set("heartbeat:worker:cpu", time.time() - 100)
    said, verdict = doctor(capsys)
    assert verdict == "2 to put right: beat, cpu."
    assert "no sign of life yet" in said


def test_it_names_a_redis_and_a_mail_server_that_cannot_be_reached(capsys, settings):
    settings.REDIS_URL = "redis://127.0.0.1:9/0"
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", 9
    _, verdict = doctor(capsys)
    assert verdict == "2 to put right: redis, mail."


def test_it_says_how_the_record_of_what_happens_does(capsys):
    everybody_is_alive()
    said, _ = doctor(capsys)
    assert "0 of 1024 MB in 0 segments" in said
    assert "the oldest row has waited 0.0 s" in said
    assert "made ahead" in said
    assert "apiaccesslog 3" in said


def test_it_names_a_shipper_that_does_not_run_and_a_spool_that_fills(capsys, settings, shipper, tmp_path):
    everybody_is_alive()
    fcntl.flock(shipper, fcntl.LOCK_UN)
    settings.SPOOL_MAX_BYTES = 100
    (tmp_path / "019a7c1e-8f2b-7c3d-9e4f-5a6b7c8d9e0f.rows").write_bytes(bytes(80))
    assert doctor(capsys)[1] == "2 to put right: spool, shipper."


def test_it_names_a_folder_that_cannot_be_written(capsys, settings, tmp_path):
    everybody_is_alive()
    (tmp_path / "file").touch()
    settings.SPOOL_DIR = tmp_path / "file" / "spool"
    assert doctor(capsys)[1] == "2 to put right: spool, shipper."


def test_it_names_partitions_that_nobody_made(capsys):
    everybody_is_alive()
    with connection.cursor() as cursor:
        cursor.execute(f"DROP TABLE logs_applog_{time.strftime('%Y_%m', time.gmtime())}")
    assert doctor(capsys)[1] == "1 to put right: partitions."


def test_it_says_what_watches_the_service(capsys, settings):
    everybody_is_alive()
    settings.DEBUG, settings.METRICS_TOKEN = False, ""
    assert "set METRICS_TOKEN for Prometheus" in doctor(capsys)[0]
    settings.METRICS_TOKEN = "canary"
    said, _ = doctor(capsys)
    assert "for whoever has METRICS_TOKEN" in said
    assert "SENTRY_DSN is not set" in said
    assert "canary" not in said


def test_no_key_is_ever_shown(capsys, settings):
    settings.IDENTITY_PROVIDER = "clerk"
    settings.CLERK_SECRET_KEY = "sk_test_canary"
    settings.CLERK_API_URL = "http://127.0.0.1:9"
    settings.OUTBOUND_ALLOWED_HOSTS = ["127.0.0.1:9"]
    said, verdict = doctor(capsys)
    assert "clerk" in verdict
    assert "canary" not in said + verdict


def test_it_names_events_of_providers_that_were_given_up(capsys):
    everybody_is_alive()
    BillingEvent.objects.create(provider="dodo", delivery_id="msg_1", state="failed", error="vendor_refused")
    said, verdict = doctor(capsys)
    assert verdict == "1 to put right: events."
    assert "1 of payment providers given up" in said
    assert "replay_billing_events --failed" in said
