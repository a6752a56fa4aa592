"""What was paid for beside another subscription: ended at once, and its money sent back, until that is done.

Whoever calls is an event that is not processed before this has come through, and each step may be taken again: ending
what has ended does nothing, and a refund has one key for ever.
"""

import structlog
from django.db import transaction
from django.db.models import Sum

from accounts.mail import owe_mail
from accounts.models import Subscription
from accounts.subscriptions import EVER, mark_returned
from billing.models import Payment, Refund
from billing.providers.contract import Provider
from billing.providers.refusals import AlreadyRefunded
from billing.settling import database_now, keep_refund, look_at_payment

LETTER = "paid_twice"
REASON = "Paid for twice"

log = structlog.get_logger(__name__)


def give_back(provider: Provider, subscription: Subscription) -> None:
    if not subscription.returned_at:
        log.error("paid_twice", subscription=str(subscription.pk), provider=provider.name)
    provider.cancel(subscription.provider_id or "", now=True)
    listed = [each.id for each in provider.payments(subscription.provider_id or "") if each.status == "succeeded"]
    paid = [payment for payment in (look_at_payment(provider, each) for each in listed) if payment]
    in_vain = [payment for payment in paid if _was_in_vain(payment, subscription)]
    for payment in in_vain:
        _return(provider, payment)
    if in_vain:
        _say_so(subscription)
    elif subscription.surplus_since != EVER:
        mark_returned(subscription)
    # Else its payment will be known later, and its own event comes by here.


def _was_in_vain(payment: Payment, subscription: Subscription) -> bool:
    """Paid since nothing was given for it."""
    since = subscription.surplus_since
    return bool(since and payment.amount and payment.paid_at and payment.paid_at >= since)


def _return(provider: Provider, payment: Payment) -> None:
    asked = payment.refunds.exclude(status=Refund.Status.FAILED).aggregate(total=Sum("amount"))["total"] or 0
    if asked >= payment.amount:
        return
    begun = database_now()
    try:
        found = provider.refund(
            payment.provider_id, amount=None, reason=REASON, once=f"paid_twice:{payment.provider_id}"
        )
    except AlreadyRefunded:
        # By staff, or by us before a fall: its own event brings the row.
        return
    keep_refund(provider.name, found, begun)


def _say_so(subscription: Subscription) -> None:
    with transaction.atomic():
        if mark_returned(subscription):
            owe_mail(subscription.user, LETTER)
