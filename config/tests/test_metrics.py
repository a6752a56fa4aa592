"""GET /metrics: what it says, to whom, and what it says when a source is away."""

import asyncio
import os
import re
import subprocess
import sys
import time
from datetime import UTC, datetime
from uuid import uuid4

import pytest
from django.conf import settings as configured
from django.db import connection

from accounts.models import OutgoingMail, User
from analytics.models import APIAccessLog, ExternalAPICallLog
from billing.models import BillingEvent
from config.exposition import Metric, Page
from config.metrics import METRICS, collect
from core import redis, streams
from core.queue import enqueue

pytestmark = pytest.mark.django_db
SAMPLE = re.compile(r'([a-z_]+)(?:\{((?:[a-z_]+="(?:[^"\\]|\\.)*",?)*)\})? (\S+)')
LABEL = re.compile(r'([a-z_]+)="((?:[^"\\]|\\.)*)"')


def parsed(text):
    """Samples by name and labels; each line must be one, and each sample there once."""
    found = {}
    for line in text.splitlines():
        if line and not line.startswith("#"):
            name, labels, value = SAMPLE.fullmatch(line).groups()
            key = (name, *sorted(LABEL.findall(labels or "")))
            assert key not in found
            found[key] = float(value)
    return found


def read(only=""):
    return parsed(collect(only).render().decode())


def visit(route="api/posts/<id>/", status=200, milliseconds=100, method="GET"):
    made = {"id": uuid4(), "created_at": datetime.now(UTC), "request_id": "a-request"}
    APIAccessLog.objects.create(route=route, method=method, status=status, duration_us=milliseconds * 1000, **made)


def call_vendor(**more):
    made = {"id": uuid4(), "created_at": datetime.now(UTC), "duration_ms": 250, "outcome": "ok"}
    ExternalAPICallLog.objects.create(**{"vendor": "youtube", "operation": "videos", **made, **more})


def test_requests_are_told_by_route_method_and_kind_of_answer():
    for status in (200, 201, 404, 503):
        visit(status=status)
    told = read()
    where = [("method", "GET"), ("route", "api/posts/<id>/")]
    assert told["whyral_requests_total", *where, ("status", "2xx")] == 2
    assert told["whyral_requests_total", *where, ("status", "4xx")] == 1
    assert told["whyral_requests_total", *where, ("status", "5xx")] == 1


def test_latencies_are_running_sums_over_the_same_bounds_for_every_route():
    for milliseconds in (1, 100, 100, 3000, 100_000):
        visit(milliseconds=milliseconds)
    visit(route="api/other/")
    told = read()
    bounds: dict[str, dict[float, float]] = {route: {} for route in ("api/posts/<id>/", "api/other/")}
    for (name, *labels), value in told.items():
        if name == "whyral_request_seconds_bucket":
            bounds[dict(labels)["route"]][float(dict(labels)["le"])] = value
    assert bounds["api/posts/<id>/"].keys() == bounds["api/other/"].keys()
    counts = dict(sorted(bounds["api/posts/<id>/"].items()))
    assert list(counts.values()) == sorted(counts.values())
    assert [max(value for le, value in counts.items() if le <= limit) for limit in (0.002, 0.25, 5)] == [1, 3, 4]
    assert counts[float("inf")] == 5
    labels = [("method", "GET"), ("route", "api/posts/<id>/"), ("status", "2xx")]
    assert told["whyral_request_seconds_count", *labels] == 5
    assert told["whyral_request_seconds_sum", *labels] == pytest.approx(103.201)


def test_a_made_up_method_gets_no_label_of_its_own():
    for number in range(3):
        visit(method=f"MADE{number}")
    told = [dict(labels)["method"] for (name, *labels) in read() if name == "whyral_requests_total"]
    assert told == ["other"]


def test_vendor_calls_are_told_by_how_they_ended_with_their_cost():
    call_vendor()
    call_vendor(outcome="vendor_busy")
    told = read()
    labels = [("operation", "videos"), ("outcome", "vendor_busy"), ("vendor", "youtube")]
    assert told["whyral_vendor_calls_total", *labels] == 1
    assert told["whyral_vendor_seconds_total", *labels] == 0.25
    assert ("whyral_vendor_cost_dollars_total", ("model", ""), ("operation", "videos"), ("vendor", "youtube")) in told


def test_queues_tell_how_much_waits_and_since_when(settings):
    enqueue("accounts.send_mail", "an-id")
    enqueue("accounts.send_mail", "an-id")
    time.sleep(0.05)
    told = read()
    assert told["whyral_queue_messages", ("queue", "default")] == 2
    assert 0.05 <= told["whyral_queue_oldest_seconds", ("queue", "default")] < 5
    assert told["whyral_queue_messages", ("queue", "cpu")] == told["whyral_queue_oldest_seconds", ("queue", "cpu")] == 0


def test_what_is_owed_is_counted_with_its_age(user):
    OutgoingMail.objects.create(user=user, template="verify_email")
    OutgoingMail.objects.create(user=user, template="verify_email", attempts=15)
    User.objects.filter(pk=user.pk).update(erasure_asked_at=datetime(2026, 1, 1, tzinfo=UTC))
    BillingEvent.objects.create(provider="dodo", delivery_id="msg_1")
    BillingEvent.objects.create(provider="dodo", delivery_id="msg_2", state="failed")
    told = read()
    assert told[("whyral_billing_events_waiting",)] == told[("whyral_billing_events_given_up",)] == 1
    assert 0 <= told[("whyral_billing_events_oldest_seconds",)] < 5
    assert (
        told[("whyral_mails_waiting",)] == told[("whyral_mails_given_up",)] == told[("whyral_erasures_waiting",)] == 1
    )
    assert 0 <= told[("whyral_mails_oldest_seconds",)] < 5
    assert told[("whyral_erasures_oldest_seconds",)] > 86400


def test_partitions_heartbeats_and_sessions_are_told():
    redis.client().set("heartbeat:beat", time.time() - 30)
    told = read()
    assert told[("whyral_log_partitions_missing",)] == 0
    assert told["whyral_heartbeat_age_seconds", ("part", "beat")] == pytest.approx(30, abs=2)
    assert told["whyral_heartbeat_age_seconds", ("part", "cpu")] == float("inf")
    assert sum(value for (name, *_), value in told.items() if name == "whyral_database_connections") >= 1
    assert told[("whyral_database_connections_limit",)] > 1


def test_without_redis_the_rest_is_told(settings):
    visit()
    settings.REDIS_URL = settings.CELERY_BROKER_URL = "redis://127.0.0.1:9/0"
    start = time.monotonic()
    told = read()
    assert time.monotonic() - start < 2
    up = {dict(labels)["source"]: value for (name, *labels), value in told.items() if name == "whyral_source_up"}
    assert (up["redis"], up["broker"], up["database"]) == (0, 0, 1)
    assert any(name == "whyral_requests_total" for name, *_ in told)


def test_one_may_ask_for_what_is_shared_or_what_is_local():
    shared, local = read("shared"), read("local")
    names = {name for name, *_ in shared} & {name for name, *_ in local}
    assert names == {"whyral_source_up", "whyral_source_seconds"}
    assert "whyral_spool_bytes" in {name for name, *_ in local}
    assert read().keys() == shared.keys() | local.keys()


def test_with_a_token_it_answers_only_whoever_has_it(client, settings):
    settings.METRICS_TOKEN = "a-long-token"
    assert client.get("/metrics").status_code == 401
    assert client.get("/metrics", HTTP_AUTHORIZATION="Bearer another").status_code == 401
    answer = client.get("/metrics", HTTP_AUTHORIZATION="Bearer a-long-token")
    assert answer.status_code == 200
    assert answer["Content-Type"].startswith("text/plain; version=0.0.4")


def test_in_development_it_is_open_and_in_production_without_a_token_it_is_not_there(client, settings):
    settings.DEBUG, settings.METRICS_TOKEN = True, ""
    assert client.get("/metrics").status_code == 200
    settings.DEBUG = False
    assert client.get("/metrics").status_code == 404


def test_it_answers_by_any_address_over_plain_http_and_is_not_counted(client, settings):
    settings.METRICS_TOKEN, settings.SECURE_SSL_REDIRECT = "a-long-token", True
    # What stands there in development only.
    settings.MIDDLEWARE = [name for name in settings.MIDDLEWARE if "Tunnel" not in name]
    headers = {"HTTP_AUTHORIZATION": "Bearer a-long-token", "HTTP_HOST": "10.1.2.3:8000"}
    answer = client.get("/metrics", **headers)
    assert answer.status_code == 200
    assert "RateLimit-Limit" not in answer
    assert client.get("/health/live/", **headers).status_code == 400


def test_every_name_is_there_even_before_there_is_a_number():
    text = collect().render().decode()
    assert set(re.findall(r"^# TYPE (\S+)", text, re.MULTILINE)) == set(METRICS)


def test_a_label_that_is_not_declared_is_a_mistake():
    with pytest.raises(ValueError, match="has the labels"):
        Page(METRICS).add("whyral_queue_messages", 1, que="cpu")


def read_in_a_web_process(**more):
    code = (
        "import django; django.setup(); from config.metrics import collect;"
        "collect(); print('#', collect().render().decode())"
    )
    of = connection.settings_dict
    database = f"postgresql://postgres@{of['HOST'].replace('/', '%2F')}/{of['NAME']}"
    mine = {"WHYRAL_SERVES": "web", "DATABASE_URL": database, "DJANGO_SETTINGS_MODULE": "config.settings", **more}
    command = [sys.executable, "-c", code]
    ran = subprocess.run(command, env={**os.environ, **mine}, capture_output=True, text=True, check=True, timeout=60)
    return parsed("\n".join(line for line in ran.stdout.splitlines() if line.startswith(("#", "whyral_"))))


def test_a_web_process_tells_of_its_pool():
    told = {name: value for (name, *labels), value in read_in_a_web_process(DB_POOL_SIZE="3").items() if labels}
    assert told["whyral_pool_connections_limit"] == 3
    assert told["whyral_pool_connections"] >= 1
    assert told["whyral_pool_refusals_total"] == told["whyral_stream_readers"] == 0


def test_without_the_database_the_rest_is_told():
    told = read_in_a_web_process(DATABASE_URL="postgresql://nobody@127.0.0.1:9/nothing")
    up = {dict(labels)["source"]: value for (name, *labels), value in told.items() if name == "whyral_source_up"}
    assert up == {"database": 0, "redis": 1, "broker": 1, "pool": 1, "streams": 1, "spool": 0}
    assert ("whyral_queue_messages", ("queue", "cpu")) in told
    assert ("whyral_spool_bytes",) in told
    assert sum(value for (name, *_), value in told.items() if name == "whyral_source_seconds") < 4.5


def test_live_streams_are_counted_while_they_last():
    async def watch():
        tail = streams.tail("metrics", patience=5)
        streams.append("metrics", "hello", {})
        await anext(tail)
        during = len(streams.live)
        await tail.aclose()
        return during, len(streams.live)

    assert asyncio.run(watch()) == (1, 0)


def test_texts_are_escaped():
    page = Page({"a": Metric("counter", "help", ("route",))})
    page.add("a", 0.5, route='q"\\\n')
    assert page.render() == b'# HELP a help\n# TYPE a counter\na{route="q\\"\\\\\\n"} 0.5\n'


def test_every_queue_is_spoken_of():
    told = {dict(labels)["queue"] for (name, *labels) in read() if name == "whyral_queue_messages"}
    assert told == set(configured.CELERY_TASK_QUEUES)
