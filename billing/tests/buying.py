"""What a buyer does, and how a provider's events come to us."""

import random
from typing import Any

from rest_framework.test import APIClient

from accounts.models import Plan, Subscription, User
from billing import inbox
from billing.models import BillingEvent
from billing.tests.stripe_buyer import press
from sandbox.stripe import StripeSandbox

WEBHOOK = "/api/billing/webhook/stripe/"


def plan_id(slug: str) -> str:
    return str(Plan.objects.get(slug=slug).pk)


def subscribe(api: APIClient, slug: str = "pro") -> dict[str, Any]:
    answer = api.post("/api/billing/subscribe/", {"plan_id": plan_id(slug)}, format="json")
    assert answer.status_code == 201, answer.content
    return answer.json()  # type: ignore[no-any-return]


def buy(api: APIClient, shop: StripeSandbox, slug: str = "pro") -> None:
    assert press(subscribe(api, slug)["checkout_url"], "pay").status_code == 303
    deliver(shop)


def deliver(shop: StripeSandbox, *, chance: random.Random | None = None, copies: int = 1) -> None:
    """Everything that was not delivered yet, and what follows from it, to the end."""
    events = [event for event in shop.outbox.deliveries for _ in range(copies)]
    if chance:
        chance.shuffle(events)
    shop.outbox.deliveries.clear()
    for event in events:
        assert send(shop, event) == 200
    work()


def send(shop: StripeSandbox, event: dict[str, Any]) -> int:
    body, headers = shop.outbox.signed(event)
    answer = APIClient().generic("POST", WEBHOOK, body, content_type="application/json", headers=headers)
    return answer.status_code


def work() -> None:
    """As workers do, until nothing is due."""
    while due := [*inbox.waiting().values_list("pk", flat=True)]:
        for event_id in due:
            inbox.process(event_id)


def states() -> set[str]:
    return {*BillingEvent.objects.values_list("state", flat=True)}


def status_of(user: User) -> tuple[str, str]:
    """The plan that somebody has, and how it stands."""
    live = Subscription.objects.select_related("plan").get(user=user, status__in=Subscription.LIVE)
    return live.plan.slug, live.status
