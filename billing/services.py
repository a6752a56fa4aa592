"""What a user can do about what they pay: each verb asks the provider, and then looks at what came of it.

Our rows never run ahead of the provider's: a verb that the provider has not confirmed has changed nothing here.
"""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from uuid import UUID

from django.conf import settings
from django.urls import reverse
from django.utils import timezone

from accounts.models import Plan, Subscription, User
from accounts.subscriptions import AlreadySubscribed, await_payment, leave_checkout
from accounts.turns import turn
from accounts.usage import FREE, get_user_subscription
from billing import changing, checkouts
from billing.customers import as_buyer, require_own
from billing.models import Invoice
from billing.news import look_and_tell
from billing.pricing import begins_now
from billing.providers import PROVIDERS, configured
from billing.providers.contract import Checkout, CheckoutState, Page, Preview, Provider, Standing, Subscribed
from billing.providers.refusals import (
    NotForSale,
    NotPaid,
    PaymentDue,
    PaymentUnderWay,
    PreviewTooOld,
    SubscriptionEnded,
)
from core.errors import Missing, NotConfigured, Problem, VendorRefused

# So long what a preview showed is charged: the rest of the period hardly changes meanwhile.
PREVIEW_HOLDS = timedelta(minutes=10)


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscribing:
    """A checkout that has been opened, and what it is for."""

    checkout_url: str
    subscription: Subscription
    # What is paid for or given until then, and ends as soon as this one is paid.
    replaces: Subscription | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """What a change of plan would be, and cost."""

    change: str  # "upgrade", "downgrade", "cancel" or "stay"
    plan_before: Plan
    cost: Preview


def subscribe(user: User, plan: Plan, *, provider_name: str | None = None) -> Subscribing:
    """Open the page on which a plan is paid; asked for again, in another tab too, it is the same page."""
    provider = _provider(provider_name)
    product_id = _product(plan, provider)
    pending = await_payment(user, plan, provider=provider.name)
    _close_the_others(user)
    if _goes_on(get_user_subscription(user)):
        leave_checkout(user)
        raise AlreadySubscribed
    if known := checkouts.known_page(pending, provider):
        page, state = known
        if state.page is Page.OPEN:
            return _opened(page.url, pending)
        if state.page is Page.OVER:
            # What was declined there ends its own row as soon as its event is here: another page has a row of its own.
            leave_checkout(user, only=pending.pk)
            return subscribe(user, plan, provider_name=provider.name)
        # Paid, and the event is on its way: whoever comes back from the page sooner is not sold it again.
        _begin(provider, state)
        if checkouts.is_awaited(pending):
            raise PaymentUnderWay
        return subscribe(user, plan, provider_name=provider.name)
    page = checkouts.keep_page(pending, provider, _open(user, provider, product_id, pending))
    return _opened(page.url, pending)


def change_plan(user: User, plan: Plan, *, priced_at: datetime | None = None) -> Subscription:
    """A plan that is dearer by the month begins now, a cheaper one when what is paid for ends."""
    if priced_at and abs(timezone.now() - priced_at) > PREVIEW_HOLDS:
        raise PreviewTooOld
    with _changing(user) as (live, provider):
        if plan.pk == live.plan_id:
            changing.stay(live, provider)
        elif plan.slug == FREE:
            changing.end(live, provider)
        else:
            _require_paid(live)
            product_id = _product(plan, provider)
            if begins_now(plan, instead_of=live.plan):
                changing.upgrade(live, provider, plan, product_id, priced_at)
            else:
                changing.downgrade(live, provider, product_id)
        return _looked_at(live, provider)


def preview_change(user: User, plan: Plan) -> Shown:
    live, provider = _paid_one(user)
    shown = partial(Shown, plan_before=live.plan)
    # Nothing is charged for a change that waits for the period's end; where that is owed, an end does not wait for it.
    ends_at = None if live.status == Subscription.Status.PAST_DUE else live.current_period_end
    free = Preview(amount=0, tax=0, currency=live.plan.currency, effective_at=ends_at or timezone.now())
    if plan.slug == FREE:
        return shown(change="cancel", cost=free)
    if live.is_over:
        raise SubscriptionEnded
    if plan.pk == live.plan_id:
        return shown(change="stay", cost=replace(free, effective_at=timezone.now()))
    _require_paid(live)
    product_id = _product(plan, provider)
    if not begins_now(plan, instead_of=live.plan):
        return shown(change="downgrade", cost=free)
    found = provider.preview_change(changing.name(live), product_id=product_id)
    return shown(change="upgrade", cost=replace(found, effective_at=timezone.now()))


def cancel(user: User) -> Subscription:
    """At the end of what is paid for, at once while a renewal is owed; what waits for a payment is left."""
    if not _goes_on(get_user_subscription(user)) and leave_checkout(user):
        _close_the_others(user)
        if not _goes_on(live := get_user_subscription(user)):
            return live
    with _changing(user) as (live, provider):
        changing.end(live, provider)
        return _looked_at(live, provider)


def resume(user: User) -> Subscription:
    """Undo whatever was to happen at the end of the period."""
    with _changing(user) as (live, provider):
        changing.stay(live, provider)
        return _looked_at(live, provider)


def open_portal(user: User) -> str:
    live, provider = _paid_one(user)
    return provider.portal(require_own(user, provider, _found(live, provider)), return_url=settings.APP_URL)


def update_card(user: User) -> str:
    live, provider = _paid_one(user)
    if (found := _found(live, provider)).standing is Standing.ENDED:
        raise SubscriptionEnded
    return provider.update_card(found.id, customer_id=require_own(user, provider, found), return_url=settings.APP_URL)


def invoice_pdf(user: User, invoice_id: UUID) -> bytes:
    invoice = Invoice.objects.filter(user=user, pk=invoice_id).select_related("payment").first()
    if invoice is None:
        raise Missing
    return _provider(invoice.payment.provider).invoice_pdf(invoice.payment.provider_id, invoice.provider_id)


def _opened(url: str, pending: Subscription) -> Subscribing:
    live = get_user_subscription(pending.user)
    is_lost = live.plan.slug != FREE and live.current_period_end and live.current_period_end > timezone.now()
    return Subscribing(checkout_url=url, subscription=pending, replaces=live if is_lost else None)


def _open(user: User, provider: Provider, product_id: str, pending: Subscription) -> Checkout:
    buyer = as_buyer(user, provider.name)
    back = [f"{settings.PUBLIC_URL}{reverse(name)}" for name in ("billing-success", "billing-cancel")]
    asked = {"product_id": product_id, "ref": str(pending.pk), "success_url": back[0], "cancel_url": back[1]}
    try:
        return provider.open_checkout(buyer=buyer, once=changing.once(), **asked)
    except VendorRefused:
        if not buyer.customer_id:
            raise
        # Perhaps that customer is not there any more: then whoever pays becomes a new one.
        return provider.open_checkout(buyer=replace(buyer, customer_id=""), once=changing.once(), **asked)


def _close_the_others(user: User) -> None:
    """Pages of what is not wanted any more; where one turns out to be paid, that is what begins."""
    for name, states in checkouts.close_unwanted(user).items():
        for state in states:
            _begin(PROVIDERS[name](), state)


def _begin(provider: Provider, state: CheckoutState) -> None:
    """What was bought on a page, before its event is here."""
    if not state.subscription_id or not look_and_tell(provider, state.subscription_id):
        raise PaymentUnderWay


def _looked_at(live: Subscription, provider: Provider) -> Subscription:
    look_and_tell(provider, changing.name(live))
    return get_user_subscription(live.user)


@contextmanager
def _changing(user: User) -> Iterator[tuple[Subscription, Provider]]:
    """One change at a time; whoever had to wait for another tab sees what that one has done."""
    live, provider = _paid_one(user)
    with turn(live):
        try:
            yield _paid_one(user)
        except (PaymentDue, SubscriptionEnded):
            # The provider knows more than we do: the event is on its way.
            with suppress(Problem):
                look_and_tell(provider, changing.name(live))
            raise


def _goes_on(live: Subscription) -> bool:
    """Whether it is paid for, and will be again."""
    return bool(live.provider_id) and not live.is_over


def _require_paid(live: Subscription) -> None:
    if live.status == Subscription.Status.PAST_DUE:
        raise PaymentDue


def _paid_one(user: User) -> tuple[Subscription, Provider]:
    live = get_user_subscription(user)
    if not live.provider_id:
        raise NotPaid
    return live, _provider(live.provider)


def _provider(name: str | None) -> Provider:
    found = PROVIDERS[name]() if name in PROVIDERS else None if name else next(iter(configured()), None)
    if found is None or not found.is_configured():
        raise NotConfigured("No payment provider is set up here.", details={"provider": name})
    return found


def _product(plan: Plan, provider: Provider) -> str:
    product_id = plan.product_at(provider.name)
    if plan.slug == FREE:
        raise NotForSale("Free costs nothing: cancel/ leads back to it.", details={"plan": plan.slug})
    if not plan.is_public or not plan.price or not product_id:
        raise NotForSale(details={"plan": plan.slug})
    return product_id


def _found(live: Subscription, provider: Provider) -> Subscribed:
    """With whom it belongs to there: somebody who has bought twice may be two customers."""
    found = provider.subscription(changing.name(live))
    if found is None:
        raise SubscriptionEnded
    return found
