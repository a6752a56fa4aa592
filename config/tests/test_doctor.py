"""What `manage.py doctor` finds."""

import time

import pytest
from django.conf import settings as configured
from django.core.management import CommandError, call_command

from core import redis

pytestmark = pytest.mark.django_db


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


def test_no_key_is_ever_shown(capsys, settings):
    settings.IDENTITY_PROVIDER = "clerk"
    settings.CLERK_SECRET_KEY = "sk_test_canary"
    settings.CLERK_API_URL = "http://127.0.0.1:9"
    settings.OUTBOUND_ALLOWED_HOSTS = ["127.0.0.1:9"]
    said, verdict = doctor(capsys)
    assert "clerk" in verdict
    assert "canary" not in said + verdict
