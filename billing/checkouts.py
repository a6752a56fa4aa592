"""The pages on which plans are paid: one for each subscription that waits for its payment, however often it is asked.

No page is opened, or asked about, inside a transaction: the unique key decides which of two that were opened at once
is given out, and the other one is shown to nobody.
"""

from datetime import timedelta

import structlog
from django.db.models import QuerySet
from django.db.models.functions import Now

from accounts.models import Subscription, User
from billing import providers
from billing.models import Checkout
from billing.providers.contract import Checkout as Opened
from billing.providers.contract import CheckoutState, Page, Provider
from core.errors import Conflict, Problem

# So long after its end a page is asked about yet: a payment may be under way.
AFTERMATH = timedelta(hours=6)

log = structlog.get_logger(__name__)


class CheckoutLeft(Conflict):
    """This checkout is waited for no more: another plan was chosen, or it was left. Please choose again."""

    code = "checkout_left"
    retryable = True


def known_page(pending: Subscription, provider: Provider) -> tuple[Checkout, CheckoutState] | None:
    """The page that was opened for it before, and how it stands; none where its time has run out unused."""
    page = Checkout.objects.filter(subscription=pending).first()
    if page is None:
        return None
    state = provider.checkout_state(page.provider_id)
    is_late = Checkout.objects.filter(pk=page.pk, expires_at__lte=Now()).exists()
    if (state.page is Page.OPEN and not is_late) or state.page is Page.PAID:
        return page, state
    if state.page is Page.OPEN:
        _close_quietly(provider, page.provider_id)
    Checkout.objects.filter(pk=page.pk).delete()
    return (page, state) if state.page is Page.OVER else None


def keep_page(pending: Subscription, provider: Provider, opened: Opened) -> Checkout:
    """Ours, or the one of whoever was quicker: then nobody is shown ours."""
    ours = Checkout(
        subscription=pending, provider_id=opened.id, url=opened.url, expires_at=opened.expires_at
    )  # fmt: skip
    Checkout.objects.bulk_create([ours], ignore_conflicts=True)
    page = Checkout.objects.filter(subscription=pending).first()
    if page is None or page.provider_id != opened.id:
        _close_quietly(provider, opened.id)
    # Looked at after it is kept: whoever chose another plan meanwhile has either seen this page or is seen here.
    if page is None or not is_awaited(pending):
        close_unwanted(pending.user)
        raise CheckoutLeft
    return page


def is_awaited(pending: Subscription) -> bool:
    return Subscription.objects.filter(pk=pending.pk, status=Subscription.Status.PENDING).exists()


def close_unwanted(user: User) -> dict[str, list[CheckoutState]]:
    """Let nobody pay on the pages of what is not waited for any more; what was paid there unseen, by provider."""
    paid: dict[str, list[CheckoutState]] = {}
    for page in unwanted().filter(subscription__user=user):
        state = close(page)
        if state and state.page is Page.PAID and not page.subscription.provider_id:
            paid.setdefault(page.subscription.provider, []).append(state)
    return paid


def unwanted() -> QuerySet[Checkout]:
    return _with_owner().exclude(subscription__status=Subscription.Status.PENDING)


def over() -> QuerySet[Checkout]:
    """Nobody can pay on them any more, and yet they are waited for."""
    return _with_owner().filter(subscription__status=Subscription.Status.PENDING, expires_at__lte=Now())


def close(page: Checkout) -> CheckoutState | None:
    """None where its provider cannot be asked now. What is kept is asked about again."""
    provider = providers.PROVIDERS[page.subscription.provider]()
    try:
        state = provider.close_checkout(page.provider_id)
    except Problem as problem:
        log.warning("checkout_not_closed", checkout=str(page.pk), provider=provider.name, code=problem.code)
        return None
    gone = Checkout.objects.filter(pk=page.pk)
    if state.page is not Page.OVER and not page.subscription.provider_id:
        # Open where nobody can close it, or paid for what has not been looked at yet.
        gone = gone.filter(expires_at__lte=Now() - AFTERMATH)
    gone.delete()
    return state


def _with_owner() -> QuerySet[Checkout]:
    return Checkout.objects.select_related("subscription__user").order_by("expires_at")


def _close_quietly(provider: Provider, checkout_id: str) -> None:
    """One that nobody is shown any more: where it stays open, what is paid there is honoured or given back."""
    try:
        provider.close_checkout(checkout_id)
    except Problem as problem:
        log.warning("checkout_not_closed", provider=provider.name, code=problem.code)
