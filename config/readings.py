"""Where each number of /metrics is read; what does not answer raises, and `config.metrics` says so."""

import os
from bisect import bisect_left
from collections import Counter
from math import inf
from typing import Any

from django.conf import settings
from django.db import connection, transaction
from django.db.models import Count, Min, QuerySet
from django.db.models.functions import Now

from accounts.mail import MOST_ATTEMPTS, count_given_up_mail
from accounts.models import OutgoingMail, User
from analytics import rollups
from billing import inbox
from billing.models import BillingEvent
from config import queues, spooled, tally
from config.exposition import Page
from config.heartbeat import ages
from core import streams
from logs.partitions import missing_partitions

STATEMENT_TIMEOUT = "2s"
METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}
Labels = tuple[tuple[str, str], ...]


# The roll-up's own bounds, from 0.7 ms to 40 s: they are powers of 1.2 microseconds, and about double.
BOUNDS = [*(float(f"{1.2**power / 1e6:.6g}") for power in range(36, 97, 4)), inf]
NONE_YET = dict.fromkeys(BOUNDS, 0)
CONNECTIONS = """
SELECT CASE WHEN application_name IN ('web', 'worker') THEN application_name ELSE 'other' END,
       CASE WHEN state IN ('active', 'idle') THEN state ELSE 'in transaction' END, count(*)
FROM pg_stat_activity WHERE datname = current_database() AND backend_type = 'client backend' GROUP BY 1, 2
"""


def ask_database(page: Page) -> None:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT set_config('statement_timeout', %s, true)", [STATEMENT_TIMEOUT])
        _requests(page)
        _vendor_calls(page)
        _owed(page)
        _connections(page)
        page.add("whyral_log_partitions_missing", len(missing_partitions()))


def _requests(page: Page) -> None:
    requests, seconds = Counter[Labels](), Counter[Labels]()
    buckets: dict[Labels, dict[float, int]] = {}
    for row in rollups.request_totals():
        labels = _labels(row["route"], row["method"], row["status"] // 100)
        requests[labels] += row["requests"]
        seconds[labels] += row["seconds"]
    for row in rollups.latency_totals():
        series = buckets.setdefault(_labels(row["route"], row["method"], row["status_class"]), NONE_YET.copy())
        # Half a step of room, for the last digit of a bound is not always the same.
        series[BOUNDS[min(bisect_left(BOUNDS, row["le"] / 1.4), len(BOUNDS) - 1)]] += row["requests"]
    for labels, number in sorted(requests.items()):
        page.add("whyral_requests_total", number, **dict(labels))
        page.add_histogram("whyral_request_seconds", buckets.get(labels, NONE_YET), seconds[labels], **dict(labels))


def _labels(route: str, method: str, status_class: int) -> Labels:
    # Anybody may make up a method; a label that anybody may make up has no end.
    return (("route", route), ("method", method if method in METHODS else "other"), ("status", f"{status_class}xx"))


def _vendor_calls(page: Page) -> None:
    dollars: Counter[tuple[str, str, str]] = Counter()
    ends: dict[tuple[str, str, str], Counter[str]] = {}
    for row in rollups.vendor_totals():
        dollars[row["vendor"], row["operation"], row["model"]] += row["cost_micros"]
        ended = ends.setdefault((row["vendor"], row["operation"], row["outcome"]), Counter())
        ended.update(calls=row["calls"], seconds=row["seconds"])
    for (vendor, operation, outcome), ended in sorted(ends.items()):
        labels = {"vendor": vendor, "operation": operation, "outcome": outcome}
        page.add("whyral_vendor_calls_total", ended["calls"], **labels)
        page.add("whyral_vendor_seconds_total", ended["seconds"], **labels)
    for (vendor, operation, model), micros in sorted(dollars.items()):
        cost = micros / 1e6
        page.add("whyral_vendor_cost_dollars_total", cost, vendor=vendor, operation=operation, model=model)


def _owed(page: Page) -> None:
    mails: QuerySet[Any] = OutgoingMail.objects.filter(sent_at=None, attempts__lt=MOST_ATTEMPTS)
    erasures: QuerySet[Any] = User.objects.filter(erasure_asked_at__isnull=False)
    events: QuerySet[Any] = BillingEvent.objects.filter(state=BillingEvent.State.RECEIVED)
    for name, rows, since in (
        ("mails", mails, "created_at"), ("erasures", erasures, "erasure_asked_at"),
        ("billing_events", events, "created_at"),
    ):  # fmt: skip
        owed = rows.aggregate(number=Count("pk"), age=Now() - Min(since))
        page.add(f"whyral_{name}_waiting", owed["number"])
        page.add(f"whyral_{name}_oldest_seconds", owed["age"].total_seconds() if owed["age"] else 0)
    page.add("whyral_mails_given_up", count_given_up_mail())
    page.add("whyral_billing_events_given_up", inbox.count_given_up())


def _connections(page: Page) -> None:
    with connection.cursor() as cursor:
        cursor.execute(CONNECTIONS)
        for application, state, number in cursor.fetchall():
            page.add("whyral_database_connections", number, application=application, state=state)
        cursor.execute("SELECT current_setting('max_connections')::int")
        page.add("whyral_database_connections_limit", cursor.fetchone()[0])


def ask_redis(page: Page) -> None:
    for name, age in ages().items():
        page.add("whyral_heartbeat_age_seconds", inf if age is None else age, part=name.removeprefix("worker:"))
    counted = tally.read()
    for (event, task), number in sorted(counted.tasks.items()):
        if event == "started":
            page.add("whyral_tasks_started_total", number, task=task)
        else:
            page.add("whyral_tasks_finished_total", number, task=task, outcome=event)
    for task, seen in sorted(counted.seconds.items()):
        page.add_histogram("whyral_task_seconds", seen.buckets, seen.total, task=task)
    for queue, seen in sorted(counted.dwell.items()):
        page.add_histogram("whyral_queue_dwell_seconds", seen.buckets, seen.total, queue=queue)


def ask_broker(page: Page) -> None:
    waiting, taken = queues.look()
    page.add("whyral_queue_taken_messages", taken)
    for name, queue in waiting.items():
        page.add("whyral_queue_messages", queue.messages, queue=name)
        if queue.oldest_seconds is not None:
            page.add("whyral_queue_oldest_seconds", queue.oldest_seconds, queue=name)


def look_at_pool(page: Page) -> None:
    pool = getattr(connection, "pool", None)
    if pool is None:
        return
    stats, process = pool.get_stats(), str(os.getpid())
    idle = stats["pool_available"]
    page.add("whyral_pool_connections", stats["pool_size"] - idle, state="used", process=process)
    page.add("whyral_pool_connections", idle, state="idle", process=process)
    page.add("whyral_pool_connections_limit", stats["pool_max"], process=process)
    page.add("whyral_pool_requests_waiting", stats["requests_waiting"], process=process)
    page.add("whyral_pool_refusals_total", stats.get("requests_errors", 0), process=process)


def look_at_streams(page: Page) -> None:
    page.add("whyral_stream_readers", len(streams.live), process=str(os.getpid()))


def look_at_spool(page: Page) -> None:
    files = spooled.files()
    page.add("whyral_spool_segments", files.segments)
    page.add("whyral_spool_bytes", files.bytes)
    page.add("whyral_spool_limit_bytes", settings.SPOOL_MAX_BYTES)
    page.add("whyral_spool_shippers", spooled.has_shipper())
    page.add("whyral_spool_oldest_seconds", spooled.oldest_seconds())
