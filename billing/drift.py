"""What a look at a provider put right here: counted by what it was, and said without whose it is."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import structlog

from accounts.models import Subscription
from billing.models import Payment, PaymentMethod, Refund

Row = tuple[Any, ...]

log = structlog.get_logger(__name__)


@contextmanager
def noticed(subscription: Subscription, put_right: Counter[str]) -> Iterator[None]:
    """Add what differs afterwards, also where the provider fell silent half-way.

    It is compared with our rows as they are now: what an event has brought since a round began is no drift.
    """
    before = {*_rows(subscription)}
    try:
        yield
    finally:
        found = Counter(kind for kind, _ in {row[:2] for row in before ^ {*_rows(subscription)}})
        put_right.update(found)
        if found:
            log.warning("subscription_drifted", subscription=str(subscription.pk), put_right=dict(found))


def _rows(subscription: Subscription) -> Iterator[Row]:
    """All that follows from what its provider has, except when it was seen: each with its kind and its id first."""
    own = Subscription.objects.filter(pk=subscription.pk)
    payments = Payment.objects.filter(subscription=subscription)
    refunds = Refund.objects.filter(payment__subscription=subscription)
    cards = PaymentMethod.objects.filter(user=subscription.user_id, provider=subscription.provider)
    ends = ("current_period_end", "cancel_at_period_end", "is_over")
    yield from _told("subscription", own.values_list("pk", "status", "plan", "downgrade_to_plan", *ends))
    yield from _told("payment", payments.values_list("pk", "status", "amount", "refunded"))
    yield from _told("dispute", payments.exclude(disputed="").values_list("pk", "disputed"))
    yield from _told("refund", refunds.values_list("pk", "status", "amount"))
    yield from _told("card", cards.values_list("provider_id", "expires_month", "expires_year", "is_default"))


def _told(kind: str, rows: Any) -> Iterator[Row]:
    return ((kind, *row) for row in rows)
