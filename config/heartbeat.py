"""Signs of life, kept in Redis: of beat when it sends a heartbeat, of a queue's workers when a task of theirs ends.

A process that is up but deaf to the broker is not alive, so nothing less than a finished task counts, whichever it was
(`config.tally` notes it). The heartbeat is the task there is when nothing else is to be done.
"""

import time
from typing import Any

from celery import shared_task
from django.conf import settings

from core import redis

TASK = "config.heartbeat"
LATE_AFTER_SECONDS = 45


@shared_task(name=TASK)
def heartbeat() -> None:
    """Its end is all there is to it."""


def sign(connection: Any, name: str) -> None:
    """Note that `beat`, or `worker:<queue>`, lives."""
    connection.set(f"heartbeat:{name}", time.time(), ex=3600)


def ages() -> dict[str, float | None]:
    """Seconds since each sign of life; None where there never was one."""
    names = ["beat", *(f"worker:{queue}" for queue in settings.CELERY_TASK_QUEUES)]
    stamps = redis.ask(lambda connection: connection.mget([f"heartbeat:{name}" for name in names]))
    now = time.time()
    return {name: round(now - float(stamp), 1) if stamp else None for name, stamp in zip(names, stamps, strict=True)}
