"""What becomes of money when somebody is erased: nothing is charged any more; the books stay, without the person."""

from collections.abc import Iterator
from typing import Any

import structlog
from django.db.models import Model, Q
from django.db.models.functions import Now

from accounts.models import Subscription, User
from billing.models import BillingEvent, Checkout, Customer, Payment, Refund
from billing.providers import PROVIDERS
from billing.providers.contract import Page, Provider, Standing
from core.errors import NotConfigured, Unavailable

FORGOTTEN: dict[str, Any] = {"body": b"", "headers": {}}
# What is named in a delivery, and by which column it leads to somebody.
NAMED: dict[str, tuple[type[Model], str]] = {
    "subscriptions": (Subscription, "provider_id__in"), "payments": (Payment, "provider_id__in"),
    "refunds": (Refund, "provider_id__in"), "disputes": (Payment, "disputes__has_any_keys"),
    "card_owners": (Customer, "customer_id__in"),
}  # fmt: skip

log = structlog.get_logger(__name__)


class StillOpen(Unavailable):
    """Somebody who is erased could still pay on a page that nobody can close before its time."""

    code = "checkout_still_open"


def leave(user: User) -> None:
    """Before the user is gone, and again until it comes through: whatever fails here lets the erasure wait.

    Events can no more be led to anybody afterwards, so this is the last moment at which we know what is theirs.
    """
    for page in Checkout.objects.filter(subscription__user=user).select_related("subscription"):
        _close(page)
    for subscription in Subscription.objects.filter(user=user, provider_id__isnull=False):
        _end(_provider(subscription.provider), subscription.provider_id or "")
    _forget_deliveries(user)


def _close(page: Checkout) -> None:
    provider = _provider(page.subscription.provider)
    state = provider.close_checkout(page.provider_id)
    if state.subscription_id:
        _end(provider, state.subscription_id)
    elif state.page is not Page.OVER and Checkout.objects.filter(pk=page.pk, expires_at__gt=Now()).exists():
        raise StillOpen


def _end(provider: Provider, subscription_id: str) -> None:
    found = provider.subscription(subscription_id)
    if found and found.standing is not Standing.ENDED:
        provider.cancel(subscription_id, now=True)
        log.info("subscription_ended_with_account", provider=provider.name, subscription=subscription_id)


def is_somebodys(event: BillingEvent) -> bool:
    """Whether it leads to somebody here who stays: what is said in any other could be found by nobody who leaves."""
    for kind, names in event.about.items():
        model, column = NAMED[kind]
        named = model._default_manager.filter(provider=event.provider, **{column: names})
        if named.filter(user__isnull=False, user__erasure_asked_at=None).exists():
            return True
    return False


def _forget_deliveries(user: User) -> None:
    """What was sent about them holds their name and address; which rows it was about may stay."""
    for provider, kind, name in _known_as(user):
        about = BillingEvent.objects.filter(~Q(body=b""), provider=provider, about__contains={kind: [name]})
        about.update(**FORGOTTEN)


def _known_as(user: User) -> Iterator[tuple[str, str, str]]:
    kinds: dict[str, Any] = {"subscriptions": Subscription, "payments": Payment, "refunds": Refund}
    for kind, model in kinds.items():
        own = model.objects.filter(user=user, provider_id__isnull=False)
        for provider, name in own.values_list("provider", "provider_id"):
            yield provider, kind, name
    for provider, names in Payment.objects.filter(user=user).exclude(disputes={}).values_list("provider", "disputes"):
        yield from ((provider, "disputes", name) for name in names)
    for provider, name in Customer.objects.filter(user=user).values_list("provider", "customer_id"):
        yield provider, "card_owners", name


def _provider(name: str) -> Provider:
    provider = PROVIDERS[name]()
    if not provider.is_configured():
        # Staff have to see to it: without its keys nobody can say whether it goes on charging.
        raise NotConfigured(f"{name} is not set up here, and may still charge somebody who is to be erased.")
    return provider
