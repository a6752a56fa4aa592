"""What staff do about money that only its provider can do: each verb asks there, and then looks at what came of it."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

from django.db.models import Q, Sum
from django.db.models.functions import Now

from accounts.models import Subscription
from billing.cards import look_at_every_card
from billing.models import Payment, Refund
from billing.news import tell
from billing.providers import PROVIDERS
from billing.providers.contract import Provider
from billing.settling import database_now, look_at_payment, look_at_refund, look_at_subscription
from core.errors import Conflict, Invalid, NotConfigured

# Longer than a provider may take for all that a refund asks of it.
LEASE = timedelta(minutes=5)
PAID = (Payment.Status.SUCCEEDED, Payment.Status.REFUNDED)


class GivenBackMeanwhile(Conflict):
    """Some of this payment was given back since you looked. Look again."""

    code = "given_back_meanwhile"


class BeingGivenBack(Conflict):
    """Somebody is giving this payment back right now."""

    code = "being_given_back"


class NotSoMuch(Invalid):
    """So much of this payment is not there to be given back."""

    code = "not_so_much"


class NoProvider(Invalid):
    """Nobody is paid for this, so there is nothing to ask a provider."""

    code = "no_provider"


def given_back(payment: Payment) -> int:
    """What has been asked back of it already, done or under way."""
    going = payment.refunds.exclude(status=Refund.Status.FAILED).aggregate(total=Sum("amount"))["total"] or 0
    return max(going, payment.refunded)


def left_of(payment: Payment) -> int:
    return payment.amount - given_back(payment) if payment.status in PAID else 0


def refund(payment: Payment, *, amount: int, reason: str, seen: int) -> Refund | None:
    """Give back this much; `seen` is what had been given back when it was decided, so that a second click does nothing.

    None where the provider has done it and does not yet say so: an event will.
    """
    provider = _provider(payment.provider)
    with _alone_with(payment):
        payment.refresh_from_db()
        if given_back(payment) != seen:
            raise GivenBackMeanwhile
        if not 0 < amount <= left_of(payment):
            raise NotSoMuch(details={"left": left_of(payment), "currency": payment.currency})
        # One that failed is no reason not to try again; until then, whoever tries again means the same one.
        failed = payment.refunds.filter(status=Refund.Status.FAILED).count()
        found = provider.refund(
            payment.provider_id,
            amount=None if amount == payment.amount else amount,
            reason=reason,
            once=f"refund:{payment.pk}:{seen}:{failed}",
        )
        return look_at_refund(provider, found.id)


def cancel(subscription: Subscription, *, now: bool) -> Subscription:
    """Have nothing charged any more, from now or from the period's end; what is paid for is given either way."""
    provider, subscription_id = _provider(subscription.provider), subscription.provider_id or ""
    if subscription.downgrade_to_plan_id and not now:
        provider.undo_scheduled_change(subscription_id)
    provider.cancel(subscription_id, now=now)
    return look_again(subscription)


def look_again(subscription: Subscription) -> Subscription:
    """Have our rows say what the provider says now: of the subscription, its payments and refunds, and the cards."""
    provider, subscription_id = _provider(subscription.provider), subscription.provider_id or ""
    if settled := look_at_subscription(provider, subscription_id):
        tell(provider, settled)
    for found in provider.payments(subscription_id):
        _look_at(provider, found.id)
    look_at_every_card(provider, subscription.user_id)
    return Subscription.objects.select_related("plan", "user").get(pk=subscription.pk)


def look_at_payment_again(payment: Payment) -> Payment:
    return _look_at(_provider(payment.provider), payment.provider_id) or payment


def _look_at(provider: Provider, payment_id: str) -> Payment | None:
    payment = look_at_payment(provider, payment_id)
    if payment:
        for each in payment.refunds.filter(status=Refund.Status.PENDING):
            look_at_refund(provider, each.provider_id)
        payment.refresh_from_db()
    return payment


@contextmanager
def _alone_with(payment: Payment) -> Iterator[None]:
    """Nobody else gives back of it meanwhile. A lease and not a lock: no transaction stays open while a bank thinks."""
    until = database_now() + LEASE
    free = Payment.objects.filter(Q(refunding_until=None) | Q(refunding_until__lt=Now()), pk=payment.pk)
    if not free.update(refunding_until=until):
        raise BeingGivenBack
    try:
        yield
    finally:
        Payment.objects.filter(pk=payment.pk, refunding_until=until).update(refunding_until=None)


def _provider(name: str) -> Provider:
    if name not in PROVIDERS:
        raise NoProvider
    provider = PROVIDERS[name]()
    if not provider.is_configured():
        raise NotConfigured(f"{name} is not set up here.")
    return provider
