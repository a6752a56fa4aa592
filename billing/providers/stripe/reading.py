"""Stripe's objects in our words; each field may be missing, null, expanded or of another type.

https://docs.stripe.com/api, in the shapes of `asking.VERSION`. What money or access hangs on is there or the answer is
invalid; all else may be empty.
"""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from billing.providers.contract import (
    Card,
    Charged,
    Checkout,
    CheckoutState,
    Disputed,
    Page,
    Preview,
    Refunded,
    Standing,
    Subscribed,
)
from core.errors import VendorAnswerInvalid

Row = Mapping[str, Any]

LARGEST = 2**63 - 1  # what PostgreSQL's bigint holds
LAST_SECOND = 7_258_118_400  # the year 2200
UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
# The name under which a checkout carries our own subscription's id into everything that follows from it.
REF = "whyral_subscription"

# https://docs.stripe.com/api/subscriptions/object#subscription_object-status
STANDINGS = {
    "incomplete": Standing.PENDING,
    "incomplete_expired": Standing.ENDED,
    "trialing": Standing.TRIAL,
    "active": Standing.ACTIVE,
    "past_due": Standing.PAST_DUE,
    "unpaid": Standing.PAST_DUE,  # no more tries by itself, but not for good: it lives again when it is paid
    "paused": Standing.PAUSED,
    "canceled": Standing.ENDED,
}
OWING = {"past_due", "unpaid"}
# https://docs.stripe.com/api/invoices/object#invoice_object-billing_reason
REASONS = {"subscription_create": "new", "subscription_cycle": "renewal", "subscription_update": "plan_change"}
# https://docs.stripe.com/api/refunds/object#refund_object-status
REFUNDS = {
    "pending": "pending",
    "requires_action": "pending",
    "succeeded": "succeeded",
    "failed": "failed",
    "canceled": "failed",  # the money stays
}
# https://docs.stripe.com/api/checkout/sessions/object#checkout_session_object-status
PAGES = {"open": Page.OPEN, "complete": Page.PAID, "expired": Page.OVER}
# https://docs.stripe.com/api/disputes/object#dispute_object-status; every other is still open.
DISPUTES = {"won": "won", "lost": "lost", "warning_closed": "closed", "prevented": "closed"}


def subscribed(row: Row, *, unpaid_since: datetime | None = None) -> Subscribed:
    """`latest_invoice` and `schedule` are expanded. Periods are the items' own, no more the subscription's."""
    status, item = text(row.get("status")), first_item(row)
    if status not in STANDINGS:
        raise invalid("status")
    end, standing = moment(item.get("current_period_end")), _standing(row, status)
    if end is None and standing is not Standing.ENDED:
        raise invalid("current_period_end")
    return Subscribed(
        id=required(row, "id"),
        ref=text(entry(row.get("metadata")).get(REF)),
        customer_id=id_of(row.get("customer")),
        standing=standing,
        product_id=required({"price": id_of(item.get("price"))}, "price"),
        period_start=moment(item.get("current_period_start")),
        period_end=end,
        cancels_at_end=_cancels_at_end(row, end),
        was_paid=_was_paid(row, status),
        unpaid_since=unpaid_since,
        scheduled_product_id=_scheduled(row, end),
        ended_at=moment(row.get("ended_at")),
    )


def first_item(subscription: Row) -> Row:
    return next(iter(items(entry(subscription.get("items")).get("data"))), {})


def _standing(row: Row, status: str) -> Standing:
    # Collection is paused under the status it had: https://docs.stripe.com/billing/subscriptions/pause-payment
    if row.get("pause_collection") and status == "active":
        return Standing.PAUSED
    return STANDINGS[status]


def _cancels_at_end(row: Row, end: datetime | None) -> bool:
    """Asked for by the flag, or by a time that is the period's end, which is how the portal may do it."""
    at = moment(row.get("cancel_at"))
    return row.get("cancel_at_period_end") is True or bool(at and end and at <= end)


def _was_paid(row: Row, status: str) -> bool:
    """A period begins up to an hour before its invoice leaves the draft and is paid, with the status still active."""
    invoice = entry(row.get("latest_invoice"))
    if status not in {"active", "trialing", "canceled"}:
        return False
    # What was ended at once stays paid for to its end, unless its last invoice was left unpaid.
    if status != "canceled" and not begins_period(invoice):
        return True
    return text(invoice.get("status")) == "paid"


def begins_period(invoice: Row) -> bool:
    return text(invoice.get("billing_reason")) in {"subscription_create", "subscription_cycle"}


def _scheduled(row: Row, end: datetime | None) -> str:
    """The price of the phase that begins where the running period ends, or later."""
    schedule = entry(row.get("schedule"))
    if not end or text(schedule.get("status")) not in {"active", "not_started"}:
        return ""
    for phase in items(schedule.get("phases")):
        start = moment(phase.get("start_date"))
        if start and start >= end:
            price = id_of(next(iter(items(phase.get("items"))), {}).get("price"))
            return price if price != id_of(first_item(row).get("price")) else ""
    return ""


def charged(row: Row) -> Charged:
    """An invoice, with `payments.data.payment.payment_intent` expanded."""
    status, details = charge_status(row), subscription_details(row)
    times = entry(row.get("status_transitions"))
    return Charged(
        id=required(row, "id"),
        subscription_id=id_of(details.get("subscription")),
        customer_id=id_of(row.get("customer")),
        status=status,
        reason=REASONS.get(text(row.get("billing_reason")), "other"),
        amount=amount(row, "amount_paid" if status == "succeeded" else "amount_due"),
        tax=sum(amount(tax, "amount") for tax in items(row.get("total_taxes"))),
        currency=currency(row),
        failure=_failure(row) if status == "failed" else "",
        invoice_id=required(row, "id"),
        invoice_number=text(row.get("number")),
        paid_at=moment(times.get("paid_at")),
        created_at=moment(row.get("created")),
        ref=text(entry(details.get("metadata")).get(REF)),
    )


def subscription_details(invoice: Row) -> Row:
    """Where an invoice says what it is for, since it says no more `subscription` itself."""
    return entry(entry(invoice.get("parent")).get("subscription_details"))


def charge_status(row: Row) -> str:
    """Of an open invoice only the payment knows whether it failed, is under way, or waits for somebody."""
    status = text(row.get("status"))
    if status == "open":
        intent = text(entry(intent_of(row)).get("status"))
        if intent in {"processing", "requires_action"} or not row.get("attempted"):
            return "processing" if intent == "processing" else "pending"
        return "failed"
    known = {"draft": "pending", "paid": "succeeded", "uncollectible": "failed", "void": "cancelled"}
    if status not in known:
        raise invalid("status")
    return known[status]


def payments_of(invoice: Row) -> list[Row]:
    """The one that was paid first, or else the one that is tried."""
    rows = items(entry(invoice.get("payments")).get("data"))
    return sorted(rows, key=lambda row: (row.get("status") != "paid", row.get("is_default") is not True))


def intent_of(invoice: Row) -> object:
    return next((entry(row.get("payment")).get("payment_intent") for row in payments_of(invoice)), None)


def _failure(invoice: Row) -> str:
    error = entry(entry(intent_of(invoice)).get("last_payment_error"))
    return text(error.get("decline_code")) or text(error.get("code"))


def refunded(row: Row, paid: Row) -> Refunded:
    """A refund, and the invoice payment it belongs to: by itself it knows no invoice."""
    status, whole = text(row.get("status")), paid.get("amount_paid")
    if status not in REFUNDS:
        raise invalid("status")
    return Refunded(
        id=required(row, "id"),
        payment_id=id_of(paid.get("invoice")),
        status=REFUNDS[status],
        amount=amount(row, "amount"),
        currency=currency(row),
        reason=text(entry(row.get("metadata")).get("reason")) or text(row.get("reason")),
        partial=isinstance(whole, int) and amount(row, "amount") < whole,
    )


def disputed(row: Row, paid: Row) -> Disputed:
    return Disputed(
        id=required(row, "id"),
        payment_id=id_of(paid.get("invoice")),
        status=DISPUTES.get(required(row, "status"), "open"),
        amount=amount(row, "amount"),
        currency=currency(row),
    )


def checkout(row: Row) -> Checkout:
    expires_at = moment(row.get("expires_at"))
    if expires_at is None:
        raise invalid("expires_at")
    return Checkout(id=required(row, "id"), url=required(row, "url"), expires_at=expires_at)


def checkout_state(row: Row) -> CheckoutState:
    status = text(row.get("status"))
    if status not in PAGES:
        raise invalid("status")
    return CheckoutState(page=PAGES[status], subscription_id=id_of(row.get("subscription")))


def card(row: Row, *, default_id: str) -> Card:
    kind = text(row.get("type")) or "card"
    details = entry(row.get(kind))
    return Card(
        id=required(row, "id"),
        kind=kind,
        brand=text(details.get("display_brand")) or text(details.get("brand")),
        last4=text(details.get("last4"), limit=4),
        expires_month=whole_number(details.get("exp_month"), most=12),
        expires_year=whole_number(details.get("exp_year"), most=9999),
        is_default=text(row.get("id")) == default_id,
    )


def preview(row: Row) -> Preview:
    total = amount(row, "total")
    return Preview(
        # What the customer has to his credit already is taken off what is due, never off what is credited.
        amount=amount(row, "amount_due") if total > 0 else total,
        tax=sum(amount(tax, "amount") for tax in items(row.get("total_taxes"))),
        currency=currency(row),
    )


def text(value: object, *, limit: int = 300) -> str:
    return UNSTORABLE.sub("", value).strip()[:limit] if isinstance(value, str) else ""


def entry(value: object) -> Row:
    return value if isinstance(value, Mapping) else {}


def items(value: object) -> list[Row]:
    return [each for each in value if isinstance(each, Mapping)] if isinstance(value, list) else []


def id_of(value: object) -> str:
    """Of an object that is named or expanded."""
    return text(value) if isinstance(value, str) else text(entry(value).get("id"))


def moment(value: object) -> datetime | None:
    number = whole_number(value, most=LAST_SECOND)
    return datetime.fromtimestamp(number, UTC) if number else None


def whole_number(value: object, *, most: int) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= most else None


def amount(row: Row, name: str) -> int:
    value = row.get(name)
    if not isinstance(value, int) or isinstance(value, bool) or abs(value) > LARGEST:
        raise invalid(name)
    return value


def currency(row: Row) -> str:
    """In capitals, as everywhere else here."""
    code = text(row.get("currency")).upper()
    if not re.fullmatch("[A-Z]{3}", code):
        raise invalid("currency")
    return code


def required(row: Row, name: str) -> str:
    value = text(row.get(name))
    if not value:
        raise invalid(name)
    return value


def invalid(name: str) -> VendorAnswerInvalid:
    return VendorAnswerInvalid(details={"problem": f"no_{name}"})
