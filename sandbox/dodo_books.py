"""What Dodo on loopback keeps: customers, cards, subscriptions, payments, refunds and disputes, and who was charged."""

import calendar
import copy
import json
import secrets
import string
import threading
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Protocol

SHAPES = json.loads(Path(__file__).with_name("dodo.json").read_text())
ALPHABET = string.ascii_letters + string.digits
Thing = dict[str, Any]

GOOD_CARD = "4242424242424242"
# https://docs.dodopayments.com/miscellaneous/testing-process
DECLINES = {"4000000000000002": "CARD_DECLINED", "4000000000009995": "INSUFFICIENT_FUNDS"}
# This one is taken when it is given, and declined at the next charge.
LATER_DECLINES = DECLINES | {"4000000000000341": "CARD_DECLINED"}
# This one too, and then its owner is asked by the bank, which takes a page.
ASKS_BANK = "4000002760003184"
LATER_DECLINES |= {ASKS_BANK: "AUTHENTICATION_REQUIRED"}
ASKED = "requires_customer_action"


class Refusal(Exception):
    """What is asked for is not done."""

    def __init__(self, status: int, code: str) -> None:
        super().__init__(code)
        self.status, self.code = status, code


class Teller(Protocol):
    """Who hears of what happens."""

    def __call__(self, kind: str, about: str, thing_id: str, *, payment_id: str | None = None) -> None: ...


@dataclass(frozen=True, kw_only=True)
class Product:
    """What is sold: so much for each so many days, months or years."""

    id: str
    price: int
    name: str = ""
    currency: str = "USD"
    every: int = 1
    interval: str = "Month"
    term: int = 20  # years; then it expires


@dataclass(frozen=True, kw_only=True)
class Charge:
    """Money that was taken from somebody."""

    payment_id: str
    subscription_id: str
    amount: int
    why: str


@dataclass(kw_only=True)
class Books:
    """The state of one account. `charges` is the proof of what was really taken."""

    tell: Teller
    url: str = ""
    products: dict[str, Product] = field(default_factory=dict)
    customers: dict[str, Thing] = field(default_factory=dict)
    methods: dict[str, Thing] = field(default_factory=dict)
    sessions: dict[str, Thing] = field(default_factory=dict)
    subscriptions: dict[str, Thing] = field(default_factory=dict)
    payments: dict[str, Thing] = field(default_factory=dict)
    refunds: dict[str, Thing] = field(default_factory=dict)
    disputes: dict[str, Thing] = field(default_factory=dict)
    charges: list[Charge] = field(default_factory=list)
    wallet: dict[str, int] = field(default_factory=dict)
    invents: bool = False  # a product for whatever id it is asked for
    grace_days: int = 0  # without any, a failed renewal puts a subscription on hold at once
    tax_percent: int = 0
    slow: bool = False  # first charges are under way until they are settled
    refunds_are: str = "succeeded"  # or "failed", or "pending" until they are settled
    ahead: timedelta = timedelta()  # how far its clock is ahead of ours
    lock: threading.RLock = field(default_factory=threading.RLock)

    def now(self) -> datetime:
        return datetime.now(UTC) + self.ahead

    def product(self, product_id: str) -> Product:
        if product_id not in self.products and self.invents:
            self.products[product_id] = Product(id=product_id, price=2900)
        product: Product = found(self.products, product_id)
        return product

    def customer(self, who: Thing, *, is_new: bool = False) -> Thing:
        """By id, or by address: two purchases with one address are one customer's, unless a new one is asked for."""
        if "customer_id" in who:
            by_id: Thing = found(self.customers, who["customer_id"])
            return by_id
        known = next((each for each in self.customers.values() if each["email"] == who["email"]), None)
        if known and not is_new:
            return known
        customer_id = new_id("cus")
        named = {"name": who.get("name") or who["email"].partition("@")[0], "phone_number": who.get("phone_number")}
        self.customers[customer_id] = {"customer_id": customer_id, "email": who["email"], "metadata": {}, **named}
        return self.customers[customer_id]

    def add_method(self, customer_id: str, number: str) -> str:
        method_id = new_id("pm")
        used = stamp(self.now())
        self.methods[method_id] = {"id": method_id, "customer_id": customer_id, "number": number, "used": used}
        return method_id

    def new_subscription(self, session: Thing, product: Product) -> Thing:
        flags = session.get("feature_flags") or {}
        subscription = shape("subscription") | {
            "subscription_id": new_id("sub"),
            "created_at": stamp(self.now()),
            "customer": self.customer(session["customer"], is_new=flags.get("always_create_new_customer") is True),
            "metadata": session.get("metadata") or {},
            "trial_period_days": (session.get("subscription_data") or {}).get("trial_period_days") or 0,
            "previous_billing_date": stamp(self.now()),
            "next_billing_date": stamp(self.now()),
        }
        self.subscriptions[subscription["subscription_id"]] = subscription
        put_on(subscription, product)
        return subscription

    def charge(
        self, subscription: Thing, amount: int, why: str, *, number: str, waits: bool = False, **fields: Any
    ) -> Thing:
        """A payment, as it turned out; or one that waits for somebody on a page."""
        tax = amount * self.tax_percent // 100
        payment = shape("payment") | {
            "payment_id": new_id("pay"),
            "subscription_id": subscription["subscription_id"],
            "subscription_ids": [subscription["subscription_id"]],
            "customer": subscription["customer"],
            "metadata": fields.pop("metadata", None) or subscription["metadata"],
            "charge_type": why,
            "card_last_four": number[-4:],
            "payment_method_id": subscription["payment_method_id"],
            "currency": subscription["currency"],
            "total_amount": amount + tax,
            "settlement_amount": amount + tax,
            "created_at": stamp(self.now()),
            "updated_at": stamp(self.now()),
            **fields,
        }
        self.payments[payment["payment_id"]] = payment
        if self.slow and why == "new":
            self.tell("payment.processing", "payment", payment["payment_id"])
        elif waits:
            payment["status"] = ASKED
        else:
            self.settle(payment, (DECLINES if why == "new" else LATER_DECLINES).get(number), tax)
        return payment

    def settle(self, payment: Thing, code: str | None, tax: int = 0) -> None:
        """It is paid, or declined for a reason."""
        if code:
            said = code.replace("_", " ").capitalize() + "."
            payment |= {"status": "failed", "error_code": code, "error_message": said}
        else:
            invoice = f"{self.url}/invoices/payments/{payment['payment_id']}"
            payment |= {"status": "succeeded", "invoice_id": new_id("inv"), "invoice_url": invoice}
            payment |= {"tax": tax, "settlement_tax": tax, "updated_at": stamp(self.now())}
            self._take(payment, payment["charge_type"])
        self.tell(f"payment.{payment['status']}", "payment", payment["payment_id"])

    def _take(self, payment: Thing, why: str) -> None:
        ids = {"payment_id": payment["payment_id"], "subscription_id": payment["subscription_id"]}
        self.charges.append(Charge(amount=payment["total_amount"], why=why, **ids))
        if payment["payment_method_id"] in self.methods:
            self.methods[payment["payment_method_id"]]["used"] = stamp(self.now())

    # What is given back

    def refund(self, form: Thing) -> Thing:
        payment = found(self.payments, form.get("payment_id"))
        left = payment["total_amount"] - given_back(payment)
        items = form.get("items")
        amount = sum(each.get("amount") or left for each in items) if items else left
        if payment["status"] != "succeeded" or left <= 0:
            raise Refusal(409, "PAYMENT_ALREADY_REFUNDED" if left <= 0 else "PAYMENT_NOT_SUCCEEDED")
        if amount > left:
            raise Refusal(422, "REFUND_AMOUNT_EXCEEDS_PAID_AMOUNT")
        refund = shape("refund") | {
            "refund_id": new_id("ref"),
            "payment_id": payment["payment_id"],
            "customer": payment["customer"],
            "metadata": form.get("metadata") or {},
            "reason": form.get("reason"),
            "amount": amount,
            "currency": payment["currency"],
            "is_partial": amount < payment["total_amount"],
            "created_at": stamp(self.now()),
            "status": "pending",
        }
        self.refunds[refund["refund_id"]] = refund
        listed = {name: value for name, value in refund.items() if name not in {"metadata", "customer", "brand_id"}}
        payment["refunds"].append(listed)
        if self.refunds_are != "pending":
            self.settle_refund(refund["refund_id"], self.refunds_are)
        return refund

    def settle_refund(self, refund_id: str, status: str) -> None:
        refund = found(self.refunds, refund_id)
        payment = self.payments[refund["payment_id"]]
        refund["status"] = status
        for listed in payment["refunds"]:
            listed["status"] = status if listed["refund_id"] == refund_id else listed["status"]
        given = given_back(payment)
        payment["refund_status"] = ("full" if given == payment["total_amount"] else "partial") if given else None
        self.tell(f"refund.{status}", "refund", refund_id)

    def dispute(self, payment_id: str) -> Thing:
        payment = found(self.payments, payment_id)
        dispute = shape("dispute") | {
            "dispute_id": new_id("dp"),
            "payment_id": payment_id,
            # As text, unlike any other amount.
            "amount": str(payment["total_amount"]),
            "currency": payment["currency"],
            "created_at": stamp(self.now()),
        }
        self.disputes[dispute["dispute_id"]] = dispute
        payment["disputes"].append(dispute)
        self.tell("dispute.opened", "dispute", dispute["dispute_id"])
        return dispute

    def settle_dispute(self, dispute_id: str, how: str) -> None:
        found(self.disputes, dispute_id)["dispute_status"] = f"dispute_{how}"
        self.tell(f"dispute.{how}", "dispute", dispute_id)


def given_back(payment: Thing) -> int:
    return sum(each["amount"] for each in payment["refunds"] if each["status"] != "failed")


def found(things: dict[str, Any], thing_id: Any) -> Any:
    if thing_id not in things:
        raise Refusal(404, "NOT_FOUND")
    return things[thing_id]


def put_on(subscription: Thing, product: Product) -> None:
    subscription |= {
        "product_id": product.id,
        "currency": product.currency,
        "recurring_pre_tax_amount": product.price,
        "payment_frequency_count": product.every,
        "payment_frequency_interval": product.interval,
        "subscription_period_count": product.term,
    }


def shape(name: str) -> Thing:
    return dict(copy.deepcopy(SHAPES[name]))


def new_id(kind: str) -> str:
    return f"{kind}_0Ns" + "".join(secrets.choice(ALPHABET) for _ in range(18))


def stamp(when: datetime) -> str:
    return when.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def after(when: datetime, product: Product) -> datetime:
    """One cycle later; the 31st of a month that has none is its last day."""
    if product.interval in {"Day", "Week"}:
        return when + timedelta(days=product.every * (7 if product.interval == "Week" else 1))
    months = when.month - 1 + product.every * (12 if product.interval == "Year" else 1)
    year, month = when.year + months // 12, months % 12 + 1
    return when.replace(year=year, month=month, day=min(when.day, calendar.monthrange(year, month)[1]))
