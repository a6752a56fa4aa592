"""Dodo Payments, which sells in its own name and settles the taxes: https://docs.dodopayments.com

It takes no idempotency key. So `once` travels in the metadata, and who calls again with the same one is given what
is there already: a change of plan or a refund is looked for before it is asked for.
"""

from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

from django.conf import settings

from billing.providers.contract import (
    Buyer,
    Card,
    Charged,
    Checkout,
    CheckoutState,
    Decision,
    Disputed,
    Hint,
    Listed,
    Page,
    Preview,
    Refunded,
    Returns,
    Standing,
    Subscribed,
)
from billing.providers.dodo import changing, reading
from billing.providers.dodo.door import asking, is_missing
from billing.providers.dodo.events import DECISIONS, read_event
from billing.providers.dodo.returns import returned
from billing.providers.refusals import PaymentDue, SubscriptionEnded
from core.errors import VendorAnswerInvalid, VendorRefused

PAGE_SIZE = 100
MOST_PAGES = 20
PAGE_LIFE = timedelta(hours=24)
LONGEST_REASON = 3000
PDF = b"%PDF-"


class Dodo:
    """Payments that Dodo takes."""

    name: ClassVar[str] = "dodo"
    decisions: ClassVar[Mapping[str, Decision]] = DECISIONS

    def is_configured(self) -> bool:
        return bool(settings.DODO_API_KEY)

    # What moves money, or leads to it

    def open_checkout(
        self, *, buyer: Buyer, product_id: str, ref: str, success_url: str, cancel_url: str, once: str
    ) -> Checkout:
        with asking() as dodo:
            said = _said(
                dodo.checkout_sessions.with_raw_response.create(
                    product_cart=[{"product_id": product_id, "quantity": 1}],
                    **_customer(buyer),
                    return_url=success_url,
                    cancel_url=cancel_url,
                    metadata={"subscription_ref": ref, "user_id": buyer.user_id, "once": once},
                )
            )
        # Documented, and told nowhere: https://docs.dodopayments.com/developer-resources/checkout-session
        until = datetime.now(UTC) + PAGE_LIFE
        return Checkout(
            id=reading.identity(said, "session_id"), url=reading.link(said, "checkout_url"), expires_at=until
        )

    def checkout_state(self, checkout_id: str) -> CheckoutState:
        said = _if_there(lambda dodo: dodo.checkout_sessions.with_raw_response.retrieve(checkout_id))
        page = Page.OVER if said is None else reading.page(said)
        if said is None or page is not Page.PAID:
            return CheckoutState(page=page)
        paid = self.payment(reading.identity(said, "payment_id"))
        return CheckoutState(page=page, subscription_id=paid.subscription_id if paid else "")

    def close_checkout(self, checkout_id: str) -> CheckoutState:
        """Nobody can: it stays open until its time runs out."""
        return self.checkout_state(checkout_id)

    def change_plan(
        self, subscription_id: str, *, product_id: str, at_period_end: bool, once: str, return_url: str = "",
        priced_at: datetime | None = None,
    ) -> None:  # fmt: skip
        """Reckoned anew, whatever moment was shown: Dodo takes none."""
        now = self._changeable(subscription_id)
        scheduled = reading.entry(now.get("scheduled_change")).get("product_id")
        if product_id == now.get("product_id"):
            # Done already; or a way back, and then what was scheduled shall not come.
            if scheduled:
                self.undo_scheduled_change(subscription_id)
        elif not (at_period_end and product_id == scheduled):
            changing.change(
                now, subscription_id, product_id, at_period_end=at_period_end, once=once, return_url=return_url
            )

    def refund(self, payment_id: str, *, amount: int | None, reason: str, once: str) -> Refunded:
        with changing.worded(), asking() as dodo:
            payment = _said(dodo.payments.with_raw_response.retrieve(payment_id))
            said = _refund_made(dodo, payment, once)
            if said is None:
                part = {} if amount is None else _part(dodo, payment, amount)
                said = _said(
                    dodo.refunds.with_raw_response.create(
                        payment_id=payment_id, reason=reason[:LONGEST_REASON], metadata={"once": once}, **part
                    )
                )
        return self._refunded(said)

    # What is arranged

    def preview_change(self, subscription_id: str, *, product_id: str) -> Preview:
        with changing.worded(), asking() as dodo:
            asked = changing.wish(product_id, at_period_end=False)
            return reading.preview(
                _said(dodo.subscriptions.with_raw_response.preview_change_plan(subscription_id, **asked))
            )

    def undo_scheduled_change(self, subscription_id: str) -> None:
        try:
            with asking() as dodo:
                dodo.subscriptions.with_raw_response.cancel_change_plan(subscription_id)
        except VendorRefused as problem:
            # Nothing is scheduled, which is all that was wanted.
            if not is_missing(problem):
                raise

    def cancel(self, subscription_id: str, *, now: bool) -> None:
        change = {"status": "cancelled"} if now else {"cancel_at_next_billing_date": True}
        try:
            with asking() as dodo:
                dodo.subscriptions.with_raw_response.update(subscription_id, **change)
        except VendorRefused:
            # It has ended already, which is all that was wanted.
            found = self.subscription(subscription_id)
            if found is None or found.standing is not Standing.ENDED:
                raise

    def resume(self, subscription_id: str) -> None:
        with changing.worded(), asking() as dodo:
            dodo.subscriptions.with_raw_response.update(subscription_id, cancel_at_next_billing_date=False)

    def portal(self, customer_id: str, *, return_url: str) -> str:
        with asking() as dodo:
            said = _said(dodo.customers.customer_portal.with_raw_response.create(customer_id, return_url=return_url))
        return reading.link(said, "link")

    def update_card(self, subscription_id: str, *, customer_id: str, return_url: str) -> str:
        with asking() as dodo:
            said = _said(
                dodo.subscriptions.with_raw_response.update_payment_method(
                    subscription_id, payment_method={"type": "new", "return_url": return_url}
                )
            )
        return reading.link(said, "payment_link")

    # What is

    def cards(self, customer_id: str) -> list[Card]:
        with asking() as dodo:
            return reading.cards(_said(dodo.customers.with_raw_response.retrieve_payment_methods(customer_id)))

    def invoice_pdf(self, payment_id: str, invoice_id: str) -> bytes:
        with asking() as dodo:
            # By way of the payment: https://docs.dodopayments.com/api-reference/payments/get-invoice
            pdf: bytes = dodo.invoices.payments.retrieve(payment_id).read()
        if not pdf.startswith(PDF):
            raise VendorAnswerInvalid(details={"problem": "not a PDF"})
        return pdf

    def subscription(self, subscription_id: str) -> Subscribed | None:
        said = _if_there(lambda dodo: dodo.subscriptions.with_raw_response.retrieve(subscription_id))
        return None if said is None else reading.subscribed(said)

    def payment(self, payment_id: str) -> Charged | None:
        said = _if_there(lambda dodo: dodo.payments.with_raw_response.retrieve(payment_id))
        return None if said is None else reading.charged(said)

    def payments(self, subscription_id: str) -> Iterator[Listed]:
        return _listed(subscription_id)

    def returns(self, payment_id: str) -> Returns:
        return returned(_if_there(lambda dodo: dodo.payments.with_raw_response.retrieve(payment_id)) or {})

    def refund_state(self, refund_id: str) -> Refunded | None:
        said = _if_there(lambda dodo: dodo.refunds.with_raw_response.retrieve(refund_id))
        return None if said is None else self._refunded(said)

    def dispute(self, dispute_id: str) -> Disputed | None:
        said = _if_there(lambda dodo: dodo.disputes.with_raw_response.retrieve(dispute_id))
        return None if said is None else reading.disputed(said)

    def read_webhook(self, body: bytes, headers: Mapping[str, str]) -> Hint:
        return read_event(body, headers)

    def _changeable(self, subscription_id: str) -> Mapping[str, Any]:
        with asking() as dodo:
            now = _said(dodo.subscriptions.with_raw_response.retrieve(subscription_id))
        standing = reading.subscribed(now).standing
        if standing is Standing.ENDED:
            raise SubscriptionEnded
        if standing is Standing.PAST_DUE:
            raise PaymentDue
        return now

    def _refunded(self, said: Mapping[str, Any]) -> Refunded:
        """A whole refund may come without its amount: it is the payment's."""
        is_untold = said.get("amount") is None and said.get("is_partial") is False
        if is_untold and (payment := self.payment(reading.identity(said, "payment_id"))):
            said = {**said, "amount": payment.amount, "currency": payment.currency}
        return reading.refunded(said)


def _said(answer: Any) -> Mapping[str, Any]:
    return reading.record(answer.json())


def _if_there(ask: Callable[[Any], Any]) -> Mapping[str, Any] | None:
    try:
        with asking() as dodo:
            return _said(ask(dodo))
    except VendorRefused as problem:
        if is_missing(problem):
            return None
        raise


def _customer(buyer: Buyer) -> dict[str, Any]:
    """A new one is nobody else's: by itself Dodo takes whoever has bought with this address before, and addresses move.

    https://docs.dodopayments.com/api-reference/checkout-sessions/create (feature_flags)
    """
    if buyer.customer_id:
        return {"customer": {"customer_id": buyer.customer_id}}
    named = {"email": buyer.email, **({"name": buyer.name} if buyer.name else {})}
    return {"customer": named, "feature_flags": {"always_create_new_customer": True}}


def _refund_made(dodo: Any, payment: Mapping[str, Any], once: str) -> Mapping[str, Any] | None:
    """The refund that was asked for with this `once` before. The payment lists them, without their metadata."""
    made = payment.get("refunds")
    for each in made if isinstance(made, list) else []:
        refund_id = reading.identity(reading.record(each), "refund_id")
        said = _said(dodo.refunds.with_raw_response.retrieve(refund_id))
        if reading.entry(said.get("metadata")).get("once") == once:
            return said
    return None


def _part(dodo: Any, payment: Mapping[str, Any], amount: int) -> dict[str, Any]:
    """In the currency that was paid in: Dodo would else take the amounts for those it settled."""
    paid_in = reading.currency(payment)
    lines = _said(
        dodo.payments.with_raw_response.retrieve_line_items(reading.identity(payment, "payment_id"), currency=paid_in)
    )
    items = list(reading.refundable(lines, amount))
    if lines.get("partial_refund_allowed") is False or sum(item["amount"] for item in items) != amount:
        raise VendorRefused("So much of this payment cannot be refunded.", details={"amount": amount})
    return {"items": items, "currency": paid_in}


def _listed(subscription_id: str) -> Iterator[Listed]:
    """Page by page, from 0. The SDK's own paging leaves out page 1, and nothing says how many there are."""
    seen: set[str] = set()
    for number in range(MOST_PAGES):
        with asking() as dodo:
            said = _said(
                dodo.payments.with_raw_response.list(
                    subscription_id=subscription_id, page_number=number, page_size=PAGE_SIZE
                )
            )
        # What was paid meanwhile moves the others to the next page; a page that says nothing new is the last.
        fresh = {each.id: each for each in map(reading.listed, reading.items(said)) if each.id not in seen}
        if not fresh:
            return
        seen.update(fresh)
        yield from fresh.values()
