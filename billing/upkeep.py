"""What time brings about: paid time that runs out, changes that were waiting for it, and what no event told us.

Each may run twice at once: whatever it does for one user, it does under that user's lock, or the provider decides.
"""

from collections import Counter
from collections.abc import Iterator
from datetime import timedelta

import structlog
from django.db import transaction
from django.db.models import Q, QuerySet
from django.db.models.functions import Now

from accounts.mail import owe_mail
from accounts.models import Subscription
from accounts.subscriptions import end_lapsed, lapsed
from billing.cards import look_at_every_card
from billing.models import Payment
from billing.news import tell
from billing.providers import PROVIDERS
from billing.providers.contract import Provider
from billing.settling import STATES, look_at_payment, look_at_subscription
from core.errors import Problem

Status = Subscription.Status
AT_ONCE = 500
LATELY = timedelta(days=60)
# A provider that has failed so often running is not asked any more in this round.
MOST_SILENCES = 5

log = structlog.get_logger(__name__)


def end_all_lapsed() -> int:
    """Whoever has paid until now and no longer is on Free from now. Asked last: perhaps it was paid meanwhile."""
    ended, silent = 0, Counter[str]()
    live = Subscription.objects.filter(status__in=Subscription.LIVE).select_related("user", "plan")
    for subscription in live.filter(lapsed()).order_by("pk")[:AT_ONCE]:
        if subscription.provider_id:
            _look(subscription, silent)
        with transaction.atomic():
            over = end_lapsed(subscription.user_id)
            for each in over:
                owe_mail(each.user, "subscription_ended")
        ended += len(over)
    return ended


def process_scheduled_downgrades() -> int:
    """Look where a cheaper plan should have begun by now, at midnight, whether or not an event said so."""
    due, silent = _paid().filter(downgrade_to_plan__isnull=False, current_period_end__lte=Now()), Counter[str]()
    return sum(_look(subscription, silent) for subscription in _every(due.filter(status__in=Subscription.LIVE)))


def reconcile() -> int:
    """Look at everything that is paid for; what differs is put right, counted and said.

    Also at what ended here lately and perhaps not there: whoever is charged for it again shall have it again.
    """
    silent, lately = Counter[str](), Q(is_over=False, ended_at__gte=Now() - LATELY)
    rows = _paid().filter(Q(status__in=Subscription.LIVE) | lately)
    return sum(_look(subscription, silent, with_payments=True) for subscription in _every(rows))


def _paid() -> QuerySet[Subscription]:
    return Subscription.objects.filter(provider_id__isnull=False).select_related("user", "plan").order_by("pk")


def _every(rows: QuerySet[Subscription]) -> Iterator[Subscription]:
    last = None
    while batch := list((rows.filter(pk__gt=last) if last else rows)[:AT_ONCE]):
        yield from batch
        last = batch[-1].pk


def _look(subscription: Subscription, silent: Counter[str], *, with_payments: bool = False) -> bool:
    """Whether something had to be put right; what cannot be asked now is asked the next time."""
    provider = PROVIDERS[subscription.provider]()
    if silent[provider.name] >= MOST_SILENCES:
        return False
    before = (subscription.status, subscription.plan_id, subscription.current_period_end)
    try:
        settled = look_at_subscription(provider, subscription.provider_id or "")
        if with_payments:
            _look_at_payments(provider, subscription)
        if settled is None:
            return False
        tell(provider, settled)
        if with_payments:
            look_at_every_card(provider, settled.subscription.user_id)
    except Problem as problem:
        log.warning("subscription_not_looked_at", subscription=str(subscription.pk), code=problem.code)
        silent[provider.name] += problem.retryable
        return False
    silent[provider.name] = 0
    now = settled.subscription
    drifted = (now.status, now.plan_id, now.current_period_end) != before
    if drifted:
        log.warning("subscription_drifted", subscription=str(now.pk), provider=provider.name, status=now.status)
    return drifted


def _look_at_payments(provider: Provider, subscription: Subscription) -> None:
    """At those of which the list says something else than we do: the others would be a call each, every night."""
    known = dict(Payment.objects.filter(subscription=subscription).values_list("provider_id", "status"))
    for listed in provider.payments(subscription.provider_id or ""):
        if known.get(listed.id) not in (STATES[listed.status], Payment.Status.REFUNDED):
            look_at_payment(provider, listed.id)
