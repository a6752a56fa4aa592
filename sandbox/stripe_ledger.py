"""Stripe's books on loopback: customers, cards, invoices, charges and what was given back of them."""

import copy
import itertools
import json
import time
from pathlib import Path
from typing import Any

from sandbox.stripe_events import Outbox
from sandbox.stripe_wire import Refused, Row, missing

SHAPES = json.loads(Path(__file__).with_name("stripe_shapes.json").read_text())
PREFIXES = {
    "customer": "cus", "payment_method": "pm", "checkout.session": "cs_test", "subscription": "sub", "invoice": "in",
    "payment_intent": "pi", "charge": "ch", "refund": "re", "dispute": "du", "subscription_schedule": "sub_sched",
    "billing_portal.session": "bps",
}  # fmt: skip
DAY = 86_400
RETRY_DAYS = 3
LONGEST_METADATA = 500


class Ledger:
    """Every object by its id. The public attributes are knobs."""

    def __init__(self, outbox: Outbox) -> None:
        self.outbox = outbox
        self.objects: dict[str, Row] = {}
        self.prices: dict[str, Row] = {}
        self.invents = True  # a price that nobody added is made up
        self.declines = ""  # the code with which the next charges are declined, until it is emptied
        self.tax_percent = 0
        self.refund_status = "succeeded"
        self.url = ""
        self._ids = itertools.count(1)
        self._ahead = 0

    def now(self) -> int:
        return int(time.time()) + self._ahead

    def turn_to(self, moment: int) -> None:
        """Let it be that moment, if it is not yet past."""
        self._ahead += max(0, moment - self.now())

    def new(self, kind: str, **fields: Any) -> Row:
        row: Row = copy.deepcopy(SHAPES[kind])
        row |= {"id": f"{PREFIXES[kind]}_sandbox{next(self._ids):05}", "object": kind, "created": self.now()}
        row |= {"livemode": False, **fields}
        self.objects[row["id"]] = row
        return row

    def tell(self, kind: str, about: Row) -> None:
        self.outbox.add(kind, about, created=self.now())

    def get(self, kind: str, name: Any) -> Row:
        found = self.timely(self.objects.get(str(name)))
        if not found or found["object"] != kind:
            raise missing(kind, str(name))
        return found

    def timely(self, row: Row | None) -> Row | None:
        """A page on which nobody paid in time has expired."""
        if row and row["object"] == "checkout.session" and row["status"] == "open" and row["expires_at"] <= self.now():
            row |= {"status": "expired", "url": None}
            self.tell("checkout.session.expired", self.shown(row))
        return row

    def all(self, kind: str, **where: Any) -> list[Row]:
        rows = [row for row in self.objects.values() if row["object"] == kind]
        return [row for row in rows if all(row.get(name) == value for name, value in where.items() if value)]

    def add_price(self, name: str, amount: int = 1900, *, currency: str = "usd", interval: str = "month") -> str:
        recurring = {"interval": interval, "interval_count": 1, "usage_type": "licensed"}
        self.prices[name] = {
            "id": name,
            "object": "price",
            "active": True,
            "currency": currency,
            "product": f"prod_{name.removeprefix('price_')}",
            "recurring": recurring,
            "type": "recurring",
            "unit_amount": amount,
        }
        return name

    def price(self, name: Any) -> Row:
        if name not in self.prices and self.invents:
            self.add_price(str(name))
        if name not in self.prices:
            raise Refused(400, "resource_missing", f"No such price: '{name}'", param="price")
        return self.prices[name]

    # Cards

    def add_card(self, customer: str, **card: Any) -> Row:
        method = self.new("payment_method", customer=customer)
        method["card"] |= card
        self.tell("payment_method.attached", method)
        return method

    def prefer_card(self, customer: Row, method: str) -> None:
        self.get("payment_method", method)
        customer["invoice_settings"]["default_payment_method"] = method
        self.tell("customer.updated", customer)

    # Invoices

    def invoice(self, subscription: Row, reason: str, amount: int, *, currency: str) -> Row:
        """A draft. What the customer has to his credit is used up by it; what is below zero is put there."""
        tax = amount * self.tax_percent // 100
        customer = self.get("customer", subscription["customer"])
        total, balance = amount + tax, customer["balance"]
        due = max(0, total + balance)
        details = {"subscription": subscription["id"], "metadata": dict(subscription["metadata"])}
        taxes = [{"amount": tax, "tax_behavior": "exclusive", "taxable_amount": amount}] if tax else []
        customer["balance"] = min(0, total + balance)
        row = self.new(
            "invoice",
            customer=customer["id"],
            parent={"type": "subscription_details", "quote_details": None, "subscription_details": details},
            billing_reason=reason,
            currency=currency,
            total=total,
            subtotal=amount,
            total_excluding_tax=amount,
            total_taxes=taxes,
            amount_due=due,
            amount_remaining=due,
            starting_balance=balance,
            ending_balance=customer["balance"],
            period_start=self.now(),
            period_end=self.now(),
        )
        subscription["latest_invoice"] = row["id"]
        self.tell("invoice.created", row)
        return row

    def finalize(self, invoice: Row) -> None:
        name = invoice["id"]
        invoice |= {
            "status": "open",
            "number": f"SANDBOX-{name.removeprefix('in_sandbox')}",
            "hosted_invoice_url": f"{self.url}/i/{name}",
            "invoice_pdf": f"{self.url}/i/{name}/pdf?s=ap",
        }
        invoice["status_transitions"]["finalized_at"] = self.now()
        self.tell("invoice.finalized", invoice)

    def pay(self, invoice: Row) -> bool:
        """Try to be paid for an invoice that is open, and say whether it worked."""
        if invoice["amount_due"]:
            charge = self._charge(invoice)
            if not charge["paid"]:
                invoice |= {"attempted": True, "attempt_count": invoice["attempt_count"] + 1}
                invoice["next_payment_attempt"] = self.now() + RETRY_DAYS * DAY
                self.tell("invoice.payment_failed", invoice)
                return False
        invoice |= {"attempted": True, "attempt_count": invoice["attempt_count"] + 1, "status": "paid"}
        invoice |= {"amount_paid": invoice["amount_due"], "amount_remaining": 0, "next_payment_attempt": None}
        invoice["status_transitions"]["paid_at"] = self.now()
        self.tell("invoice.paid", invoice)
        self.tell("invoice.payment_succeeded", invoice)
        return True

    def _charge(self, invoice: Row) -> Row:
        reason, sum_of = self.declines, {"amount": invoice["amount_due"], "currency": invoice["currency"]}
        who = {"customer": invoice["customer"], **sum_of}
        intent = self._intent(invoice) or self.new("payment_intent", **who)
        charge = self.new("charge", payment_intent=intent["id"], **who)
        intent |= {"latest_charge": charge["id"], "invoice_": invoice["id"]}
        if reason:
            error = {"type": "card_error", "code": "card_declined", "decline_code": reason}
            intent |= {"status": "requires_payment_method", "last_payment_error": error}
            charge |= {"failure_code": "card_declined"}
        else:
            charge |= {"paid": True, "status": "succeeded", "amount_captured": charge["amount"]}
            intent |= {"status": "succeeded", "amount_received": charge["amount"], "last_payment_error": None}
        self.tell("payment_intent.payment_failed" if reason else "payment_intent.succeeded", self.shown(intent))
        self.tell("charge.failed" if reason else "charge.succeeded", charge)
        return charge

    def _intent(self, invoice: Row) -> Row | None:
        return next(iter(self.all("payment_intent", invoice_=invoice["id"])), None)

    @staticmethod
    def shown(row: Row) -> Row:
        """As the world sees it: no intent and no charge says which invoice it is for."""
        return {name: value for name, value in row.items() if not name.endswith("_")}

    def charges(self) -> list[Row]:
        """Those that took somebody's money."""
        return self.all("charge", paid=True)

    def payments_of(self, invoice: Row) -> list[Row]:
        return [self._invoice_payment(intent) for intent in self.all("payment_intent", invoice_=invoice["id"])]

    def invoice_payments(self, intent: str) -> list[Row]:
        return [self._invoice_payment(row) for row in self.all("payment_intent", id=intent) if row.get("invoice_")]

    def _invoice_payment(self, intent: Row) -> Row:
        is_paid = intent["status"] == "succeeded"
        return {
            "id": f"inpay_{intent['id']}",
            "object": "invoice_payment",
            "amount_paid": intent["amount"] if is_paid else None,
            "amount_requested": intent["amount"],
            "created": intent["created"],
            "currency": intent["currency"],
            "invoice": intent["invoice_"],
            "is_default": True,
            "livemode": False,
            "payment": {"type": "payment_intent", "payment_intent": intent["id"]},
            "status": "paid" if is_paid else "open",
        }

    # Money that goes back

    def refund(self, fields: Row) -> Row:
        if not ({"payment_intent", "charge"} & fields.keys()):
            raise Refused(400, "parameter_missing", "One of payment_intent or charge is required.")
        charge = self._charge_of(fields)
        left = charge["amount"] - charge["amount_refunded"]
        if not left:
            raise Refused(400, "charge_already_refunded", f"Charge {charge['id']} has already been refunded.")
        amount = int(fields.get("amount", left))
        if not 0 < amount <= left:
            raise Refused(400, None, "Refund amount is greater than unrefunded amount on charge.", param="amount")
        charge["amount_refunded"] += amount if self.refund_status != "failed" else 0
        charge["refunded"] = charge["amount_refunded"] == charge["amount"]
        what = {name: fields[name] for name in ("reason", "metadata") if name in fields}
        if any(len(value) > LONGEST_METADATA for value in fields.get("metadata", {}).values()):
            raise Refused(400, None, "Metadata values can have up to 500 characters.", param="metadata")
        row = self.new("refund", amount=amount, currency=charge["currency"], charge=charge["id"], **what)
        row |= {"payment_intent": charge["payment_intent"], "status": self.refund_status}
        self.tell("refund.created", row)
        self.tell("charge.refunded", charge)
        return row

    def fail_refund(self, name: str) -> None:
        """The bank sends it back, perhaps days later."""
        row = self.get("refund", name)
        row["status"] = "failed"
        charge = self.get("charge", row["charge"])
        charge |= {"amount_refunded": charge["amount_refunded"] - row["amount"], "refunded": False}
        self.tell("refund.failed", row)

    def _charge_of(self, fields: Row) -> Row:
        if "charge" in fields:
            return self.get("charge", fields["charge"])
        intent = self.get("payment_intent", fields["payment_intent"])
        charge = self.get("charge", intent["latest_charge"])
        if not charge["paid"]:
            raise Refused(
                400, "payment_intent_unexpected_state", "This PaymentIntent does not have a successful charge."
            )
        return charge

    def dispute(self, invoice: str) -> Row:
        intent = self._intent(self.get("invoice", invoice)) or {}
        charge = self.get("charge", intent.get("latest_charge"))
        charge["disputed"] = True
        what = {"amount": charge["amount"], "currency": charge["currency"], "charge": charge["id"]}
        row = self.new("dispute", payment_intent=intent["id"], **what)
        self.tell("charge.dispute.created", row)
        return row

    def close_dispute(self, name: str, status: str) -> None:
        row = self.get("dispute", name)
        row["status"] = status
        self.tell("charge.dispute.closed", row)
