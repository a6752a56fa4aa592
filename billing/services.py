"""What a user can do about what they pay: each verb asks the provider, and then looks at what came of it.

Our rows never run ahead of the provider's: a verb that the provider has not confirmed has changed nothing here.
"""

from dataclasses import dataclass
from uuid import UUID

from django.conf import settings
from django.urls import reverse

from accounts.models import Plan, Subscription, User
from accounts.subscriptions import await_payment
from accounts.usage import FREE, get_user_subscription
from billing.models import Customer, Invoice
from billing.news import tell
from billing.providers import PROVIDERS, configured
from billing.providers.contract import Buyer, Preview, Provider
from billing.settling import look_at_subscription
from core.errors import Conflict, Invalid, Missing, NotConfigured


class NotPaid(Conflict):
    """This takes a paid subscription, and there is none."""

    code = "not_paid"


class SamePlan(Conflict):
    """That is the plan you have."""

    code = "same_plan"


class NotForSale(Invalid):
    """This plan cannot be bought."""

    code = "plan_not_for_sale"


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscribing:
    """A checkout that has been opened, and what it is for."""

    checkout_url: str
    subscription: Subscription


def subscribe(user: User, plan: Plan, *, provider_name: str | None = None) -> Subscribing:
    """Open the page on which a plan is paid; asked for twice, the second page is for the same subscription."""
    provider = _provider(provider_name)
    product_id = _product(plan, provider)
    pending = await_payment(user, plan, provider=provider.name)
    customer = Customer.objects.filter(user=user, provider=provider.name).first()
    buyer = Buyer(
        user_id=str(user.pk),
        email=user.email,
        name=user.full_name,
        customer_id=customer.customer_id if customer else "",
    )
    back = f"{settings.PUBLIC_URL}{reverse('billing-success')}", f"{settings.PUBLIC_URL}{reverse('billing-cancel')}"
    checkout = provider.open_checkout(
        buyer=buyer, product_id=product_id, ref=str(pending.pk), success_url=back[0], cancel_url=back[1],
        once=f"checkout:{pending.pk}",
    )  # fmt: skip
    return Subscribing(checkout_url=checkout.url, subscription=pending)


def change_plan(user: User, plan: Plan) -> Subscription:
    """A dearer plan begins now, a cheaper one when what is paid for ends."""
    live, provider = _paid_one(user)
    if plan.pk == live.plan_id:
        return _stay(live, provider)
    if plan.slug == FREE:
        return cancel(user)
    product_id = _product(plan, provider)
    later = plan.price < live.plan.price
    if live.downgrade_to_plan_id:
        provider.undo_scheduled_change(_id(live))
    if live.cancel_at_period_end:
        provider.resume(_id(live))
    provider.change_plan(_id(live), product_id=product_id, at_period_end=later, once=_once(live, plan))
    return _looked_at(live, provider)


def preview_change(user: User, plan: Plan) -> Preview:
    live, provider = _paid_one(user)
    if plan.pk == live.plan_id:
        raise SamePlan
    if plan.slug == FREE or plan.price < live.plan.price:
        # Nothing is charged for a change that waits for the period's end.
        return Preview(amount=0, tax=0, currency=live.plan.currency, effective_at=live.current_period_end)
    return provider.preview_change(_id(live), product_id=_product(plan, provider))


def cancel(user: User) -> Subscription:
    """At the end of what is paid for; a plan that was to begin then is forgotten."""
    live, provider = _paid_one(user)
    if live.downgrade_to_plan_id:
        provider.undo_scheduled_change(_id(live))
    provider.cancel(_id(live), now=False)
    return _looked_at(live, provider)


def resume(user: User) -> Subscription:
    """Undo whatever was to happen at the end of the period."""
    live, provider = _paid_one(user)
    return _stay(live, provider)


def open_portal(user: User) -> str:
    _, provider = _paid_one(user)
    return provider.portal(_customer(user, provider), return_url=settings.PUBLIC_URL)


def update_card(user: User) -> str:
    live, provider = _paid_one(user)
    return provider.update_card(_id(live), customer_id=_customer(user, provider), return_url=settings.PUBLIC_URL)


def invoice_pdf(user: User, invoice_id: UUID) -> bytes:
    invoice = Invoice.objects.filter(user=user, pk=invoice_id).select_related("payment").first()
    if invoice is None:
        raise Missing
    return _provider(invoice.payment.provider).invoice_pdf(invoice.payment.provider_id, invoice.provider_id)


def _stay(live: Subscription, provider: Provider) -> Subscription:
    if live.downgrade_to_plan_id:
        provider.undo_scheduled_change(_id(live))
    if live.cancel_at_period_end:
        provider.resume(_id(live))
    return _looked_at(live, provider)


def _looked_at(live: Subscription, provider: Provider) -> Subscription:
    if settled := look_at_subscription(provider, _id(live)):
        tell(provider, settled)
    return get_user_subscription(live.user)


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
    if not plan.is_public or not plan.price or not plan.products.get(provider.name):
        raise NotForSale(details={"plan": plan.slug})
    return str(plan.products[provider.name])


def _customer(user: User, provider: Provider) -> str:
    return Customer.objects.values_list("customer_id", flat=True).get(user=user, provider=provider.name)


def _id(live: Subscription) -> str:
    return live.provider_id or ""


def _once(live: Subscription, plan: Plan) -> str:
    """The same for two tabs that ask for the same change of the same period."""
    return f"change:{live.provider_id}:{live.plan_id}:{plan.pk}:{live.current_period_end}"
