"""Mails that are owed: a row in the same transaction as the reason for it, tried by workers for a day and a half.

One that no attempt could send is given up: an error in the log, and counted by `manage.py doctor` for a month.
Apps above add their letters when they start.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from smtplib import SMTPRecipientsRefused, SMTPResponseException
from typing import Any

import structlog
from django.conf import settings
from django.core.mail import send_mail
from django.db import transaction
from django.db.models import DurationField, F, Value
from django.db.models.functions import Least, Now, Power
from django.template.loader import render_to_string

from accounts.identity.links import link_parts
from accounts.models import OutgoingMail, User
from core.models import delete_in_batches
from core.queue import enqueue

logger = structlog.get_logger(__name__)
MOST_ATTEMPTS = 15
FIRST_WAIT = timedelta(minutes=1)
LONGEST_WAIT = timedelta(hours=6)
SWEEP = 100
KEPT = timedelta(days=30)
# Reserved, so never a mailbox: who came without an address has one of these.
PLACEHOLDER = ".invalid"


@dataclass(frozen=True, slots=True)
class Letter:
    """Where a mail's text lies, and what fills it besides the user: None where there is nothing left to say."""

    path: str
    context_of: Callable[[User, OutgoingMail], dict[str, Any] | None]


def _link_in(user: User, mail: OutgoingMail) -> dict[str, Any]:
    return link_parts(user, mail.template)


_letters = {name: Letter(f"accounts/mail/{name}.txt", _link_in) for name in ("password_reset", "verify_email")}


def add_letter(template: str, letter: Letter) -> None:
    _letters[template] = letter


def owe_mail(user: User | None, template: str) -> OutgoingMail:
    """Owe `user` a mail; for nobody the same is done, so that time does not tell whether an address has an account."""
    mail = OutgoingMail.objects.create(user=user, template=template)
    # Not a partial: Django names a robust hook that fails by its __qualname__, and a partial has none.
    transaction.on_commit(lambda: enqueue("accounts.send_mail", mail.pk), robust=True)
    return mail


def send_owed_mail(mail_id: str) -> bool:
    """Send one mail; claimed by raising its attempt count, so two workers with the same id send it once."""
    claimed = OutgoingMail.objects.filter(
        pk=mail_id, sent_at=None, run_after__lte=Now(), attempts__lt=MOST_ATTEMPTS
    ).update(attempts=F("attempts") + 1, run_after=Now() + _wait())
    if not claimed:
        return False
    mail = OutgoingMail.objects.select_related("user").get(pk=mail_id)
    if mail.user is not None and not _deliver(mail.user, mail):
        _tell_if_given_up(mail)
        return False
    OutgoingMail.objects.filter(pk=mail_id).update(sent_at=Now())
    return True


def _wait() -> Least:
    """Twice as long after each attempt, up to the longest."""
    doubled = Value(FIRST_WAIT, DurationField()) * Power(2, F("attempts"))
    return Least(doubled, Value(LONGEST_WAIT, DurationField()), output_field=DurationField())


def _tell_if_given_up(mail: OutgoingMail) -> None:
    if mail.attempts >= MOST_ATTEMPTS:
        logger.error("mail_given_up", template=mail.template, mail_id=str(mail.pk), attempts=mail.attempts)


def waiting_mail() -> list[str]:
    """What a lost message or a failed attempt left behind."""
    waiting = OutgoingMail.objects.filter(sent_at=None, run_after__lte=Now(), attempts__lt=MOST_ATTEMPTS)
    return [str(pk) for pk in waiting.order_by("run_after").values_list("pk", flat=True)[:SWEEP]]


def count_given_up_mail() -> int:
    return OutgoingMail.objects.filter(sent_at=None, attempts__gte=MOST_ATTEMPTS).count()


def _deliver(user: User, mail: OutgoingMail) -> bool:
    """Say whether nothing is owed any more: the mail was sent, or there is nobody to read it."""
    template = mail.template
    rendered = _text_of(user, mail)
    if rendered is None:
        logger.info("mail_not_needed", template=template, user_id=str(user.pk))
        return True
    subject, _, text = rendered.partition("\n")
    try:
        send_mail(subject.strip(), text.strip() + "\n", None, [user.email])
    # A refused recipient (an OSError) and an address that cannot be written (a ValueError) both carry the address.
    except (OSError, ValueError) as error:
        logger.warning("mail_failed", template=template, error=type(error).__name__, smtp_code=_smtp_code(error))
        return False
    logger.info("mail_sent", category="SYSTEM", template=template, user_id=str(user.pk))
    return True


def _text_of(user: User, mail: OutgoingMail) -> str | None:
    if not user.is_active or user.email.endswith(PLACEHOLDER):
        return None
    letter = _letters[mail.template]
    context = letter.context_of(user, mail)
    if context is None:
        return None
    return render_to_string(letter.path, {"user": user, "app_url": settings.APP_URL, **context})


def _smtp_code(error: Exception) -> int | None:
    if isinstance(error, SMTPRecipientsRefused):
        return next((code for code, _ in error.recipients.values()), None)
    return error.smtp_code if isinstance(error, SMTPResponseException) else None


def forget_sent_mail() -> int:
    """Nothing is owed any more, and whom we wrote to is nobody's business after a month."""
    return delete_in_batches(OutgoingMail.objects.filter(created_at__lt=Now() - KEPT))
