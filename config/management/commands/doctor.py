"""Say what is configured, what can be reached and what is missing."""

from collections.abc import Callable, Iterator
from typing import Any

from django.apps import apps
from django.conf import settings
from django.core.mail import get_connection
from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor

from accounts.mail import MOST_ATTEMPTS, count_given_up_mail
from config.heartbeat import LATE_AFTER_SECONDS, ages
from config.parts import Part, installed_parts
from core import http, redis
from core.errors import Problem

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
    if settings.IDENTITY_PROVIDER == "clerk":
        yield _tried("clerk", _clerk)
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
    return f"{part.default}; set {' or '.join(part.switches)} for {part.real}"
