"""Both providers' sandboxes by one set of names, for tests that hold for either; a month has thirty days in both.

Their clocks stay ours. When time passes, everything they keep moves into the past, and what is due by then happens.
"""

import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import takewhile
from typing import Any

import httpx
from pytest_django import Settings

from accounts.models import Plan
from sandbox import dodo_cycle as cycle
from sandbox.dodo import DodoSandbox
from sandbox.dodo_books import GOOD_CARD, Books, stamp
from sandbox.stripe import StripeSandbox
from sandbox.stripe_ledger import DAY
from sandbox.stripe_subscriptions import Subscriptions
from sandbox.stripe_wire import Keys, Refused

MONTH = 30
BAD_CARD = "4000000000000341"  # taken when it is given, and declined at the next charge
SOLD = ("pro", "agency")
FIRST_SECOND = 1_500_000_000
STAMP = re.compile(r"\d{4}-\d\d-\d\dT[\d:.]+Z")


@dataclass(frozen=True, kw_only=True)
class Sold:
    """A subscription as the provider's books have it."""

    id: str
    plan: str
    ends_at: datetime
    is_over: bool
    is_owed: bool
    cancels: bool
    later: str


class Till(ABC):
    """What both have in common."""

    name = ""

    def __init__(self, settings: Settings, sandbox: Any) -> None:
        self.sandbox, self.plans = sandbox, dict[str, str]()
        self.path = f"/api/billing/webhook/{self.name}/"
        for name, value in sandbox.settings().items():
            setattr(settings, name, value)

    def sell(self) -> None:
        for slug in SOLD:
            plan = Plan.objects.get(slug=slug)
            self.plans[self.offer(slug, plan.price)] = slug
        for product, slug in self.plans.items():
            Plan.objects.filter(slug=slug).update(products={self.name: product})

    def press(self, url: str, **form: str) -> int:
        return httpx.post(url, data=form, trust_env=False).status_code

    def pass_day(self) -> None:
        shift(self.kept(), set())
        self.catch_up()

    def catch_up(self) -> None:
        """Renew what is due; what was owed for long and is paid may be due more than once."""
        for _ in range(3):
            for sold in self.sold():
                if not sold.is_over and sold.ends_at <= self.now():
                    self.renew(sold)

    @abstractmethod
    def offer(self, slug: str, price: int) -> str: ...

    @abstractmethod
    def take(self) -> list[Any]: ...

    @abstractmethod
    def signed(self, event: Any) -> tuple[bytes, dict[str, str]]: ...

    @abstractmethod
    def kept(self) -> list[Any]: ...

    @abstractmethod
    def sold(self) -> list[Sold]: ...

    @abstractmethod
    def renew(self, sold: Sold) -> None: ...

    @staticmethod
    def now() -> datetime:
        return datetime.now().astimezone()


def shift(value: Any, moved: set[int]) -> Any:
    """The same a day earlier, whatever stands in it; objects are changed in their place, each once."""
    if isinstance(value, dict | list):
        if id(value) not in moved:
            moved.add(id(value))
            for key, each in list(value.items() if isinstance(value, dict) else enumerate(value)):
                value[key] = shift(each, moved)
    elif isinstance(value, datetime):
        return value - timedelta(days=1)
    elif isinstance(value, str) and STAMP.fullmatch(value):
        return stamp(datetime.fromisoformat(value) - timedelta(days=1))
    elif isinstance(value, int) and not isinstance(value, bool) and value > FIRST_SECOND:
        return value - DAY
    return value


class StripeTill(Till):
    """Stripe's sandbox."""

    name = "stripe"
    sandbox: StripeSandbox

    def open_books(self) -> None:
        """A new account at the same address."""
        self.sandbox.reset()
        self.sandbox.outbox.deliveries.clear()
        self.sandbox.books, self.sandbox.keys = Subscriptions(self.sandbox.outbox), Keys()
        self.sandbox.books.invents, self.sandbox.books.url = False, self.sandbox.url
        for product, slug in self.plans.items():
            self.offer(slug, Plan.objects.get(slug=slug).price, product)

    def offer(self, slug: str, price: int, product: str = "") -> str:
        return self.sandbox.books.add_price(product or f"price_{slug}", price)

    def take(self) -> list[Any]:
        taken = list(self.sandbox.outbox.deliveries)
        self.sandbox.outbox.deliveries.clear()
        return taken

    def signed(self, event: Any) -> tuple[bytes, dict[str, str]]:
        return self.sandbox.outbox.signed(event)

    def kept(self) -> list[Any]:
        return [self.sandbox.books.objects]

    def pass_day(self) -> None:
        super().pass_day()
        for session in self.sandbox.books.all("checkout.session", status="open"):
            self.sandbox.books.timely(session)

    def set_card(self, *, works: bool) -> None:
        self.sandbox.books.declines = "" if works else "generic_decline"

    def replace_card(self, url: str) -> None:
        self.set_card(works=True)
        self.press(url, action="replace")

    def sold(self) -> list[Sold]:
        return [self._sold(row) for row in self.sandbox.books.all("subscription")]

    def _sold(self, row: Any) -> Sold:
        [item] = row["items"]["data"]
        phases = self.sandbox.books.objects[row["schedule"]]["phases"] if row["schedule"] else []
        ends = item["current_period_end"]
        later = next((each["items"][0]["price"] for each in phases if each["start_date"] >= ends), "")
        return Sold(
            id=row["id"], plan=self.plans[item["price"]["id"]],
            ends_at=datetime.fromtimestamp(item["current_period_end"]).astimezone(),
            is_over=row["status"] == "canceled", is_owed=row["status"] in {"past_due", "unpaid"},
            cancels=bool(row["cancel_at_period_end"]), later=self.plans.get(later, ""),
        )  # fmt: skip

    def renew(self, sold: Sold) -> None:
        self.sandbox.books.renew(sold.id)

    def collect(self, sold_id: str) -> None:
        """Dunning: what is owed since the last payment is tried again, the oldest first."""
        all(self.sandbox.books.collect(invoice_id) for invoice_id in self._owed(sold_id))

    def _invoices(self, sold_id: str) -> list[Any]:
        rows = self.sandbox.books.all("invoice")
        return [row for row in rows if row["parent"]["subscription_details"]["subscription"] == sold_id]

    def _owed(self, sold_id: str) -> list[str]:
        rows = reversed(self._invoices(sold_id))
        return [row["id"] for row in takewhile(lambda row: row["status"] == "open", rows)][::-1]

    def end(self, sold_id: str) -> None:
        """At once: on the provider's own page, or by its dunning."""
        self.sandbox.books.end(sold_id)

    def toggle_ending(self, sold_id: str, *, cancels: bool) -> bool:
        """On the provider's own page, which does not do it where something is planned."""
        with suppress(Refused):
            self.sandbox.books.update(sold_id, {"cancel_at_period_end": "true" if cancels else "false"})
            return True
        return False

    def dispute(self, payment_id: str) -> Callable[[bool], None]:
        row = self.sandbox.books.dispute(payment_id)
        return lambda won: self.sandbox.books.close_dispute(row["id"], "won" if won else "lost")

    def payments(self, sold_id: str) -> dict[str, tuple[int, int]]:
        """By our name for it: how much was taken, and how much of that given back."""
        return {row["id"]: self._moved(row["id"]) for row in self._invoices(sold_id) if row["status"] == "paid"}

    def _moved(self, invoice_id: str) -> tuple[int, int]:
        intents = {row["id"] for row in self.sandbox.books.all("payment_intent", invoice_=invoice_id)}
        charges = [row for row in self.sandbox.books.charges() if row["payment_intent"] in intents]
        return sum(row["amount"] for row in charges), sum(row["amount_refunded"] for row in charges)


class DodoTill(Till):
    """Dodo's sandbox."""

    name = "dodo"
    sandbox: DodoSandbox

    def open_books(self) -> None:
        self.sandbox.reset()
        self.sandbox.post.take()
        before = self.sandbox.books
        self.sandbox.books = Books(tell=self.sandbox.post.add, url=before.url, products=before.products)

    def offer(self, slug: str, price: int) -> str:
        return self.sandbox.add_product(price, every=MONTH, interval="Day")

    def take(self) -> list[Any]:
        return self.sandbox.post.take()

    def signed(self, event: Any) -> tuple[bytes, dict[str, str]]:
        return self.sandbox.post.envelope(event)

    def kept(self) -> list[Any]:
        books = self.sandbox.books
        return [books.sessions, books.subscriptions, books.payments, books.refunds, books.disputes, books.methods]

    def set_card(self, *, works: bool) -> None:
        for method in self.sandbox.books.methods.values():
            method["number"] = GOOD_CARD if works else BAD_CARD

    def replace_card(self, url: str) -> None:
        self.set_card(works=True)
        self.press(url, action="pay")
        self.catch_up()

    def sold(self) -> list[Sold]:
        return [self._sold(row) for row in self.sandbox.books.subscriptions.values()]

    def _sold(self, row: Any) -> Sold:
        return Sold(
            id=row["subscription_id"], plan=self.plans[row["product_id"]],
            ends_at=cycle.moment(row["next_billing_date"]), is_over=row["status"] in cycle.OVER,
            is_owed=row["status"] in {"on_hold", "past_due"}, cancels=row["cancel_at_next_billing_date"],
            later=self.plans.get((row["scheduled_change"] or {}).get("product_id"), ""),
        )  # fmt: skip

    def renew(self, sold: Sold) -> None:
        if not sold.is_owed:
            cycle.renew(self.sandbox.books, self.sandbox.books.subscriptions[sold.id])

    def collect(self, sold_id: str) -> None:
        row = self.sandbox.books.subscriptions[sold_id]
        cycle.collect(self.sandbox.books, row, cycle.moment(row["next_billing_date"]))
        self.catch_up()

    def end(self, sold_id: str) -> None:
        cycle.end(self.sandbox.books, self.sandbox.books.subscriptions[sold_id], {"actor_type": "customer"})

    def toggle_ending(self, sold_id: str, *, cancels: bool) -> bool:
        row = self.sandbox.books.subscriptions[sold_id]
        cycle.update(self.sandbox.books, row, {"cancel_at_next_billing_date": cancels})
        return True

    def dispute(self, payment_id: str) -> Callable[[bool], None]:
        row = self.sandbox.books.dispute(payment_id)
        return lambda won: self.sandbox.books.settle_dispute(row["dispute_id"], "won" if won else "lost")

    def payments(self, sold_id: str) -> dict[str, tuple[int, int]]:
        refunds = self.sandbox.books.refunds.values()
        return {
            charge.payment_id: (
                charge.amount,
                sum(each["amount"] for each in refunds if each["payment_id"] == charge.payment_id),
            )
            for charge in self.sandbox.books.charges
            if charge.subscription_id == sold_id
        }


AnyTill = StripeTill | DodoTill


@contextmanager
def till_of(name: str, settings: Settings) -> Iterator[AnyTill]:
    with StripeSandbox(invents=False) if name == "stripe" else DodoSandbox() as sandbox:
        till = (StripeTill if name == "stripe" else DodoTill)(settings, sandbox)
        till.sell()
        yield till
