"""What staff do about money that only its provider can do: each verb asks there, and then looks at what came of it."""

from accounts.models import Subscription
from accounts.turns import turn
from billing import changing
from billing.cards import look_at_every_card
from billing.models import Payment, Refund
from billing.news import tell
from billing.providers import PROVIDERS
from billing.providers.contract import Provider
from billing.refunding import alone_with, send_back
from billing.returns import look_at_returns
from billing.settling import look_at_payment, look_at_subscription
from core.errors import UNCLEAR, Conflict, Invalid, NotConfigured, VendorProblem

PAID = (Payment.Status.SUCCEEDED, Payment.Status.REFUNDED)


class GivenBackMeanwhile(Conflict):
    """Some of this payment was given back since you looked. Look again."""

    code = "given_back_meanwhile"


class PerhapsGivenBack(VendorProblem):
    """The provider has not said whether it gave this back. Look again in five minutes, before which nothing is sent."""

    code = "perhaps_given_back"


class NotSoMuch(Invalid):
    """So much of this payment is not there to be given back."""

    code = "not_so_much"


class InDispute(Conflict):
    """Its bank holds this money, or has taken it: who gives it back as well gives it twice."""

    code = "in_dispute"


class NoProvider(Invalid):
    """Nobody is paid for this, so there is nothing to ask a provider."""

    code = "no_provider"


def left_of(payment: Payment) -> int:
    can_be = payment.status in PAID and not payment.is_in_dispute
    return payment.amount - payment.asked_back() if can_be else 0


def refund(payment: Payment, *, amount: int, reason: str, seen: int) -> Refund:
    """Give back this much; `seen` is what had been given back when it was decided: a second click does nothing."""
    provider = _provider(payment.provider)
    try:
        with alone_with(payment):
            return _refund(provider, payment, amount=amount, reason=reason, seen=seen)
    except UNCLEAR as problem:
        raise PerhapsGivenBack(details={"because": problem.code}) from problem


def _refund(provider: Provider, payment: Payment, *, amount: int, reason: str, seen: int) -> Refund:
    payment.refresh_from_db()
    if payment.is_in_dispute:
        raise InDispute
    if payment.asked_back() != seen:
        raise GivenBackMeanwhile
    if not 0 < amount <= left_of(payment):
        raise NotSoMuch(details={"left": left_of(payment), "currency": payment.currency})
    # Until one has failed, whoever tries again means the same one.
    once = f"refund:{payment.pk}:{seen}:{payment.count_failed_refunds()}"
    whole = amount == payment.amount
    return send_back(provider, payment, amount=None if whole else amount, reason=reason, once=once)


def cancel(subscription: Subscription, *, now: bool) -> Subscription:
    """Have nothing charged any more, from now or from the period's end; what is paid for is given either way."""
    provider = _provider(subscription.provider)
    with turn(subscription):
        # As it is by now: its owner may have changed it before it was our turn.
        changing.end(Subscription.objects.get(pk=subscription.pk), provider, now=now)
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
        look_at_returns(provider, payment)
        payment.refresh_from_db()
    return payment


def _provider(name: str) -> Provider:
    if name not in PROVIDERS:
        raise NoProvider
    provider = PROVIDERS[name]()
    if not provider.is_configured():
        raise NotConfigured(f"{name} is not set up here.")
    return provider
