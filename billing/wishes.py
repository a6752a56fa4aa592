"""What takes several calls to a provider: whatever fails between them, a worker brings it to its end.

A row is written before the first call and goes with the last one. One for a plan says: as soon as that plan has begun,
nothing that was planned before stands any more. One for none says: what was planned is being replaced, and where
neither the old nor the new stands, the subscription is cancelled, so that nobody is charged for what they gave up.
"""

from datetime import timedelta

from django.db.models import F, Q, QuerySet
from django.db.models.functions import Now

from accounts.models import Plan, Subscription
from accounts.turns import is_free, turn
from billing.models import Wish
from billing.news import look_and_tell
from billing.providers.contract import Provider, Standing, Subscribed
from billing.rounds import Round
from billing.settling import plan_of

# A plan that has not begun by then, on its bank's page or with the nightly look, was not charged.
GIVEN_UP = timedelta(days=2)
# What can be brought to its end, as far as we know.
DUE = Q(plan=None) | Q(plan=F("subscription__plan"))


def wish(subscription: Subscription, *, plan: Plan | None) -> Wish:
    return Wish.objects.create(subscription=subscription, plan=plan)


def forget(subscription: Subscription) -> None:
    Wish.objects.filter(subscription=subscription).delete()


def fulfil(provider: Provider, subscription: Subscription) -> None:
    """Make so what was wished for last, of what can be by now; only in its turn."""
    found = provider.subscription(subscription.provider_id or "")
    if found is None or found.standing is Standing.ENDED:
        forget(subscription)
        return
    begun = Q(plan=plan_of(provider.name, found.product_id))
    wishes = Wish.objects.filter(subscription=subscription)
    last = wishes.filter(begun | Q(plan=None)).order_by("-pk").first()
    if last:
        (_go_on if last.plan_id else _end_or_change)(provider, found)
        wishes.filter(pk__lte=last.pk).delete()


def fulfil_all() -> int:
    """Those that nobody is at any more."""
    Wish.objects.filter(created_at__lt=Now() - GIVEN_UP).exclude(DUE).delete()
    tour = Round()
    return sum(tour.ask(each, _fulfil) for each in tour.over(_left_behind()))


def _left_behind() -> QuerySet[Subscription]:
    due = [*Wish.objects.filter(DUE).values_list("subscription", flat=True)]
    return Subscription.objects.filter(is_free(), pk__in=due, provider_id__isnull=False)


def _fulfil(provider: Provider, subscription: Subscription) -> None:
    with turn(subscription):
        fulfil(provider, subscription)
        look_and_tell(provider, subscription.provider_id or "")


def _go_on(provider: Provider, found: Subscribed) -> None:
    if found.scheduled_product_id:
        provider.undo_scheduled_change(found.id)
    if found.cancels_at_end:
        provider.resume(found.id)


def _end_or_change(provider: Provider, found: Subscribed) -> None:
    """Where one of both stands, that is what was wanted, or nothing has been done yet."""
    if not (found.cancels_at_end or found.scheduled_product_id):
        provider.cancel(found.id, now=found.standing is Standing.PAST_DUE)
