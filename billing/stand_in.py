"""What a stand-in for Dodo sells on a developer's machine, and how nothing of it is left for a real account."""

import json
from pathlib import Path
from typing import Any

from django.db import transaction

from accounts.models import Plan, Subscription
from accounts.subscriptions import Paid, settle
from billing.models import Checkout, Customer, Payment, PaymentMethod
from billing.settling import database_now

PROVIDER = "dodo"
# No real account has a product that is called so.
MARK = "pdt_sandbox_"


def put_on_sale() -> list[dict[str, Any]]:
    """Every plan that costs something, by the name it has or by one that is made up; told with what it costs."""
    with transaction.atomic():
        plans = list(Plan.objects.select_for_update().filter(price__gt=0))
        for plan in plans:
            plan.products[PROVIDER] = plan.products.get(PROVIDER) or f"{MARK}{plan.slug}"
            plan.save(update_fields=["products"])
    return [
        {
            "id": plan.product_at(PROVIDER),
            "name": plan.name,
            "price": plan.price,
            "currency": plan.currency,
            "interval": plan.interval.capitalize(),
        }
        for plan in plans
    ]


def take_off_sale(books: Path) -> None:
    """Forget what was sold for no money: no other account could renew it, end it or give it back."""
    with transaction.atomic():
        for plan in Plan.objects.select_for_update().filter(**{f"products__{PROVIDER}__startswith": MARK}):
            del plan.products[PROVIDER]
            plan.save(update_fields=["products"])
    if books.exists():
        sold = json.loads(books.read_text())
        _end([*sold["subscriptions"]])
        Payment.objects.filter(provider=PROVIDER, provider_id__in=[*sold["payments"]]).delete()
        PaymentMethod.objects.filter(provider=PROVIDER, provider_id__in=[*sold["methods"]]).delete()
        # Those of these books alone: what a real account has open is still open there.
        Checkout.objects.filter(provider_id__in=[*sold["sessions"]]).delete()
        Customer.objects.filter(provider=PROVIDER, customer_id__in=[*sold["customers"]]).delete()
        books.unlink()


def _end(subscription_ids: list[str]) -> None:
    bought = Subscription.objects.filter(provider=PROVIDER, provider_id__in=subscription_ids)
    for each in bought.filter(status__in=Subscription.LIVE).select_related("plan"):
        now = database_now()
        over = Paid(
            provider=PROVIDER, provider_id=each.provider_id or "", status=Subscription.Status.CANCELLED, plan=each.plan,
            period_start=None, period_end=now, cancel_at_period_end=True, grace_until=None, downgrade_to=None,
            seen_at=now,
        )  # fmt: skip
        settle(each.user_id, ref=None, paid=over)
