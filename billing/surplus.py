"""What was paid for beside another subscription: ended at once, and its money sent back, until that is done.

Whoever calls is an event that is not processed before this has come through, and each step may be taken again: ending
what has ended does nothing, and a refund has one key until it fails.
"""

import structlog
from django.db import transaction

from accounts.mail import owe_mail
from accounts.models import OutgoingMail, Subscription
from accounts.subscriptions import EVER, mark_returned
from billing.models import Payment, Refund
from billing.providers.contract import Provider
from billing.providers.refusals import AlreadyRefunded
from billing.refunding import alone_with, send_back
from billing.settling import look_at_payment

LETTER = "paid_twice"
REASON = "Paid for twice"
# So many refunds a bank may fail; then its owner is asked by staff, who have read of each in the log.
MOST_TRIES = 3

log = structlog.get_logger(__name__)


def give_back(provider: Provider, subscription: Subscription) -> None:
    if not subscription.returned_at:
        log.error("paid_twice", subscription=str(subscription.pk), provider=provider.name)
    provider.cancel(subscription.provider_id or "", now=True)
    listed = [each.id for each in provider.payments(subscription.provider_id or "") if each.status == "succeeded"]
    paid = [payment for payment in (look_at_payment(provider, each) for each in listed) if payment]
    in_vain = [payment for payment in paid if _was_in_vain(payment, subscription)]
    are_going = [_return(provider, payment) for payment in in_vain]
    if in_vain and all(are_going):
        _say_so(subscription, again=any(payment.count_failed_refunds() for payment in in_vain))
    elif not in_vain and subscription.surplus_since != EVER:
        mark_returned(subscription)
    # Else its payment will be known later, and its own event comes by here; or its bank takes nothing back.


def _was_in_vain(payment: Payment, subscription: Subscription) -> bool:
    """Paid since nothing was given for it."""
    since = subscription.surplus_since
    return bool(since and payment.amount and payment.paid_at and payment.paid_at >= since)


def _return(provider: Provider, payment: Payment) -> bool:
    """Whether it is on its way."""
    with alone_with(payment):
        payment.refresh_from_db()
        failed = payment.count_failed_refunds()
        if payment.asked_back() >= payment.amount:
            return True
        if payment.is_in_dispute:
            # Its bank decides; what is lost has gone back that way.
            return payment.lost + payment.asked_back() >= payment.amount
        if failed >= MOST_TRIES:
            return False
        try:
            once = f"paid_twice:{payment.provider_id}:{failed}"
            refund = send_back(provider, payment, amount=None, reason=REASON, once=once)
        except AlreadyRefunded:
            # By staff, or by us before a fall: its own event brings the row. Or else what failed cannot be repeated.
            return not failed
    return refund.status != Refund.Status.FAILED


def _say_so(subscription: Subscription, *, again: bool) -> None:
    """Once: that a bank failed and it goes back anew is no news to its owner."""
    with transaction.atomic():
        if mark_returned(subscription) and not (again and _was_told(subscription)):
            owe_mail(subscription.user, LETTER)


def _was_told(subscription: Subscription) -> bool:
    since = subscription.created_at
    return OutgoingMail.objects.filter(user=subscription.user_id, template=LETTER, created_at__gte=since).exists()
