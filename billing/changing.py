"""A change of what is paid for: the calls to a provider that it takes, in an order in which no failure costs anybody.

Only in the subscription's turn. What fails between two calls is brought to its end by `billing/wishes.py`.
"""

from contextlib import suppress
from datetime import datetime

from django.conf import settings

from accounts.models import Plan, Subscription
from billing import wishes
from billing.providers.contract import Provider, Standing
from billing.providers.refusals import ConfirmationNeeded, PaymentDue, PaymentFailed, SubscriptionEnded
from core.errors import Problem
from core.ids import uuid7


def upgrade(live: Subscription, provider: Provider, plan: Plan, product_id: str, priced_at: datetime | None) -> None:
    wished = wishes.wish(live, plan=plan)
    try:
        provider.change_plan(
            name(live), product_id=product_id, at_period_end=False, once=once(), return_url=settings.APP_URL,
            priced_at=priced_at,
        )  # fmt: skip
    except ConfirmationNeeded:
        raise  # it may begin yet
    except (PaymentFailed, PaymentDue, SubscriptionEnded):
        wished.delete()
        raise
    # Only now: where the card is declined, what was planned stands. And it is charged, so no failure is told any more.
    with suppress(Problem):
        wishes.fulfil(provider, live)


def downgrade(live: Subscription, provider: Provider, product_id: str) -> None:
    _replace_planned(live)
    if live.cancel_at_period_end:
        provider.resume(name(live))
    try:
        provider.change_plan(name(live), product_id=product_id, at_period_end=True, once=once())
    except Problem:
        if live.cancel_at_period_end:
            with suppress(Problem):
                provider.cancel(name(live), now=False)
        raise
    wishes.forget(live)


def end(live: Subscription, provider: Provider, *, now: bool = False) -> None:
    """At the end of what is paid for. While a renewal is owed nothing is, and what is tried again would be charged."""
    _replace_planned(live)
    found = provider.subscription(name(live))
    at_once = now or (found is not None and found.standing is Standing.PAST_DUE)
    # In this order: what fails between leaves nobody to be charged for the dearer plan again.
    provider.cancel(name(live), now=at_once)
    if live.downgrade_to_plan_id and not at_once:
        provider.undo_scheduled_change(name(live))
    wishes.forget(live)


def stay(live: Subscription, provider: Provider) -> None:
    live.wishes.filter(plan=None).delete()
    if live.downgrade_to_plan_id:
        provider.undo_scheduled_change(name(live))
    if live.cancel_at_period_end:
        provider.resume(name(live))
    wishes.forget(live)


def name(live: Subscription) -> str:
    return live.provider_id or ""


def once() -> str:
    """New for each try: a provider answers a known one as it did before, with a failure too.

    That it happens once is for the turn, and for the adapter, which asks for nothing that is so already.
    """
    return str(uuid7())


def _replace_planned(live: Subscription) -> None:
    """The latest wish counts; and what was planned may be off before anything stands in its place."""
    if live.cancel_at_period_end or live.downgrade_to_plan_id:
        wishes.wish(live, plan=None)
    else:
        wishes.forget(live)
