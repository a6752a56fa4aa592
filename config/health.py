"""Whether the service is well: for orchestrators, for people, and for the page that wakes somebody up."""

import time
from collections.abc import Callable
from typing import Any

import structlog
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.db.utils import Error as DatabaseProblem
from django.http import HttpRequest, JsonResponse

from config import spooled
from config.heartbeat import LATE_AFTER_SECONDS, ages
from core import redis, vendors
from logs.partitions import ensure_partitions, missing_partitions

logger = structlog.get_logger(__name__)
LATE_ROWS_SECONDS = 60
# How often a process makes partitions itself, at most.
PARTITIONS_EVERY_SECONDS = 3600

_migrated = False
_made_partitions_at: float | None = None


def live(request: HttpRequest) -> JsonResponse:
    """The process answers. Nothing else is asked: restarting us does not mend a database."""
    return JsonResponse({"status": "ok"})


def ready(request: HttpRequest) -> JsonResponse:
    """Requests can be served: the database answers and is migrated. Redis is not needed to answer."""
    database = _timed(_check_migrated)
    return JsonResponse({"status": database["status"], "database": database}, status=_status(database))


def health(request: HttpRequest) -> JsonResponse:
    """Everything at once. 503 only when requests cannot be served; a part that is away makes it `degraded`."""
    database, redis_ = _timed(_check_database), _timed(_check_redis)
    parts: dict[str, dict[str, Any]] = {"database": database, "redis": redis_, **_check_workers()}
    # A database that is away is waited for once.
    lives = database["status"] == "ok"
    parts["logs"] = _check_logs(beat_lives=parts["beat"]["status"] == "ok") if lives else {"status": "unknown"}
    well = all(part["status"] == "ok" for part in parts.values())
    overall = "ok" if well else "degraded" if database["status"] == "ok" else "down"
    return JsonResponse({"status": overall, **parts, "vendors": _vendors()}, status=_status(database))


def _status(database: dict[str, Any]) -> int:
    return 200 if database["status"] == "ok" else 503


def _timed(check: Callable[[], None]) -> dict[str, Any]:
    start = time.perf_counter()
    try:
        check()
        status = "ok"
    except (DatabaseProblem, redis.RedisAway):
        status = "down"
    return {"status": status, "ms": round((time.perf_counter() - start) * 1000, 1)}


def _check_database() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")


def _check_migrated() -> None:
    # Looked at until it holds; migrations are never undone under a running service.
    global _migrated
    _check_database()
    if not _migrated:
        executor = MigrationExecutor(connection)
        if executor.migration_plan(executor.loader.graph.leaf_nodes()):
            raise DatabaseProblem("Migrations are waiting.")
        _migrated = True


def _check_redis() -> None:
    # Written, not pinged: a Redis that is full still answers a ping.
    redis.ask(lambda client: client.set("health:probe", 1, ex=5))


def _check_workers() -> dict[str, dict[str, Any]]:
    try:
        seen = ages()
    except redis.RedisAway:
        return {"workers": {"status": "unknown"}, "beat": {"status": "unknown"}}
    late = {name: age is None or age > LATE_AFTER_SECONDS for name, age in seen.items()}
    workers = {name.removeprefix("worker:"): age for name, age in seen.items() if name != "beat"}
    quiet = any(late[name] for name in late if name != "beat")
    return {
        "workers": {"status": "quiet" if quiet else "ok", "seconds_since_last_task": workers},
        "beat": {"status": "quiet" if late["beat"] else "ok", "seconds_since_last_tick": seen["beat"]},
    }


def _vendors() -> dict[str, dict[str, Any]]:
    """Each vendor's breaker, for people to see. It judges nothing: a vendor that rests is no fault of ours."""
    try:
        return vendors.states()
    except redis.RedisAway:
        return {}


def _check_logs(*, beat_lives: bool) -> dict[str, Any]:
    """How the record of what happens is doing; where beat is silent, its partitions are made here."""
    try:
        waited, missing = round(spooled.oldest_seconds(), 1), len(missing_partitions())
        if missing and not beat_lives:
            missing -= len(_make_partitions())
        occupied = spooled.files().bytes
    except (DatabaseProblem, OSError):
        return {"status": "unknown"}
    status = "late" if missing or waited > LATE_ROWS_SECONDS else "ok"
    return {"status": status, "spool_bytes": occupied, "seconds_waiting": waited, "partitions_missing": missing}


def _make_partitions() -> list[str]:
    global _made_partitions_at
    now = time.monotonic()
    if _made_partitions_at is not None and now - _made_partitions_at < PARTITIONS_EVERY_SECONDS:
        return []
    _made_partitions_at = now
    made = ensure_partitions()
    logger.warning("partitions_made_without_beat", partitions=made)
    return made
