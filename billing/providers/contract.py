"""What a payment provider must be able to do, and the shapes in which it tells us what is.

An adapter translates at the border: no field name of a vendor's appears outside its file. It raises our own errors.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import ClassVar, Protocol


class Standing(StrEnum):
    """How a subscription stands with its provider, in the words that decide what it allows."""

    PENDING = "pending"  # begun, not paid yet
    ACTIVE = "active"
    TRIAL = "trial"
    PAST_DUE = "past_due"  # a renewal failed, and is tried again
    PAUSED = "paused"
    ENDED = "ended"  # cancelled, expired or never paid: for good


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """As much of a payment, a refund or a dispute as every provider's list shows."""

    id: str
    status: str  # of a payment: "pending" (it waits for somebody), "processing", "succeeded", "failed" or "cancelled"


@dataclass(frozen=True, slots=True, kw_only=True)
class Charged(Listed):
    """A payment as the provider has it now."""

    subscription_id: str  # empty where it has none
    customer_id: str
    reason: str  # "new", "renewal", "plan_change" or "other"
    amount: int  # minor units
    tax: int
    currency: str
    failure: str = ""  # the provider's code, where it failed
    invoice_id: str = ""
    invoice_number: str = ""
    paid_at: datetime | None = None
    created_at: datetime | None = None
    ref: str = ""  # our own subscription's id, where the checkout carried it


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscribed:
    """A subscription as the provider has it now."""

    id: str
    ref: str  # our own subscription's id, as the checkout carried it; empty where it did not
    customer_id: str
    standing: Standing
    product_id: str
    period_start: datetime | None
    period_end: datetime | None
    cancels_at_end: bool = False
    was_paid: bool = True  # whether the running period was
    unpaid_since: datetime | None = None  # since when a renewal is owed
    grace_until: datetime | None = None  # where the provider itself says so
    scheduled_product_id: str = ""
    ended_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Refunded:
    """A refund as the provider has it now."""

    id: str
    payment_id: str
    status: str  # "pending", "succeeded" or "failed"
    amount: int
    currency: str
    reason: str = ""
    partial: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Disputed:
    """A dispute as the provider has it now."""

    id: str
    payment_id: str
    status: str  # "open", "won", "lost" or "closed"
    amount: int
    currency: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Returns:
    """What came of a payment afterwards, as its provider lists it."""

    refunds: tuple[Listed, ...] = ()
    disputes: tuple[Listed, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """A means of payment that the provider keeps."""

    id: str
    kind: str = "card"
    brand: str = ""
    last4: str = ""
    expires_month: int | None = None
    expires_year: int | None = None
    is_default: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkout:
    """A page on which somebody pays."""

    id: str
    url: str
    expires_at: datetime


class Page(StrEnum):
    """What can happen on a page yet."""

    OPEN = "open"
    PAID = "paid"  # or as good as: the payment is under way
    OVER = "over"


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckoutState:
    """How a page stands."""

    page: Page
    subscription_id: str = ""  # what was bought on it


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """What a change of plan would cost now: below zero is credited."""

    amount: int
    tax: int
    currency: str
    effective_at: datetime | None = None  # none: at once
    # Handed to the change, it is charged what was shown; none where a provider reckons anew.
    priced_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Hint:
    """What an event is about: the objects to read again, never what it says of them."""

    id: str  # of the delivery: the same when it is tried again
    type: str
    subscription_ids: tuple[str, ...] = ()
    payment_ids: tuple[str, ...] = ()
    refund_ids: tuple[str, ...] = ()
    dispute_ids: tuple[str, ...] = ()
    card_owner_ids: tuple[str, ...] = ()  # customers whose cards may not be what they were


class Decision(StrEnum):
    """What is done about a type of event."""

    HANDLED = "handled"  # the objects it names are read again and settled
    RECORDED = "recorded"  # kept, and nothing follows from it
    IGNORED = "ignored"  # of no interest to us


@dataclass(frozen=True, slots=True, kw_only=True)
class Buyer:
    """Who pays."""

    user_id: str
    email: str
    name: str = ""
    customer_id: str = ""  # empty at the first purchase


class Provider(Protocol):
    """One payment provider. Every call may raise a VendorProblem; those that move money are sent once."""

    name: ClassVar[str]
    decisions: ClassVar[Mapping[str, Decision]]  # every type of event there is

    def is_configured(self) -> bool: ...

    def open_checkout(
        self, *, buyer: Buyer, product_id: str, ref: str, success_url: str, cancel_url: str, once: str
    ) -> Checkout: ...

    def checkout_state(self, checkout_id: str) -> CheckoutState: ...
    def close_checkout(self, checkout_id: str) -> CheckoutState:
        """Let nobody pay there any more; still OPEN where the provider has no way to do that."""
        ...

    def change_plan(
        self, subscription_id: str, *, product_id: str, at_period_end: bool, once: str, return_url: str = "",
        priced_at: datetime | None = None,
    ) -> None:  # fmt: skip
        """Asked for what is so already, it charges nothing; where the charge fails, PaymentFailed, and no change.

        What was planned before may stand yet when it has begun: whoever asks for a change now takes that off as well.
        `return_url` is where a browser comes back to that had to confirm the payment.
        """
        ...

    def preview_change(self, subscription_id: str, *, product_id: str) -> Preview: ...
    def undo_scheduled_change(self, subscription_id: str) -> None: ...
    def cancel(self, subscription_id: str, *, now: bool) -> None: ...
    def resume(self, subscription_id: str) -> None: ...
    def refund(self, payment_id: str, *, amount: int | None, reason: str, once: str) -> Refunded: ...
    def portal(self, customer_id: str, *, return_url: str) -> str: ...
    def update_card(self, subscription_id: str, *, customer_id: str, return_url: str) -> str: ...
    def cards(self, customer_id: str) -> list[Card]: ...
    def invoice_pdf(self, payment_id: str, invoice_id: str) -> bytes: ...

    def subscription(self, subscription_id: str) -> Subscribed | None: ...
    def payment(self, payment_id: str) -> Charged | None: ...
    def payments(self, subscription_id: str) -> Iterable[Listed]: ...
    def returns(self, payment_id: str) -> Returns: ...
    def refund_state(self, refund_id: str) -> Refunded | None: ...
    def dispute(self, dispute_id: str) -> Disputed | None: ...

    def read_webhook(self, body: bytes, headers: Mapping[str, str]) -> Hint:
        """Verify it over the raw bytes, or raise Forged, Malformed, TooLarge or NotConfigured."""
        ...
