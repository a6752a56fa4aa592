"""What follows here from money that was taken back: from a refund that failed, a whole one, or a lost dispute."""

import structlog
from django.conf import settings

from accounts.models import Subscription
from accounts.subscriptions import revoke, unmark_returned
from billing.letters import owe_letter
from billing.models import Payment, Refund
from billing.providers.contract import Provider

LOST = "lost"

log = structlog.get_logger(__name__)


def follow_refund(provider: Provider, refund: Refund) -> None:
    """May be done again with each look; in no transaction, for the provider may be asked to end something."""
    payment = Payment.objects.select_related("subscription").get(pk=refund.payment_id)
    if refund.status == Refund.Status.FAILED:
        _begin_anew(payment)
    elif payment.status == Payment.Status.REFUNDED:
        _end_access(provider, payment)


def follow_dispute(provider: Provider, payment: Payment) -> None:
    if payment.disputed == LOST and payment.lost + payment.refunded >= payment.amount:
        _end_access(provider, payment)


def _begin_anew(payment: Payment) -> None:
    """The refund of what was paid twice has failed: what looks after such finds it once more."""
    subscription = payment.subscription
    if subscription and payment.asked_back() < payment.amount and unmark_returned(subscription):
        log.error("paid_twice_refund_failed", payment=str(payment.pk), failures=payment.count_failed_refunds())


def _end_access(provider: Provider, payment: Payment) -> None:
    subscription = payment.subscription
    if settings.ACCESS_AFTER_REFUND != "end" or subscription is None or _is_paid_by_another(payment):
        return
    if subscription.status in Subscription.LIVE and subscription.provider_id:
        # First there, so that nothing is charged any more for what is not given.
        provider.cancel(subscription.provider_id, now=True)
        if revoke(subscription, with_it=owe_letter):
            log.info("access_ended", subscription=str(subscription.pk), payment=str(payment.pk))


def _is_paid_by_another(payment: Payment) -> bool:
    """An old payment that goes back takes nothing from what was paid since."""
    paid = Payment.objects.filter(status=Payment.Status.SUCCEEDED, amount__gt=0).exclude(disputed=LOST)
    since = payment.paid_at or payment.created_at
    # A provider counts seconds, and two may fall into one.
    return paid.filter(subscription=payment.subscription_id, paid_at__gte=since).exclude(pk=payment.pk).exists()
