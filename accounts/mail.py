"""Mails that are owed: a row in the same transaction as the reason for it, sent by a worker, kept until it is sent."""

from datetime import timedelta
from functools import partial

import structlog
from django.conf import settings
from django.core.mail import send_mail
from django.db import transaction
from django.db.models import DurationField, F, Value
from django.db.models.expressions import CombinedExpression
from django.db.models.functions import Now, Power
from django.template.loader import render_to_string

from accounts.identity.links import link_parts
from accounts.models import OutgoingMail, User
from core.queue import enqueue

logger = structlog.get_logger(__name__)
MOST_ATTEMPTS = 6
FIRST_WAIT = timedelta(minutes=1)
SWEEP = 100
KEPT = timedelta(days=30)


def owe_mail(user: User | None, template: str) -> None:
    """Owe `user` a mail; for nobody the same is done, so that time does not tell whether an address has an account."""
    mail = OutgoingMail.objects.create(user=user, template=template)
    transaction.on_commit(partial(enqueue, "accounts.send_mail", mail.pk), robust=True)


def send_owed_mail(mail_id: str) -> bool:
    """Send one mail; claimed by raising its attempt count, so two workers with the same id send it once."""
    claimed = OutgoingMail.objects.filter(
        pk=mail_id, sent_at=None, run_after__lte=Now(), attempts__lt=MOST_ATTEMPTS
    ).update(attempts=F("attempts") + 1, run_after=Now() + _wait())
    if not claimed:
        return False
    mail = OutgoingMail.objects.select_related("user").get(pk=mail_id)
    if mail.user is not None:
        _deliver(mail.user, mail.template)
    OutgoingMail.objects.filter(pk=mail_id).update(sent_at=Now())
    return True


def _wait() -> CombinedExpression:
    """Twice as long after each attempt."""
    return Value(FIRST_WAIT, DurationField()) * Power(2, F("attempts"))


def waiting_mail() -> list[str]:
    """What a lost message or a failed attempt left behind."""
    waiting = OutgoingMail.objects.filter(sent_at=None, run_after__lte=Now(), attempts__lt=MOST_ATTEMPTS)
    return [str(pk) for pk in waiting.order_by("run_after").values_list("pk", flat=True)[:SWEEP]]


def _deliver(user: User, template: str) -> None:
    context = {"user": user, "app_url": settings.APP_URL, **link_parts(user, template)}
    subject, _, text = render_to_string(f"accounts/mail/{template}.txt", context).partition("\n")
    send_mail(subject.strip(), text.strip() + "\n", None, [user.email])
    logger.info("mail_sent", template=template, user_id=str(user.pk))


def forget_sent_mail() -> int:
    """Nothing is owed any more, and whom we wrote to is nobody's business after a month."""
    deleted, _ = OutgoingMail.objects.filter(created_at__lt=Now() - KEPT).delete()
    return deleted
