"""Beat's own rule: what is sent again soon anyway is not sent to a queue where enough waits already."""

from typing import Any

import structlog
from celery.beat import ScheduleEntry
from django.conf import settings
from django_celery_beat.models import PeriodicTask
from django_celery_beat.schedulers import DatabaseScheduler
from redis.exceptions import RedisError

from config.heartbeat import TASK, sign
from config.queues import count_waiting
from core import redis

logger = structlog.get_logger(__name__)
# A queue whose worker is gone would fill with messages that expire and stay. Heartbeats stop first: the end of any
# task that waits is a sign of life too. A sweep that had to wait for so many others would find nothing left to do.
ENOUGH_FOR_A_HEARTBEAT = 3
ENOUGH = 1000


class Scheduler(DatabaseScheduler):
    """Sends what is due, unless it would only pile up."""

    def setup_schedule(self) -> None:
        super().setup_schedule()
        # What a release no longer has would be sent for ever. All it has must be known before that is judged.
        self.app.loader.import_default_modules()
        for gone in PeriodicTask.objects.exclude(task__in=list(self.app.tasks)):
            logger.info("schedule_entry_removed", entry=gone.name, task=gone.task)
            gone.delete()

    def apply_async(self, entry: ScheduleEntry, producer: Any = None, advance: bool = True, **more: Any) -> Any:
        piled_up = "expires" in entry.options and _is_crowded(entry)
        sent = None if piled_up else super().apply_async(entry, producer=producer, advance=advance, **more)
        if piled_up:
            logger.info("not_sent_where_enough_waits", entry=entry.name)
        if entry.task == TASK:
            _show_life()
        return sent


def _is_crowded(entry: ScheduleEntry) -> bool:
    enough = ENOUGH_FOR_A_HEARTBEAT if entry.task == TASK else ENOUGH
    try:
        return count_waiting(entry.options.get("queue") or settings.CELERY_TASK_DEFAULT_QUEUE) >= enough
    except RedisError:
        # Whoever sends will say so.
        return False


def _show_life() -> None:
    # Only here, where the broker has just answered.
    try:
        redis.ask(lambda connection: sign(connection, "beat"))
    except redis.RedisAway:
        return
