"""What can be done with feedback: give it, sort it, answer it."""

from collections.abc import Mapping
from typing import Any

from django.db import transaction
from django.db.models import Case, QuerySet, Value, When
from django.db.models.functions import Now
from django.http import HttpRequest

from accounts.export import Rows
from accounts.mail import owe_mail
from accounts.models import User
from feedback.models import Feedback

Status = Feedback.Status
# From where many at once may be moved: never back, and no answer is taken for less. One by one anything goes.
MOVES = {
    Status.SEEN: (Status.NEW,),
    Status.PLANNED: (Status.NEW, Status.SEEN),
    Status.CLOSED: (Status.NEW, Status.SEEN, Status.PLANNED, Status.ANSWERED),
}
EXPORTED = (
    "id", "created_at", "kind", "message", "rating", "page", "post_analysis_id", "claim", "request_id", "user_agent",
    "status", "reply", "replied_at", "updated_at",
)  # fmt: skip


def give_feedback(request: HttpRequest, user: User, said: Mapping[str, Any]) -> Feedback:
    return Feedback.objects.create(
        user=user,
        request_id=getattr(request, "request_id", ""),
        user_agent=request.META.get("HTTP_USER_AGENT", "")[:300],
        **said,
    )


def take(feedback: QuerySet[Feedback], *, by: User) -> list[Feedback]:
    """Make it somebody's to deal with, who has thereby seen it; answers what was not theirs before."""
    seen = Case(When(status=Status.NEW, then=Value(Status.SEEN)), default="status")
    return _change(feedback.exclude(assignee=by), assignee=by, status=seen)


def move(feedback: QuerySet[Feedback], *, to: Feedback.Status) -> list[Feedback]:
    """Answers what could be moved there."""
    return _change(feedback.filter(status__in=MOVES[to]), status=to)


def sort(feedback: Feedback, **changes: Any) -> None:
    """Keep these columns and no others: somebody else may have changed the rest."""
    _row(feedback).update(**changes, updated_at=Now())


def _change(feedback: QuerySet[Feedback], **changes: Any) -> list[Feedback]:
    with transaction.atomic():
        rows = list(feedback.select_for_update(of=("self",)))
        Feedback.objects.filter(pk__in=[each.pk for each in rows]).update(**changes, updated_at=Now())
    return rows


def answer(feedback: Feedback, reply: str, *, by: User) -> bool:
    """Keep the reply and owe its mail, once; False where another reply was sent before."""
    # A browser sends the ends of lines as two characters.
    text = "\n".join(reply.strip().splitlines())
    with transaction.atomic():
        open_still = _row(feedback).filter(replied_at=None)
        if open_still.update(reply=text, replied_at=Now(), replied_by=by, status=Status.ANSWERED, updated_at=Now()):
            mail = owe_mail(feedback.user, "feedback_reply")
            _row(feedback).update(reply_mail_id=mail.pk)
    return _row(feedback).filter(reply=text).exists()


def feedback_of(user: User) -> Rows:
    rows: Rows = Feedback.objects.filter(user=user).order_by("id").values(*EXPORTED)
    return rows


def _row(feedback: Feedback) -> QuerySet[Feedback]:
    return Feedback.objects.filter(pk=feedback.pk)
