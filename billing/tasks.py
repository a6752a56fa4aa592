"""What the workers do about money: ids come in, rows say whether there is anything to do."""

from uuid import UUID

from celery import shared_task
from django.utils import timezone

from billing import bell, inbox, leftovers, upkeep, wishes
from billing.refused import forget_refused


@shared_task(name=inbox.TASK)
def process_event(event_id: str) -> None:
    inbox.process(UUID(event_id))


@shared_task(name=bell.SEVERAL)
def hand_out(*event_ids: str) -> None:
    inbox.hand_out(map(UUID, event_ids))


@shared_task(name="billing.tidy", ignore_result=False)
def tidy() -> dict[str, int]:
    return {"bodies": inbox.forget_bodies(), "refused": forget_refused()}


@shared_task(name="billing.sweep")
def sweep() -> None:
    inbox.sweep()


@shared_task(name="billing.tidy_checkouts")
def tidy_checkouts() -> None:
    leftovers.tidy_checkouts()


@shared_task(name="billing.fulfil_wishes")
def fulfil_wishes() -> None:
    wishes.fulfil_all()


@shared_task(name="billing.end_lapsed")
def end_lapsed() -> None:
    upkeep.end_all_lapsed()


@shared_task(name="billing.process_scheduled_downgrades")
def process_scheduled_downgrades() -> None:
    upkeep.process_scheduled_downgrades()


@shared_task(name="billing.reconcile", ignore_result=False)
def reconcile() -> dict[str, int]:
    return {"put_right": upkeep.reconcile(since=timezone.now() - upkeep.TONIGHT)}
