"""What Dodo says, in our words: https://docs.dodopayments.com/api-reference/introduction

Its SDK lets anything through, so each field is looked at here. What cannot be read raises VendorAnswerInvalid.
"""

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from billing.providers.contract import Card, Charged, Disputed, Listed, Page, Preview, Refunded, Standing, Subscribed
from core.errors import VendorAnswerInvalid

LARGEST_AMOUNT = 2**63 - 1  # what PostgreSQL's bigint holds
LONGEST_TEXT = 300
UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
ID = re.compile(r"[A-Za-z0-9_-]{1,100}")
CURRENCY = re.compile(r"[A-Z]{3}")
# A dispute's amount is a text.
WHOLE = re.compile(r"-?[0-9]{1,18}(\.0+)?")
CENTURY = 100
FIRST_MOMENT, LAST_MOMENT = datetime(1990, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)
# How far the end of a trial may be from the day that was said; after it comes a day, at the least.
TRIAL_SLACK = timedelta(hours=12)

# https://docs.dodopayments.com/api-reference/subscriptions/get-subscriptions-1 (status)
STANDINGS = {
    "pending": Standing.PENDING,
    "active": Standing.ACTIVE,
    "past_due": Standing.PAST_DUE,
    "on_hold": Standing.PAST_DUE,
    "paused": Standing.PAUSED,
    "cancelled": Standing.ENDED,
    "failed": Standing.ENDED,
    "expired": Standing.ENDED,
}
# Of a checkout: nothing was tried yet, or somebody is at it; and what leaves a page that is of no use any more.
STILL_OPEN = {"", "requires_payment_method", "requires_confirmation", "requires_customer_action"}
# https://docs.dodopayments.com/api-reference/payments/get-payments-1 (status); null is one that has not begun.
ENDS = {"succeeded": "succeeded", "failed": "failed", "cancelled": "cancelled"}
PAYMENTS, UNDER_WAY = ENDS | dict.fromkeys(STILL_OPEN, "pending"), "processing"
USED_UP = {"failed", "cancelled"}
REASONS = {"new": "new", "renewal": "renewal", "plan_change": "plan_change"}
# https://docs.dodopayments.com/api-reference/refunds/get-refunds-1 (status)
REFUNDS = {"succeeded": "succeeded", "failed": "failed", "pending": "pending", "review": "pending"}
# https://docs.dodopayments.com/api-reference/disputes/get-disputes-1 (dispute_status)
DISPUTES = {
    "dispute_opened": "open",
    "dispute_challenged": "open",
    "dispute_won": "won",
    "dispute_lost": "lost",
    "dispute_accepted": "lost",
    "dispute_expired": "lost",  # nobody answered in time
    "dispute_cancelled": "closed",
}


def subscribed(value: object) -> Subscribed:
    said = record(value)
    status = word(said, "status")
    if status not in STANDINGS:
        raise _odd("status")
    owes = status in {"past_due", "on_hold"}
    begins, ends = moment(said, "previous_billing_date"), moment(said, "next_billing_date")
    if ends is None and STANDINGS[status] in {Standing.ACTIVE, Standing.PAST_DUE}:
        raise _odd("next_billing_date")
    return Subscribed(
        id=identity(said, "subscription_id"),
        ref=text(entry(said.get("metadata")).get("subscription_ref")),
        customer_id=identity(record(said.get("customer")), "customer_id"),
        standing=Standing.TRIAL if status == "active" and _is_trial(said, ends) else STANDINGS[status],
        product_id=identity(said, "product_id"),
        period_start=begins,
        period_end=ends,
        cancels_at_end=said.get("cancel_at_next_billing_date") is True,
        was_paid=status not in {"pending", "failed"} and not owes,
        unpaid_since=ends if owes else None,
        grace_until=moment(said, "past_due_ends_at") if owes else None,
        scheduled_product_id=text(entry(said.get("scheduled_change")).get("product_id")),
        ended_at=_end(said, status, ends),
    )


def charged(value: object) -> Charged:
    said = record(value)
    status = PAYMENTS.get(text(said.get("status")), UNDER_WAY)
    return Charged(
        id=identity(said, "payment_id"),
        subscription_id=optional_identity(said.get("subscription_id")),
        customer_id=identity(record(said.get("customer")), "customer_id"),
        status=status,
        reason=REASONS.get(text(said.get("charge_type")), "other"),
        amount=amount(said, "total_amount"),
        tax=amount(said, "tax") if said.get("tax") is not None else 0,
        currency=currency(said),
        failure=text(said.get("error_code")) if status == "failed" else "",
        invoice_id=optional_identity(said.get("invoice_id")),
        paid_at=_payday(said) if status == "succeeded" else None,
        created_at=moment(said, "created_at"),
        ref=text(entry(said.get("metadata")).get("subscription_ref")),
    )


def listed(value: object) -> Listed:
    said = record(value)
    return Listed(id=identity(said, "payment_id"), status=PAYMENTS.get(text(said.get("status")), UNDER_WAY))


def page(said: Mapping[str, Any]) -> Page:
    identity(said, "id")
    status = text(said.get("payment_status"))
    return Page.OPEN if status in STILL_OPEN else Page.OVER if status in USED_UP else Page.PAID


def refunded(value: object) -> Refunded:
    said = record(value)
    if (status := text(said.get("status"))) not in REFUNDS:
        raise _odd("status")
    return Refunded(
        id=identity(said, "refund_id"),
        payment_id=identity(said, "payment_id"),
        status=REFUNDS[status],
        amount=amount(said, "amount"),
        currency=currency(said),
        reason=text(said.get("reason"), limit=3000),
        partial=said.get("is_partial") is True,
    )


def disputed(value: object) -> Disputed:
    said = record(value)
    if (status := text(said.get("dispute_status"))) not in DISPUTES:
        raise _odd("dispute_status")
    if not WHOLE.fullmatch(text(said.get("amount"))):
        raise _odd("amount")
    return Disputed(
        id=identity(said, "dispute_id"),
        payment_id=identity(said, "payment_id"),
        status=DISPUTES[status],
        amount=int(text(said.get("amount")).partition(".")[0]),
        currency=currency(said),
    )


def cards(value: object) -> list[Card]:
    """Dodo marks none as the first to be charged: it is the one that was charged last."""
    said = [record(each) for each in items(record(value))]
    used = [moment(each, "last_used_at") or datetime.min.replace(tzinfo=UTC) for each in said]
    return [_card(each, is_default=number == used.index(max(used))) for number, each in enumerate(said)]


def preview(value: object) -> Preview:
    charge = record(record(value).get("immediate_charge"))
    summary = record(charge.get("summary"))
    total, credited = amount(summary, "total_amount"), amount(summary, "customer_credits")
    return Preview(
        # What is granted to the customer's balance is above zero; what is taken from it is in the total already.
        amount=total if total or credited <= 0 else -credited,
        tax=amount(summary, "tax") if summary.get("tax") is not None else 0,
        currency=currency(summary),
        effective_at=moment(charge, "effective_at"),
    )


def refundable(value: object, wanted: int) -> Iterator[dict[str, Any]]:
    """The lines of a payment that make up the amount, or as much of it as there is."""
    left = wanted
    for line in map(record, items(record(value))):
        if (part := min(left, amount(line, "refundable_amount"))) > 0:
            left -= part
            yield {"item_id": identity(line, "items_id"), "amount": part, "tax_inclusive": True}


# Fields


def record(value: object) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise VendorAnswerInvalid(details={"problem": "not an object"})
    return value


def entry(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def items(said: Mapping[str, Any]) -> list[Any]:
    found = said.get("items")
    if not isinstance(found, list):
        raise _odd("items")
    return found


def text(value: object, *, limit: int = LONGEST_TEXT) -> str:
    return UNSTORABLE.sub("", value)[:limit] if isinstance(value, str) else ""


def word(said: Mapping[str, Any], name: str) -> str:
    if not (found := text(said.get(name))):
        raise _odd(name)
    return found


def identity(said: Mapping[str, Any], name: str) -> str:
    if not (found := optional_identity(said.get(name))):
        raise _odd(name)
    return found


def optional_identity(value: object) -> str:
    return value if isinstance(value, str) and ID.fullmatch(value) else ""


def amount(said: Mapping[str, Any], name: str) -> int:
    found = said.get(name)
    if not isinstance(found, int) or isinstance(found, bool) or abs(found) > LARGEST_AMOUNT:
        raise _odd(name)
    return found


def currency(said: Mapping[str, Any]) -> str:
    found = said.get("currency")
    if not (isinstance(found, str) and CURRENCY.fullmatch(found)):
        raise _odd("currency")
    return found


def moment(said: Mapping[str, Any], name: str) -> datetime | None:
    found = said.get(name)
    if found is None:
        return None
    try:
        when = datetime.fromisoformat(found)
        when = (when if when.tzinfo else when.replace(tzinfo=UTC)).astimezone(UTC)
    except (TypeError, ValueError, OverflowError):
        raise _odd(name) from None
    if not FIRST_MOMENT <= when <= LAST_MOMENT:
        raise _odd(name)
    return when


def link(said: Mapping[str, Any], name: str) -> str:
    found = said.get(name)
    if not (isinstance(found, str) and found.startswith(("https://", "http://"))):
        raise _odd(name)
    return found


def _odd(name: str) -> VendorAnswerInvalid:
    return VendorAnswerInvalid(details={"field": name})


def _is_trial(said: Mapping[str, Any], ends: datetime | None) -> bool:
    """Dodo calls a trial active: it is one while the first charge is still to come."""
    days, created = said.get("trial_period_days"), moment(said, "created_at")
    if not isinstance(days, int) or not 0 < days <= 10_000 or created is None or ends is None:
        return False
    return ends <= created + timedelta(days=days) + TRIAL_SLACK


def _end(said: Mapping[str, Any], status: str, ends: datetime | None) -> datetime | None:
    if status == "cancelled":
        return moment(said, "cancelled_at") or ends
    if status == "expired":
        return moment(said, "expires_at") or ends
    return moment(said, "created_at") if status == "failed" else None


def _payday(said: Mapping[str, Any]) -> datetime | None:
    """Dodo says when a payment was last touched: a refund or a dispute touches it too, long after."""
    touched = said.get("refunds") or said.get("disputes")
    return moment(said, "created_at" if touched or said.get("updated_at") is None else "updated_at")


def _card(said: Mapping[str, Any], *, is_default: bool) -> Card:
    card = entry(said.get("card"))
    year = _number(card.get("expiry_year"))
    return Card(
        id=identity(said, "payment_method_id"),
        kind=text(said.get("payment_method"), limit=30) or "card",
        brand=text(card.get("card_network"), limit=30).lower(),
        last4=text(card.get("last4_digits"), limit=4),
        expires_month=_number(card.get("expiry_month")),
        expires_year=year + 2000 if year is not None and year < CENTURY else year,
        is_default=is_default,
    )


def _number(value: object) -> int | None:
    return int(value) if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= 4 else None
