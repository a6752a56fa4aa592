"""Stripe, by plain HTTP: its SDK weighs 31 MB and brings nothing that we need here.

A product is one of Stripe's prices (`price_...`), and a payment is an invoice (`in_...`): everything we charge for
belongs to a subscription and so to an invoice, which keeps its id when it is tried again, while each try has a payment
intent of its own. Refunds and disputes know only the intent; their invoice is asked for.
"""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, ClassVar

from django.conf import settings

from billing.providers.contract import (
    Buyer,
    Card,
    Charged,
    Checkout,
    Decision,
    Disputed,
    Hint,
    Preview,
    Refunded,
    Standing,
    Subscribed,
)
from billing.providers.stripe import asking, events, reading, signature
from billing.providers.stripe.reading import REF, Row, entry, id_of, items, moment, text
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
            "line_items": _of(product_id),
            "success_url": success_url,
            "cancel_url": cancel_url,
            "client_reference_id": ref,
            "metadata": {REF: ref},
            # Only what stands here reaches the subscription and its invoices.
            "subscription_data": {"metadata": {REF: ref}},
            **who,
        }
        row = asking.send("checkout", "checkout/sessions", fields, once=once)
        return Checkout(id=reading.required(row, "id"), url=reading.required(row, "url"))

    # Changes

    def change_plan(self, subscription_id: str, *, product_id: str, at_period_end: bool, once: str) -> None:
        row = _present(subscription_id)
        if at_period_end:
            _plan(row, product_id, once=once)
            return
        # Charged now, and not changed at all where that fails.
        fields = {**_changed(row, product_id), "payment_behavior": "error_if_incomplete"}
        asking.send("change_plan", f"subscriptions/{subscription_id}", fields, once=once)
        # Only now: a change that was declined leaves standing what was planned before.
        _release(row)

    def preview_change(self, subscription_id: str, *, product_id: str) -> Preview:
        row = _present(subscription_id)
        fields = {"subscription": subscription_id, "subscription_details": _changed(row, product_id)}
        return reading.preview(asking.send("preview_change", "invoices/create_preview", fields))

    def undo_scheduled_change(self, subscription_id: str) -> None:
        _release(_present(subscription_id))

    def cancel(self, subscription_id: str, *, now: bool) -> None:
        row = _present(subscription_id)
        if reading.subscribed(row).standing is Standing.ENDED:
            return
        # "The subscription is managed by the subscription schedule" is what Stripe says otherwise.
        _release(row)
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
        row = asking.send("refund", "refunds", fields, once=once)
        return reading.refunded(row, {**paid, "invoice": payment_id})

    # What somebody sees of Stripe's own

    def portal(self, customer_id: str, *, return_url: str) -> str:
        return _portal({"customer": customer_id, "return_url": return_url})

    def update_card(self, subscription_id: str, *, customer_id: str, return_url: str) -> str:
        _follow_customer(subscription_id, customer_id)
        after = {"type": "redirect", "redirect": {"return_url": return_url}}
        flow = {"type": "payment_method_update", "after_completion": after}
        return _portal({"customer": customer_id, "return_url": return_url, "flow_data": flow})

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


def _invoice(invoice_id: str) -> Row | None:
    return asking.look_up("payment", f"invoices/{invoice_id}", expand=[INTENTS])


def _changed(row: Row, product_id: str) -> dict[str, Any]:
    """What is sent to have the difference charged, or to be told of it."""
    item = {"id": reading.required(reading.first_item(row), "id"), "price": product_id, "quantity": 1}
    return {"items": [item], "proration_behavior": "always_invoice"}


def _unpaid_since(row: Row) -> datetime | None:
    """Since its oldest open invoice: the latest one moves on with each period that nobody pays for."""
    if text(row.get("status")) not in reading.OWING:
        return None
    rows = asking.pages("unpaid", "invoices", subscription=reading.required(row, "id"), status="open")
    return min(filter(None, (moment(row.get("created")) for row in rows)), default=None)


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


def _plan(row: Row, product_id: str, *, once: str) -> None:
    """The running phase as it is until its end, then one with the new price, after which the subscription runs free.

    https://docs.stripe.com/billing/subscriptions/subscription-schedules/use-cases
    """
    item, schedule = reading.first_item(row), entry(row.get("schedule"))
    if id_of(item.get("price")) == product_id:
        _release(row)
        return
    if not schedule:
        # Of a subscription that has none yet; then there is nothing but the running phase in it.
        fields: dict[str, Any] = {"from_subscription": reading.required(row, "id")}
        schedule = asking.send("schedule", "subscription_schedules", fields, once=once)
    fields = {
        "end_behavior": "release",
        "proration_behavior": "none",
        "phases": [
            {**_running(schedule), "items": _of(id_of(item.get("price"))), "end_date": item.get("current_period_end")},
            {"items": _of(product_id), "duration": {"interval": "month"}, "proration_behavior": "none"},
        ],
    }
    asking.send("schedule_phases", f"subscription_schedules/{reading.required(schedule, 'id')}", fields, once=once)


def _running(schedule: Row) -> dict[str, Any]:
    """What has to be said again of the phase that runs: when it began, and what would be lost (a trial, a discount)."""
    began = entry(schedule.get("current_phase")).get("start_date")
    phase = next((each for each in items(schedule.get("phases")) if each.get("start_date") == began), {})
    discounts = [_discount(each) for each in items(phase.get("discounts"))]
    return {"start_date": began, "trial_end": phase.get("trial_end"), "discounts": discounts}


def _discount(row: Row) -> dict[str, str]:
    """The very one rather than another of its kind."""
    named = {name: id_of(row.get(name)) for name in ("discount", "coupon", "promotion_code")}
    return next(({name: value} for name, value in named.items() if value), {})


def _of(product_id: str) -> list[dict[str, Any]]:
    return [{"price": product_id, "quantity": 1}]


def _release(row: Row) -> None:
    """Take what was planned off a subscription, and leave it running as it is."""
    schedule = entry(row.get("schedule"))
    if text(schedule.get("status")) in {"active", "not_started"}:
        asking.send("release", f"subscription_schedules/{reading.required(schedule, 'id')}/release", {})


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


def _portal(fields: Mapping[str, Any]) -> str:
    return reading.required(asking.send("portal", "billing_portal/sessions", fields), "url")
