"""Say what is configured, what can be reached and what is missing."""

import tempfile
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from typing import Any

from django.apps import apps
from django.conf import settings
from django.core.mail import get_connection
from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor

from accounts.mail import MOST_ATTEMPTS, count_given_up_mail
from billing import inbox
from config import spooled
from config.heartbeat import LATE_AFTER_SECONDS, ages
from config.parts import Part, installed_parts
from core import http, redis
from core.errors import Problem
from logs.partitions import missing_partitions

Finding = tuple[str, bool | None, str]


class Command(BaseCommand):
    """`manage.py doctor`."""

    help = "Say what is configured, what can be reached and what is missing. Exits with 1 when something is wrong."

    def handle(self, *args: Any, **options: Any) -> None:
        findings = list(examine())
        for name, well, words in findings:
            mark = {True: "ok", False: "WRONG", None: "-"}[well]
            self.stdout.write(f"  {mark:<6}{name:<12}{words}")
        wrong = [name for name, well, _ in findings if well is False]
        if wrong:
            raise CommandError(f"{len(wrong)} to put right: {', '.join(wrong)}.")


def examine() -> Iterator[Finding]:
    yield _tried("database", _database)
    yield _tried("migrations", _migrations)
    yield _tried("redis", _redis)
    yield from _signs_of_life()
    yield _tried("mail", _mail)
    yield _tried("mail owed", _mail_owed)
    yield _tried("events", _events)
    yield _tried("spool", _spool)
    yield _tried("shipper", _shipper)
    yield _tried("partitions", _partitions)
    if settings.IDENTITY_PROVIDER == "clerk":
        yield _tried("clerk", _clerk)
    yield ("metrics", None, _metrics())
    yield ("sentry", None, _sentry())
    yield ("kept", None, _kept())
    yield ("mode", None, "development (DEBUG is on)" if settings.DEBUG else "production")
    for part in installed_parts({config.name for config in apps.get_app_configs()}):
        yield (part.name, None, _runs_on(part))


def _tried(name: str, look: Callable[[], str]) -> Finding:
    try:
        return (name, True, look())
    except (DatabaseError, redis.RedisAway, Problem, OSError) as error:
        return (name, False, str(error).strip().partition("\n")[0] or type(error).__name__)


def _database() -> str:
    with connection.cursor() as cursor:
        cursor.execute("SHOW server_version")
        return f"PostgreSQL {cursor.fetchone()[0]}"


def _migrations() -> str:
    executor = MigrationExecutor(connection)
    waiting = executor.migration_plan(executor.loader.graph.leaf_nodes())
    if waiting:
        raise DatabaseError(f"{len(waiting)} are waiting: run `manage.py migrate`")
    return "all applied"


def _redis() -> str:
    return f"Redis {redis.ask(lambda client: client.info('server'))['redis_version']}"


def _signs_of_life() -> Iterator[Finding]:
    try:
        seen = ages()
    except redis.RedisAway:
        return
    for name, age in seen.items():
        well = age is not None and age <= LATE_AFTER_SECONDS
        yield (name.removeprefix("worker:"), well, f"{age} s ago" if age is not None else "no sign of life yet")


def _mail() -> str:
    with get_connection(fail_silently=False):
        return str(settings.EMAIL_BACKEND).split(".")[-2]


def _mail_owed() -> str:
    if given_up := count_given_up_mail():
        raise DatabaseError(f"{given_up} given up after {MOST_ATTEMPTS} attempts: look for `mail_failed` in the logs")
    return "none was given up"


def _events() -> str:
    if given_up := inbox.count_given_up():
        raise DatabaseError(
            f"{given_up} of payment providers given up: what stands in `error` first, then "
            "`manage.py replay_billing_events --failed`"
        )
    return "none of payment providers was given up"


def _spool() -> str:
    settings.SPOOL_DIR.mkdir(mode=0o700, parents=True, exist_ok=True)
    with tempfile.TemporaryFile(dir=settings.SPOOL_DIR) as file:
        file.write(b"room")
    files = spooled.files()
    used = f"{files.bytes / 2**20:.0f} of {settings.SPOOL_MAX_BYTES / 2**20:.0f} MB in {files.segments} segments"
    if files.bytes > settings.SPOOL_MAX_BYTES / 2:
        raise OSError(f"{used}: requests are refused when it is full")
    return f"{settings.SPOOL_DIR}, {used}"


def _shipper() -> str:
    if not spooled.has_shipper():
        raise OSError(f"none runs here: start {'`make run`' if settings.DEBUG else '`manage.py ship_logs`'}")
    return f"the oldest row has waited {spooled.oldest_seconds():.1f} s"


def _partitions() -> str:
    if missing := missing_partitions():
        raise DatabaseError(f"{len(missing)} are missing, {missing[0]} first: is beat running?")
    return "made ahead"


def _metrics() -> str:
    if settings.METRICS_TOKEN:
        return "/metrics, for whoever has METRICS_TOKEN"
    return "/metrics, open to all" if settings.DEBUG else "/metrics is not there; set METRICS_TOKEN for Prometheus"


def _sentry() -> str:
    installed = "installed" if find_spec("sentry_sdk") else "not installed (the `sentry` extra)"
    return f"{installed}, {'set' if settings.SENTRY_DSN else 'SENTRY_DSN is not set'}"


def _kept() -> str:
    months = ", ".join(f"{table.partition('_')[2]} {months}" for table, months in settings.LOG_TABLES.items())
    return f"whole months besides this one: {months}"


def _clerk() -> str:
    answer = http.request(
        vendor="clerk",
        operation="jwks",
        url=f"{settings.CLERK_API_URL}/v1/jwks",
        headers={"authorization": f"Bearer {settings.CLERK_SECRET_KEY}"},
        timeout=5.0,
    )
    answer.require_success()
    return "the Backend API answers"


def _runs_on(part: Part) -> str:
    if switch := part.switched_by:
        return f"{part.real} ({switch} is set)"
    return f"{part.by_itself}; set {' or '.join(part.switches)} for {part.real}"
