"""Finds answers that nobody gives any more, or has not begun."""

from datetime import timedelta
from uuid import UUID

from django.db.models import F, Q, QuerySet
from django.db.models.functions import Now

from analysis.chat import ending
from analysis.chat.answering import LEASE, QUEUE, TASK
from analysis.chat.models import ChatMessage
from analysis.errors import NoAnswer
from core.queue import count_waiting, enqueue

REST = timedelta(seconds=5)
# Longer than all analysts of the order may take for the answer before it. Whoever asked has gone by then, and may not
# ask anything else in this conversation while it is open.
LONGEST_WAIT = timedelta(minutes=10)
AT_ONCE = 200


def sweep() -> None:
    """Say of answers whose worker is gone that they broke off, and send for those that nobody has begun."""
    given = ChatMessage.objects.filter(status=ChatMessage.Status.STREAMING)
    for message_id in _taken(given.filter(lease_until__lt=Now())):
        ending.interrupt(message_id, code="interrupted", message="The answer broke off.")
    owed = given.filter(fence=0)
    for message_id in _taken(owed.filter(created_at__lt=Now() - LONGEST_WAIT)):
        ending.fail(message_id, NoAnswer(), text="", cost_micros=0)
    _send_for(owed)


def _taken(answers: "QuerySet[ChatMessage]") -> list[UUID]:
    """Those of which it still holds at this moment, by one statement each.

    A worker that lives after all has renewed its lease by then, or finds its answer gone. Should we die too, the new
    lease runs out.
    """
    found = answers.values_list("pk", flat=True)[:AT_ONCE]
    ours = {"fence": F("fence") + 1, "lease_until": Now() + LEASE}
    return [message_id for message_id in found if answers.filter(pk=message_id).update(**ours)]


def _send_for(owed: "QuerySet[ChatMessage]") -> None:
    """For none while as many messages wait as answers are owed: a long backlog would fill the broker with copies."""
    waiting = count_waiting(QUEUE)
    if waiting is None or waiting >= owed.count():
        return
    forgotten = owed.filter(Q(hinted_at=None) | Q(hinted_at__lt=Now() - REST))
    for message_id in list(forgotten.values_list("pk", flat=True)[:AT_ONCE]):
        if forgotten.filter(pk=message_id).update(hinted_at=Now()):
            enqueue(TASK, message_id, queue=QUEUE)
