"""A change of plan at Dodo, and what its refusals and the payment it took mean to the buyer."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any

from billing.providers.dodo import reading
from billing.providers.dodo.door import asking
from billing.providers.refusals import (
    AlreadyRefunded,
    ConfirmationNeeded,
    PaymentDue,
    PaymentFailed,
    PaymentUnderWay,
    SubscriptionEnded,
)
from core.errors import Problem, VendorRefused

# https://docs.dodopayments.com/developer-resources/subscription-upgrade-downgrade
PRORATION = "prorated_immediately"
# https://docs.dodopayments.com/api-reference/error-codes
WORDS: Mapping[str, type[Problem]] = {
    "PREVIOUS_PAYMENT_PENDING": PaymentUnderWay,
    "SUBSCRIPTION_INACTIVE": SubscriptionEnded,
    "SUBSCRIPTION_EXPIRED": SubscriptionEnded,
    "INACTIVE_SUBSCRIPTION_PLAN_CHANGE_NOT_SUPPORTED": PaymentDue,
    "PAYMENT_ALREADY_REFUNDED": AlreadyRefunded,
}
# https://docs.dodopayments.com/developer-resources/handle-payment-failures
REFUSED = {"failed", "cancelled", "requires_payment_method"}
ASKS_CUSTOMER = "requires_customer_action"


@contextmanager
def worded() -> Iterator[None]:
    """Within, what Dodo refuses for a reason of the buyer's is said in our words."""
    try:
        yield
    except VendorRefused as refused:
        if meant := WORDS.get(refused.details.get("code", "")):
            raise meant(details=refused.details if issubclass(meant, VendorRefused) else {}) from refused
        raise


def change(
    now: Mapping[str, Any], subscription_id: str, product_id: str, *, at_period_end: bool, once: str, return_url: str
) -> None:
    asked = wish(product_id, at_period_end=at_period_end)
    asked["metadata"] = {**reading.entry(now.get("metadata")), "once": once}
    # A card that is declined leaves the plan as it was, whatever the account's own setting.
    asked["on_payment_failure"] = "prevent_change"
    said: Mapping[str, Any] = {}
    if return_url:
        asked["return_url"] = return_url
    with worded(), asking() as dodo:
        answer = dodo.subscriptions.with_raw_response.change_plan(subscription_id, **asked)
    # Older accounts are answered with nothing at all, and what came of it is looked at anyway.
    with suppress(ValueError):
        said = reading.entry(answer.json())
    if payment_id := reading.optional_identity(said.get("payment_id")):
        _require_paid(payment_id, reading.text(said.get("payment_link"), limit=4000))


def wish(product_id: str, *, at_period_end: bool) -> dict[str, Any]:
    """What a change and its preview have in common."""
    return {
        "product_id": product_id,
        "quantity": 1,
        "proration_billing_mode": PRORATION,
        "effective_at": "next_billing_date" if at_period_end else "immediately",
        # The latest wish counts: what was scheduled before ends where this one takes effect.
        "cancel_scheduled_change_plan": True,
    }


def _require_paid(payment_id: str, link: str) -> None:
    """A change is answered with 200 whether or not the card was taken."""
    with asking() as dodo:
        payment = reading.record(dodo.payments.with_raw_response.retrieve(payment_id).json())
    status = reading.text(payment.get("status"))
    if status in REFUSED:
        raise PaymentFailed(details={"reason": reading.text(payment.get("error_code")).lower()})
    if status == ASKS_CUSTOMER:
        url = link or reading.text(payment.get("payment_link"), limit=4000)
        raise ConfirmationNeeded(details={"confirm_url": url})
    if status != "succeeded":
        raise PaymentUnderWay
