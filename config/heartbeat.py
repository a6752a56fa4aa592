"""Signs of life: beat sends a message down every queue every few seconds, and whoever runs it says so in Redis.

A process that is up but deaf to the broker is not alive, so nothing less than a finished task counts.
"""

import time

from celery import current_task, shared_task
from celery.signals import before_task_publish
from django.conf import settings

from core import redis

TASK = "config.heartbeat"
LATE_AFTER_SECONDS = 45


@shared_task(name=TASK)
def heartbeat() -> None:
    queue = current_task.request.delivery_info.get("routing_key", "default")
    _beat_of(f"worker:{queue}")


@before_task_publish.connect(sender=TASK)
def beat_is_alive(**_: object) -> None:
    """Only beat sends this task, so sending it is beat's own sign of life."""
    _beat_of("beat")


def _beat_of(name: str) -> None:
    redis.ask(lambda connection: connection.set(f"heartbeat:{name}", time.time(), ex=3600))


def ages() -> dict[str, float | None]:
    """Seconds since each sign of life; None where there never was one."""
    names = ["beat", *(f"worker:{queue}" for queue in settings.CELERY_TASK_QUEUES)]
    stamps = redis.ask(lambda connection: connection.mget([f"heartbeat:{name}" for name in names]))
    now = time.time()
    return {name: round(now - float(stamp), 1) if stamp else None for name, stamp in zip(names, stamps, strict=True)}
