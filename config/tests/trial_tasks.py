"""Tasks for a worker on trial: one of each end."""

import time
from typing import Any

from celery import shared_task


@shared_task(name="trial.succeed")
def succeed(seconds: float = 0.0) -> None:
    time.sleep(seconds)


@shared_task(name="trial.fail")
def fail() -> None:
    raise ValueError("This one fails.")


@shared_task(name="trial.retry", bind=True, max_retries=1, default_retry_delay=0)
def retry(task: Any) -> None:
    raise task.retry()
