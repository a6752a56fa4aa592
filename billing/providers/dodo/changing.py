"""A change of plan at Dodo, and what its refusals and the payment it took mean to the buyer."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import partial
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
from core.errors import Problem, VendorAnswerInvalid, VendorRefused

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
WANTS_CONFIRMATION = "AUTHENTICATION_REQUIRED"


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
    said = _ask(subscription_id, asked)
    if at_period_end:
        return
    payment_id = reading.optional_identity(said.get("payment_id"))
    if not payment_id and not _is_on(subscription_id, product_id):
        payment_id = _paying(subscription_id, once)
        if not payment_id:
            raise PaymentUnderWay if "payment_id" in said else VendorAnswerInvalid(details={"problem": "no change"})
    if payment_id:
        _require_paid(payment_id, page=partial(_page, subscription_id, asked, return_url))


def _ask(subscription_id: str, asked: Mapping[str, Any]) -> Mapping[str, Any]:
    with worded(), asking() as dodo:
        answer = dodo.subscriptions.with_raw_response.change_plan(subscription_id, **asked)
    # Older accounts are answered with nothing at all, and what came of it is looked at anyway.
    with suppress(ValueError):
        return reading.entry(answer.json())
    return {}


def wish(product_id: str, *, at_period_end: bool) -> dict[str, Any]:
    """What a change and its preview have in common."""
    return {
        "product_id": product_id,
        "quantity": 1,
        "proration_billing_mode": PRORATION,
        "effective_at": "next_billing_date" if at_period_end else "immediately",
        # The latest wish counts: what was scheduled before ends where this one takes effect.
        "cancel_scheduled_change_plan": True,
        # And one that waits on a page where nobody has begun to pay.
        "cancel_older_payment_link": True,
    }


def _is_on(subscription_id: str, product_id: str) -> bool:
    with asking() as dodo:
        now = reading.record(dodo.subscriptions.with_raw_response.retrieve(subscription_id).json())
    return bool(now.get("product_id") == product_id)


def _paying(subscription_id: str, once: str) -> str:
    """The payment that was begun for a change, where the answer does not name it."""
    with asking() as dodo:
        said = reading.record(dodo.payments.with_raw_response.list(subscription_id=subscription_id).json())
    paying = [each for each in map(reading.record, reading.items(said)) if _once_of(each) == once]
    return reading.identity(paying[0], "payment_id") if paying else ""


def _once_of(payment: Mapping[str, Any]) -> object:
    return reading.entry(payment.get("metadata")).get("once")


def _require_paid(payment_id: str, *, page: Callable[[], str]) -> None:
    """A change is answered with 200 whether or not the card was taken."""
    with asking() as dodo:
        payment = reading.record(dodo.payments.with_raw_response.retrieve(payment_id).json())
    status, reason = reading.text(payment.get("status")), reading.text(payment.get("error_code"))
    if status == ASKS_CUSTOMER or reason == WANTS_CONFIRMATION:
        raise ConfirmationNeeded(details={"confirm_url": page()})
    if status in REFUSED:
        raise PaymentFailed(details={"reason": reason.lower()})
    if status != "succeeded":
        raise PaymentUnderWay


def _page(subscription_id: str, asked: Mapping[str, Any], return_url: str) -> str:
    """The page on which this change is paid by whoever sits before it; empty where the account offers none.

    https://docs.dodopayments.com/api-reference/subscriptions/change-plan (collect_via_payment_link)
    """
    back = {"return_url": return_url} if return_url else {}
    with suppress(Problem):
        return reading.link(_ask(subscription_id, {**asked, **back, "collect_via_payment_link": True}), "payment_link")
    return ""
