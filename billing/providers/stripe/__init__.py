"""Stripe, by plain HTTP: its SDK weighs 31 MB and brings nothing that we need here.

A product is one of Stripe's prices (`price_...`), and a payment is an invoice (`in_...`): everything we charge for
belongs to a subscription and so to an invoice, which keeps its id when it is tried again, while each try has a payment
intent of its own. Refunds and disputes know only the intent; their invoice is asked for.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import datetime
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
    Page,
    Preview,
    Refunded,
    Returns,
    Standing,
    Subscribed,
)
from billing.providers.refusals import PaymentDue
from billing.providers.stripe import asking, changing, events, reading, scheduling, signature
from billing.providers.stripe.reading import REF, Row, entry, id_of, items, moment, text
from billing.providers.stripe.returns import returned
from core import http
from core.errors import VendorAnswerInvalid, VendorRefused

INTENTS = "payments.data.payment.payment_intent"
PDF_SECONDS = 30.0
LONGEST_METADATA = 500


class Stripe:
    """The whole contract. A deed that is sent twice with the same `once` is done once."""

    name: ClassVar[str] = asking.NAME
    decisions: ClassVar[Mapping[str, Decision]] = events.DECISIONS

    def is_configured(self) -> bool:
        return bool(settings.STRIPE_SECRET_KEY)

    def open_checkout(
        self, *, buyer: Buyer, product_id: str, ref: str, success_url: str, cancel_url: str, once: str
    ) -> Checkout:
        who = {"customer": buyer.customer_id} if buyer.customer_id else {"customer_email": buyer.email}
        fields = {
            "mode": "subscription",
            "line_items": scheduling.of(product_id),
            "success_url": success_url,
            "cancel_url": cancel_url,
            "client_reference_id": ref,
            "metadata": {REF: ref},
            # Only what stands here reaches the subscription and its invoices.
            "subscription_data": {"metadata": {REF: ref}},
            **who,
        }
        row = asking.send("checkout", "checkout/sessions", fields, once=once)
        return reading.checkout(row)

    def checkout_state(self, checkout_id: str) -> CheckoutState:
        row = asking.look_up("checkout_state", f"checkout/sessions/{checkout_id}")
        return CheckoutState(page=Page.OVER) if row is None else reading.checkout_state(row)

    def close_checkout(self, checkout_id: str) -> CheckoutState:
        found = self.checkout_state(checkout_id)
        if found.page is not Page.OPEN:
            return found
        try:
            row = asking.send("close_checkout", f"checkout/sessions/{checkout_id}/expire", {})
        except VendorRefused:
            # Only what is open can be closed: it was paid, or its time ran out, since we looked.
            return self.checkout_state(checkout_id)
        return reading.checkout_state(row)

    # Changes

    def change_plan(
        self, subscription_id: str, *, product_id: str, at_period_end: bool, once: str, return_url: str = "",
        priced_at: datetime | None = None,
    ) -> None:  # fmt: skip
        row = _running(subscription_id)
        if at_period_end:
            scheduling.plan(row, product_id, once=once)
            return
        if id_of(reading.first_item(row).get("price")) != product_id:
            changing.charge(row, product_id, once=once, return_url=return_url, priced_at=priced_at)

    def preview_change(self, subscription_id: str, *, product_id: str) -> Preview:
        row = _present(subscription_id)
        changing.require_unended(row)
        now = changing.moment_within(row)
        fields = {"subscription": subscription_id, "subscription_details": changing.asked(row, product_id, now)}
        found = reading.preview(asking.send("preview_change", "invoices/create_preview", fields))
        return replace(found, priced_at=now)

    def undo_scheduled_change(self, subscription_id: str) -> None:
        scheduling.release(_present(subscription_id))

    def cancel(self, subscription_id: str, *, now: bool) -> None:
        row = _present(subscription_id)
        if reading.subscribed(row).standing is Standing.ENDED:
            return
        # "The subscription is managed by the subscription schedule" is what Stripe says otherwise.
        scheduling.release(row)
        if not now:
            asking.send("cancel", f"subscriptions/{subscription_id}", {"cancel_at_period_end": True})
            return
        try:
            asking.remove("cancel_now", f"subscriptions/{subscription_id}")
        except VendorRefused as refused:
            # Sent again after the answer to the first was lost: to Stripe an ended subscription is not there.
            if refused.details.get("code") != asking.GONE:
                raise

    def resume(self, subscription_id: str) -> None:
        row, fields = _present(subscription_id), dict[str, Any]()
        changing.require_unended(row)
        # Stripe refuses both in one request; the portal may have set either.
        if row.get("cancel_at_period_end"):
            fields = {"cancel_at_period_end": False}
        elif row.get("cancel_at"):
            fields = {"cancel_at": ""}
        if fields:
            asking.send("resume", f"subscriptions/{subscription_id}", fields)

    def refund(self, payment_id: str, *, amount: int | None, reason: str, once: str) -> Refunded:
        paid = next(iter(reading.payments_of(_invoice(payment_id) or {})), {})
        kind, spent = _means(entry(paid.get("payment")))
        if not spent or paid.get("status") != "paid":
            raise VendorRefused(details={"problem": "not_paid"})
        said = {"reason": "requested_by_customer", "metadata": {"reason": reason[:LONGEST_METADATA]}}
        fields = {kind: spent, "amount": amount, **said}
        row = changing.give_back(fields, once=once)
        return reading.refunded(row, {**paid, "invoice": payment_id})

    # What somebody sees of Stripe's own

    def portal(self, customer_id: str, *, return_url: str) -> str:
        return changing.portal({"customer": customer_id, "return_url": return_url})

    def update_card(self, subscription_id: str, *, customer_id: str, return_url: str) -> str:
        _follow_customer(subscription_id, customer_id)
        after = {"type": "redirect", "redirect": {"return_url": return_url}}
        flow = {"type": "payment_method_update", "after_completion": after}
        return changing.portal({"customer": customer_id, "return_url": return_url, "flow_data": flow})

    def cards(self, customer_id: str) -> list[Card]:
        customer = asking.look_up("customer", f"customers/{customer_id}")
        if not customer or customer.get("deleted"):
            return []
        chosen = id_of(entry(customer.get("invoice_settings")).get("default_payment_method"))
        # A checkout gives its card to the subscription alone, and that is the one which is charged.
        for subscription in asking.pages("subscriptions", "subscriptions", customer=customer_id):
            chosen = id_of(subscription.get("default_payment_method")) or chosen
        rows = asking.pages("payment_methods", f"customers/{customer_id}/payment_methods")
        return [reading.card(row, default_id=chosen) for row in rows]

    def invoice_pdf(self, payment_id: str, invoice_id: str) -> bytes:
        address = text((_invoice(invoice_id or payment_id) or {}).get("invoice_pdf"), limit=4000)
        if not address:
            raise VendorRefused(details={"problem": "no_pdf"})
        # The address is the permission, and may lead to another host: the key is not for it.
        answer = http.request(
            vendor=self.name, operation="invoice_pdf", url=address, follow_redirects=True, timeout=PDF_SECONDS
        )
        if not answer.require_success().body.startswith(b"%PDF"):
            raise VendorAnswerInvalid(details={"problem": "no_pdf"})
        return answer.body

    # What is

    def subscription(self, subscription_id: str) -> Subscribed | None:
        row = _subscription(subscription_id)
        return None if row is None else reading.subscribed(row, unpaid_since=_unpaid_since(row))

    def payment(self, payment_id: str) -> Charged | None:
        row = _invoice(payment_id)
        return None if row is None else reading.charged(row)

    def payments(self, subscription_id: str) -> Iterator[Charged]:
        """The newest first, without those that nobody was asked to pay yet."""
        rows = asking.pages("payments", "invoices", subscription=subscription_id, expand=["data.payments"])
        for row in rows:
            # Why one is not paid stands so deep that a list does not show it.
            is_owed = text(row.get("status")) in {"open", "uncollectible"}
            found = _invoice(reading.required(row, "id")) if is_owed else row
            if found and found.get("status") != "draft":
                yield reading.charged(found)

    def returns(self, payment_id: str) -> Returns:
        return returned(_invoice(payment_id) or {})

    def refund_state(self, refund_id: str) -> Refunded | None:
        row = asking.look_up("refund_state", f"refunds/{refund_id}")
        return None if row is None else reading.refunded(row, _paid_by(row))

    def dispute(self, dispute_id: str) -> Disputed | None:
        row = asking.look_up("dispute", f"disputes/{dispute_id}")
        return None if row is None else reading.disputed(row, _paid_by(row))

    def read_webhook(self, body: bytes, headers: Mapping[str, str]) -> Hint:
        signature.verify(body, headers, secrets=settings.STRIPE_WEBHOOK_SECRET)
        return events.hint(body)


def _subscription(subscription_id: str) -> Row | None:
    return asking.look_up("subscription", f"subscriptions/{subscription_id}", expand=["latest_invoice", "schedule"])


def _present(subscription_id: str) -> Row:
    row = _subscription(subscription_id)
    if row is None:
        raise VendorRefused(details={"code": asking.GONE})
    return row


def _running(subscription_id: str) -> Row:
    """One that may be changed: Stripe would let a plan be changed while it is owed for, and Dodo does not."""
    row = _present(subscription_id)
    changing.require_unended(row)
    if text(row.get("status")) in reading.OWING:
        raise PaymentDue
    return row


def _invoice(invoice_id: str) -> Row | None:
    return asking.look_up("payment", f"invoices/{invoice_id}", expand=[INTENTS])


def _unpaid_since(row: Row) -> datetime | None:
    """Since the first invoice left open after the last period that was paid for.

    The latest one moves on with each period that nobody pays for; an older debt is no part of this one.
    """
    if text(row.get("status")) not in reading.OWING:
        return None
    since = None
    for each in asking.pages("unpaid", "invoices", subscription=reading.required(row, "id")):
        if text(each.get("status")) == "paid" and reading.begins_period(each):
            break
        if text(each.get("status")) == "open":
            since = moment(each.get("created")) or since
    return since


def _means(payment: Row) -> tuple[str, str]:
    """What an invoice was paid with, by the name under which Stripe wants to hear of it."""
    kind = "payment_intent" if payment.get("payment_intent") else "charge"
    return kind, id_of(payment.get(kind))


def _paid_by(row: Row) -> Row:
    """The invoice payment to which a refund or a dispute belongs; none where the charge was for no invoice."""
    intent = id_of(row.get("payment_intent"))
    if not intent:
        return {}
    which = {"type": "payment_intent", "payment_intent": intent}
    return next(iter(items(asking.read("invoice_of", "invoice_payments", payment=which).get("data"))), {})


def _follow_customer(subscription_id: str, customer_id: str) -> None:
    """Have the subscription paid by its customer's card, for that is the one which the portal changes.

    The card that a checkout left on the subscription itself would go before it: it becomes the customer's first.
    https://docs.stripe.com/customer-management/portal-deep-links
    """
    own = id_of(_present(subscription_id).get("default_payment_method"))
    if own:
        fields = {"invoice_settings": {"default_payment_method": own}}
        asking.send("default_card", f"customers/{customer_id}", fields)
        asking.send("default_card", f"subscriptions/{subscription_id}", {"default_payment_method": ""})
