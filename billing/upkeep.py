"""What time brings about: paid time that runs out, changes that were waiting for it, and what no event told us.

Each may run twice at once: whatever it does for one user, it does under that user's lock, or the provider decides.
"""

import time
from collections.abc import Callable
from datetime import datetime, timedelta

import structlog
from django.db import transaction
from django.db.models import Q, QuerySet
from django.db.models.functions import Now

from accounts.mail import owe_mail
from accounts.models import Subscription
from accounts.subscriptions import end_lapsed, lapsed, mark_over, mark_seen, owed_in_vain
from billing.cards import look_at_every_card
from billing.drift import noticed
from billing.models import Payment
from billing.news import look_and_tell, tell
from billing.providers.contract import Provider, Standing
from billing.returns import look_at_returns
from billing.rounds import Round
from billing.settling import STATES, database_now, look_at_payment, look_at_subscription

Status = Subscription.Status
LATELY = timedelta(days=60)
# A night has many rounds, and in it nothing is looked at twice.
TONIGHT = timedelta(hours=20)
PAID = (Payment.Status.SUCCEEDED, Payment.Status.REFUNDED)
# Later, what comes back is found by its event, or by whoever looks again.
MAY_COME_BACK = timedelta(days=90)

log = structlog.get_logger(__name__)


def end_all_lapsed() -> int:
    """Whoever has paid until now and no longer is on Free from now. Asked last: perhaps it was paid meanwhile."""
    ended, unheard, tour = 0, 0, Round()
    live = Subscription.objects.filter(status__in=Subscription.LIVE).select_related("user", "plan")
    for subscription in tour.over(live.filter(lapsed())):
        is_heard = not subscription.provider_id or _look(subscription, tour)
        with transaction.atomic():
            over = end_lapsed(subscription.user_id, is_heard=is_heard)
            for each in over:
                owe_mail(each.user, "subscription_ended")
        ended += len(over)
        unheard += not (is_heard or over)
    if unheard:
        # Perhaps they are charged for it: whoever can mend that has to, and nobody is taken what they pay for.
        log.error("lapsed_and_not_heard_of", subscriptions=unheard)
    _stop_dunning(tour)
    return ended


def process_scheduled_downgrades() -> int:
    """Look where a cheaper plan should have begun by now, at midnight, whether or not an event said so."""
    due, tour = _paid().filter(downgrade_to_plan__isnull=False, current_period_end__lte=Now()), Round()
    for subscription in tour.over(due.filter(status__in=Subscription.LIVE)):
        _look(subscription, tour)
    return tour.put_right["subscription"]


def reconcile(*, since: datetime | None = None, wait: Callable[[float], None] = time.sleep) -> int:
    """Look at everything that is paid for; what differs is put right, counted and said.

    Also at what ended here lately and perhaps not there: whoever is charged for it again shall have it again. What was
    looked at longest ago comes first, so that the next round goes on where this one had to stop.
    """
    lately = Q(is_over=False, ended_at__gte=Now() - LATELY)
    rows = _paid().filter(Q(status__in=Subscription.LIVE) | lately)
    rows = rows.filter(Q(seen_at=None) | Q(seen_at__lt=since)) if since else rows
    tour = Round(wait=wait)
    looked_at = sum(_look(each, tour, with_payments=True) for each in tour.over(rows, is_paced=True))
    if looked_at:
        log.info("billing_reconciled", category="BILLING", looked_at=looked_at, put_right=dict(tour.put_right))
    return tour.put_right.total()


def _paid() -> QuerySet[Subscription]:
    return Subscription.objects.filter(provider_id__isnull=False).select_related("user", "plan")


def _stop_dunning(tour: Round) -> None:
    """Nobody is charged for what they do not have any more: asked again until its provider has ended it as well."""
    for subscription in tour.over(_paid().filter(owed_in_vain())):
        tour.ask(subscription, _end_unless_paid)


def _end_unless_paid(provider: Provider, subscription: Subscription) -> None:
    subscription_id = subscription.provider_id or ""
    found = provider.subscription(subscription_id)
    if found is None:
        mark_over(subscription)
        return
    if found.standing is Standing.PAST_DUE:
        provider.cancel(subscription_id, now=True)
        log.info("unpaid_subscription_ended", provider=provider.name, subscription=str(subscription.pk))
    # Or it has been paid for in the meantime, and is given again.
    look_and_tell(provider, subscription_id)


def _look(subscription: Subscription, tour: Round, *, with_payments: bool = False) -> bool:
    """Put right what differs; False where the provider could not be asked, and is asked the next time."""

    def look(provider: Provider, each: Subscription) -> None:
        with noticed(each, tour.put_right):
            _look_at_all(provider, each, with_payments=with_payments)

    return tour.ask(subscription, look)


def _look_at_all(provider: Provider, subscription: Subscription, *, with_payments: bool) -> None:
    begun = database_now()
    settled = look_at_subscription(provider, subscription.provider_id or "")
    if with_payments:
        _look_at_payments(provider, subscription)
    if settled is None:
        mark_seen(subscription, at=begun)
        return
    tell(provider, settled)
    if with_payments:
        look_at_every_card(provider, settled.subscription.user_id)


def _look_at_payments(provider: Provider, subscription: Subscription) -> None:
    """At those of which the list says something else than we do: the others would be a call each, every night."""
    known = dict(Payment.objects.filter(subscription=subscription).values_list("provider_id", "status"))
    for listed in provider.payments(subscription.provider_id or ""):
        if known.get(listed.id) not in (STATES[listed.status], Payment.Status.REFUNDED):
            look_at_payment(provider, listed.id)
    paid = Payment.objects.filter(subscription=subscription, status__in=PAID, paid_at__gte=Now() - MAY_COME_BACK)
    for payment in paid:
        look_at_returns(provider, payment)
