"""A change of plan at Stripe that is charged at once: what is sent, and what its refusal means to the buyer."""

from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

from billing.providers.contract import Standing
from billing.providers.refusals import AlreadyRefunded, ConfirmationNeeded, PaymentFailed, SubscriptionEnded
from billing.providers.stripe import asking, reading
from billing.providers.stripe.reading import Row, id_of, required
from core.errors import Problem, VendorRefused

# https://docs.stripe.com/error-codes, https://docs.stripe.com/declines/codes
WANTS_CONFIRMATION = {
    "subscription_payment_intent_requires_action", "invoice_payment_intent_requires_action", "authentication_required",
}  # fmt: skip
PAYMENT_REQUIRED = 402
ALREADY_REFUNDED = "charge_already_refunded"


def charge(row: Row, product_id: str, *, once: str, return_url: str, priced_at: datetime | None) -> None:
    """Charged now, and not changed at all where that fails."""
    fields = {**asked(row, product_id, priced_at), "payment_behavior": "error_if_incomplete"}
    try:
        asking.send("change_plan", f"subscriptions/{required(row, 'id')}", fields, once=once)
    except VendorRefused as refused:
        said = refused.details
        if said.get("status") != PAYMENT_REQUIRED:
            raise
        if {said.get("code"), said.get("decline_code")} & WANTS_CONFIRMATION:
            url = _confirmation(row, product_id, return_url)
            raise ConfirmationNeeded(details={"confirm_url": url}) from refused
        raise PaymentFailed(details={"reason": said.get("decline_code") or said.get("code") or ""}) from refused


def asked(row: Row, product_id: str, priced_at: datetime | None) -> dict[str, Any]:
    """What is sent to have the difference charged, or to be told of it: reckoned as of one moment, both are the same.

    https://docs.stripe.com/billing/subscriptions/prorations#preview-proration
    """
    moment = {"proration_date": int(priced_at.timestamp())} if priced_at else {}
    return {"items": [_item(row, product_id)], "proration_behavior": "always_invoice", **moment}


def moment_within(row: Row) -> datetime:
    """Now, in whole seconds; clocks differ, and Stripe takes no moment outside of the running period."""
    found, now = reading.subscribed(row), datetime.now(UTC).replace(microsecond=0)
    return min(max(now, found.period_start or now), found.period_end or now)


def require_unended(row: Row) -> None:
    if reading.subscribed(row).standing is Standing.ENDED:
        raise SubscriptionEnded


def give_back(fields: Mapping[str, Any], *, once: str) -> Row:
    try:
        return asking.send("refund", "refunds", fields, once=once)
    except VendorRefused as refused:
        if refused.details.get("code") == ALREADY_REFUNDED:
            raise AlreadyRefunded(details=refused.details) from refused
        raise


def portal(fields: Mapping[str, Any]) -> str:
    return required(asking.send("portal", "billing_portal/sessions", fields), "url")


def _item(row: Row, product_id: str) -> dict[str, Any]:
    return {"id": required(reading.first_item(row), "id"), "price": product_id, "quantity": 1}


def _confirmation(row: Row, product_id: str, return_url: str) -> str:
    """The portal's page on which this change is confirmed, its payment too; empty where the portal offers none.

    https://docs.stripe.com/customer-management/portal-deep-links
    """
    name = "subscription_update_confirm"
    what = {"subscription": required(row, "id"), "items": [_item(row, product_id)]}
    after = {"type": "redirect", "redirect": {"return_url": return_url}}
    flow = {"type": name, name: what, "after_completion": after}
    with suppress(Problem):
        return portal({"customer": id_of(row.get("customer")), "return_url": return_url, "flow_data": flow})
    return ""
