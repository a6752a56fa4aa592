"""What the workers do for analytics."""

from celery import shared_task

from analytics.people import forget_strays
from analytics.recount import forget_old_hours


@shared_task(name="analytics.tidy", ignore_result=False)
def tidy() -> dict[str, int]:
    return {"hours": forget_old_hours(), "strays": forget_strays()}
