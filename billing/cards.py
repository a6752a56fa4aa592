"""The cards that providers keep for our users: here are only what names one, when it expires, and which is charged."""

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from functools import partial
from uuid import UUID

import structlog
from django.db import transaction

from accounts.models import Subscription, User
from accounts.subscriptions import Settled
from billing.models import Customer, PaymentMethod
from billing.providers.contract import Card, Provider
from billing.settling import database_now
from core.errors import Problem

KEPT = ("user", "kind", "brand", "last4", "expires_month", "expires_year", "is_default")

log = structlog.get_logger(__name__)


def look_at_cards(provider: Provider, customer_id: str) -> None:
    """Of somebody we do not know there is nothing to keep."""
    known = Customer.objects.filter(provider=provider.name, customer_id=customer_id).values_list("user_id", flat=True)
    for user_id in known:
        begun = database_now()
        keep_cards(provider.name, user_id, provider.cards(customer_id), seen_at=begun)


def look_at_cards_of(provider: Provider, *changed: Settled) -> None:
    """After subscriptions have changed, perhaps because of another card; or where no look has come to an end yet.

    Where they cannot be had, it is said and no more: what is paid for does not wait for that, and each night looks.
    """
    for settled in changed:
        row = settled.subscription
        has_changed = (settled.before, settled.plan_before) != (row.status, row.plan_id)
        never_seen = Customer.objects.filter(user=row.user_id, provider=provider.name, cards_seen_at=None)
        if settled.is_news and (has_changed or never_seen.exists()):
            _look_if_possible(partial(look_at_every_card, provider, row.user_id), provider)


def look_at_cards_named(provider: Provider, customer_ids: Iterable[str]) -> None:
    """Of customers whose cards are what an event is about: silence is worth another try, a refusal is not."""
    for customer_id in customer_ids:
        _look_if_possible(partial(look_at_cards, provider, customer_id), provider, insists=True)


def _look_if_possible(look: Callable[[], None], provider: Provider, *, insists: bool = False) -> None:
    try:
        look()
    except Problem as problem:
        if insists and problem.retryable:
            raise
        log.warning("cards_not_looked_at", provider=provider.name, code=problem.code)


def look_at_every_card(provider: Provider, user_id: UUID) -> None:
    for customer in Customer.objects.filter(user=user_id, provider=provider.name):
        look_at_cards(provider, customer.customer_id)


def keep_cards(provider: str, user_id: UUID, cards: Sequence[Card], *, seen_at: datetime) -> bool:
    """Have these cards of one provider's and no others; False where a later look has been written already."""
    with transaction.atomic():
        # Whoever else writes this user's cards waits here: there is one default, whatever two providers say.
        if not User.objects.select_for_update(no_key=True).only("pk").filter(pk=user_id).first():
            return False
        looks = Customer.objects.filter(user=user_id, provider=provider)
        if looks.filter(cards_seen_at__gt=seen_at).exists():
            return False
        looks.update(cards_seen_at=seen_at)
        own = PaymentMethod.objects.filter(user=user_id, provider=provider)
        own.exclude(provider_id__in=[card.id for card in cards]).delete()
        _write(user_id, provider, cards)
        return True


def _write(user_id: UUID, provider: str, cards: Sequence[Card]) -> None:
    default = _default(user_id, provider, cards)
    if default:
        # Before, or there would be two of them for the length of a statement.
        others = PaymentMethod.objects.filter(user=user_id, is_default=True).exclude(provider_id=default)
        others.update(is_default=False)
    rows = {card.id: _row(user_id, provider, card, is_default=card.id == default) for card in cards}
    PaymentMethod.objects.bulk_create(
        rows.values(), update_conflicts=True, unique_fields=["provider", "provider_id"], update_fields=KEPT
    )


def _default(user_id: UUID, provider: str, cards: Sequence[Card]) -> str:
    """Which is charged: one of them, unless another provider is paid by another card."""
    named = next((card.id for card in cards if card.is_default), cards[0].id if cards else "")
    paid = Subscription.objects.filter(user=user_id, status__in=Subscription.LIVE, provider_id__isnull=False)
    if (charging := paid.values_list("provider", flat=True).first()) is None:
        own = PaymentMethod.objects.filter(user=user_id, is_default=True)
        charging = own.values_list("provider", flat=True).first()
    return named if charging in (None, provider) else ""


def _row(user_id: UUID, provider: str, card: Card, *, is_default: bool) -> PaymentMethod:
    return PaymentMethod(
        user_id=user_id,
        provider=provider,
        provider_id=card.id,
        kind=card.kind[:30],
        brand=card.brand[:30],
        last4=card.last4[:4],
        expires_month=card.expires_month,
        expires_year=card.expires_year,
        is_default=is_default,
    )
