"""Two shops that are open, one at each provider, with the same counter: what a test does in one it does in both."""

import random
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, ClassVar

from rest_framework.test import APIClient

from accounts.models import Plan, Subscription
from billing.providers import PROVIDERS
from billing.providers.contract import Provider
from billing.tests.buying import plan_id, work
from billing.tests.stripe_buyer import BASIC, PRO, press
from sandbox.dodo import DodoSandbox
from sandbox.stripe import StripeSandbox

# Prices of Pro and Agency there.
CHEAP, DEAR = 900, 2900
LATER_DECLINED, ASKS_BANK = "4000000000000341", "4000002760003184"


class Shop(ABC):
    """A provider's sandbox, and what its buyers do."""

    name: ClassVar[str]
    # What a provider calls what we do there.
    operations: ClassVar[dict[str, str]]
    sandbox: Any

    @property
    def provider(self) -> Provider:
        return PROVIDERS[self.name]()

    def ask(self, api: APIClient, verb: str, slug: str = "", **fields: Any) -> Any:
        body = {"plan_id": plan_id(slug), **fields} if slug else fields
        return api.post(f"/api/billing/{verb}/", body, format="json")

    def open(self, api: APIClient, slug: str = "pro") -> str:
        answer = self.ask(api, "subscribe", slug, provider=self.name)
        assert answer.status_code == 201, answer.content
        return str(answer.json()["checkout_url"])

    def pay(self, url: str) -> int:
        return self.press(url, "pay")

    def press(self, url: str, button: str) -> int:
        return press(url, button).status_code

    def buy(self, api: APIClient, slug: str = "pro") -> None:
        assert self.pay(self.open(api, slug)) == 303
        self.deliver()

    def deliver(self, *, chance: random.Random | None = None, copies: int = 1) -> None:
        """Everything that was not delivered yet, and what follows from it, to the end."""
        while events := self.take():
            events = [event for event in events for _ in range(copies)]
            if chance:
                chance.shuffle(events)
            for event in events:
                assert self.send(event) == 200
            work()

    def post(self, body: bytes, headers: dict[str, str]) -> int:
        path, kind = f"/api/billing/webhook/{self.name}/", "application/json"
        return APIClient().generic("POST", path, body, content_type=kind, headers=headers).status_code

    def fail(self, what: str, **how: Any) -> None:
        self.sandbox.fail(self.operations[what], **how)

    def net(self) -> int:
        return sum(self.charges()) - sum(self.refunds())

    @abstractmethod
    def take(self) -> list[Any]: ...

    @abstractmethod
    def send(self, event: Any) -> int: ...

    @abstractmethod
    def charges(self) -> list[int]: ...

    @abstractmethod
    def refunds(self) -> list[int]: ...


class StripeShop(Shop):
    """Stripe's."""

    name = "stripe"
    operations: ClassVar[dict[str, str]] = {
        "open": "checkout", "change": "subscriptions.update", "look": "subscriptions.get", "end": "subscriptions.end",
        "cancel": "subscriptions.update", "refund": "refunds.create", "schedule": "schedules.update",
    }  # fmt: skip

    def __init__(self, sandbox: StripeSandbox) -> None:
        self.sandbox = sandbox
        Plan.objects.filter(slug="pro").update(products={"stripe": BASIC})
        Plan.objects.filter(slug="agency").update(products={"stripe": PRO})

    def take(self) -> list[Any]:
        events = [*self.sandbox.outbox.deliveries]
        self.sandbox.outbox.deliveries.clear()
        return events

    def send(self, event: Any) -> int:
        return self.post(*self.sandbox.outbox.signed(event))

    def charges(self) -> list[int]:
        return [charge["amount"] for charge in self.sandbox.books.charges()]

    def refunds(self) -> list[int]:
        return [refund["amount"] for refund in self.sandbox.books.all("refund")]

    def decline(self, reason: str = "card_declined") -> None:
        self.sandbox.books.declines = reason

    def accept(self) -> None:
        self.sandbox.books.declines = ""

    def ask_bank(self) -> None:
        self.sandbox.books.declines = "authentication_required"

    def confirm(self, url: str) -> None:
        assert press(url, "confirm").status_code == 303

    def renew(self, subscription: Subscription) -> None:
        self.sandbox.books.renew(subscription.provider_id)

    def expire(self, url: str) -> None:
        self.sandbox.books.expire(url.rpartition("/")[2])

    def fail_refund(self, refund_id: str) -> None:
        self.sandbox.books.fail_refund(refund_id)

    def fail_refunds(self) -> None:
        """Those that are asked for from now on."""
        self.sandbox.books.refund_status = "failed"

    def dispute(self, payment_id: str) -> Callable[[str], None]:
        row = self.sandbox.books.dispute(payment_id)
        return lambda how: self.sandbox.books.close_dispute(row["id"], how)

    def lose(self, what: str) -> None:
        """It is done, and nobody hears of it."""
        self.sandbox.loses.append(self.operations[what])


class DodoShop(Shop):
    """Dodo's."""

    name = "dodo"
    operations: ClassVar[dict[str, str]] = {
        "open": "checkouts.create", "change": "subscriptions.change_plan", "look": "subscriptions.retrieve",
        "end": "subscriptions.update", "cancel": "subscriptions.update", "refund": "refunds.create",
        "schedule": "subscriptions.change_plan",
    }  # fmt: skip

    def __init__(self, sandbox: DodoSandbox) -> None:
        self.sandbox = sandbox
        Plan.objects.filter(slug="pro").update(products={"dodo": sandbox.add_product(CHEAP)})
        Plan.objects.filter(slug="agency").update(products={"dodo": sandbox.add_product(DEAR)})

    def take(self) -> list[Any]:
        return list(self.sandbox.post.take())

    def send(self, event: Any) -> int:
        return self.post(*self.sandbox.post.envelope(event))

    def charges(self) -> list[int]:
        return [charge.amount for charge in self.sandbox.books.charges]

    def refunds(self) -> list[int]:
        return [refund["amount"] for refund in self.sandbox.books.refunds.values()]

    def decline(self, number: str = LATER_DECLINED) -> None:
        for method in self.sandbox.books.methods.values():
            method["number"] = number

    def accept(self) -> None:
        self.decline("4242424242424242")

    def ask_bank(self) -> None:
        self.decline(ASKS_BANK)

    def confirm(self, url: str) -> None:
        assert press(url, "pay").status_code == 303

    def renew(self, subscription: Subscription) -> None:
        self.sandbox.force_renewal(subscription.provider_id)

    def expire(self, url: str) -> None:
        session = self.sandbox.books.sessions[url.rpartition("/")[2]]
        session["created"] = session["created"].replace(year=2020)

    def fail_refund(self, refund_id: str) -> None:
        self.sandbox.books.settle_refund(refund_id, "failed")

    def fail_refunds(self) -> None:
        self.sandbox.books.refunds_are = "failed"

    def dispute(self, payment_id: str) -> Callable[[str], None]:
        row = self.sandbox.books.dispute(payment_id)
        return lambda how: self.sandbox.books.settle_dispute(row["dispute_id"], how)

    def lose(self, what: str) -> None:
        self.fail(what, truncate=0)
