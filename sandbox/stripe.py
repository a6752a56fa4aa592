"""Stripe on loopback: checkout with its page, subscriptions, invoices, refunds, disputes, and events as they happen.

    stripe.books.add_price("price_pro", 2900)
    httpx.post(checkout.url, data={"action": "pay"})        # or "decline", "cancel"
    stripe.books.renew("sub_...")                           # time passes, and the card is charged
    body, headers = stripe.outbox.signed(stripe.outbox.deliveries[-1])
    stripe.loses.append("refund")                           # does it, and never answers

Another process renews with `POST /_control/renewals {"subscription": "sub_...", "declines": ""}`, and is told of events
at the address it gives to `POST /_control/webhook {"url": "..."}`. `GET /_control/charges` says what was taken.
"""

import time
from collections.abc import Callable
from typing import Any, ClassVar
from urllib.parse import urlencode

from sandbox import stripe_pages as pages
from sandbox.control import Asked, Reply, Route, Sandbox
from sandbox.pdf import invoice_pdf
from sandbox.stripe_events import VERSION, Outbox
from sandbox.stripe_ledger import DAY
from sandbox.stripe_subscriptions import Subscriptions
from sandbox.stripe_wire import COLLECTIONS, Keys, Refused, Row, check_known, expanded, fields_of, page

SECRET = "whsec_sandbox_of_whyral_0123456789"  # noqa: S105


def _reads(answer: Callable[..., Reply]) -> list[Route]:
    return [Route(f"{name}.get", "GET", rf"/v1/({name})/(\w+)", answer) for name in COLLECTIONS]


def _page(operation: str, path: str, answer: Callable[..., Reply]) -> list[Route]:
    return [Route(operation, method, path, answer) for method in ("GET", "POST")]


class StripeSandbox(Sandbox):
    """One account. `books` holds its objects and more knobs, `outbox` its events."""

    def __init__(self, *, port: int = 0, key: str = "sandbox", secret: str = SECRET, invents: bool = True) -> None:
        super().__init__(port=port)
        self.api_key = key
        self.outbox = Outbox(secret=secret)
        self.books = Subscriptions(self.outbox)
        self.books.invents = invents
        self.loses: list[str] = []  # operations that are done, and whose next answer is lost
        self.takes = 0.0  # seconds for each request of the API
        self.keys = Keys()
        self.asked: list[tuple[str, Row]] = []
        self.kept: dict[str, Row] = {}  # what each operation answered last

    def settings(self) -> dict[str, Any]:
        """The settings that lead here."""
        return {
            "STRIPE_URL": self.url,
            "STRIPE_SECRET_KEY": self.api_key,
            "STRIPE_WEBHOOK_SECRET": [*self.outbox.secrets],
            "OUTBOUND_ALLOWED_HOSTS": [self.address],
        }

    def start(self) -> None:
        super().start()
        self.books.url = self.url

    # What it answers

    def refusal(self, asked: Asked) -> Reply | None:
        if not asked.path.startswith("/v1/"):
            return None
        if asked.headers.get("authorization") != f"Bearer {self.api_key}":
            message = "Invalid API Key provided: sk_test_*****"
            return Reply(status=401, body={"error": {"type": "invalid_request_error", "message": message}})
        if asked.headers.get("stripe-version") != VERSION:
            message = f"Invalid Stripe API version: {asked.headers.get('stripe-version')}"
            return Reply(status=400, body={"error": {"type": "invalid_request_error", "message": message}})
        return None

    def answer(self, asked: Asked) -> Reply | None:
        reply = super().answer(asked)
        operation = self._route(asked)[0].operation
        with self._lock:
            if operation in self.loses:
                self.loses.remove(operation)
                return None
        return reply

    def _do(self, asked: Asked, operation: str, act: Any) -> Reply:
        """One request of the API: once for a key, one at a time, refused in Stripe's words."""
        fields = _fields(asked)

        def acted() -> Reply:
            time.sleep(self.takes)
            try:
                with self._lock:
                    self.asked.append((operation, fields))
                    check_known(operation, fields)
                    row = self.books.shown(act(fields))
                    self.kept[operation] = expanded(row, fields.get("expand", []), find=self._find)
                    return Reply(body=self.kept[operation])
            except Refused as refused:
                return refused.reply
            except (KeyError, IndexError, TypeError, ValueError) as wrong:
                return Refused(400, "parameter_missing", f"Missing or invalid: {wrong}").reply

        return self.keys.answer(asked, acted)

    def _find(self, row: Row, name: str) -> Any:
        if name == "payments" and row.get("object") == "invoice":
            return {"object": "list", "data": self.books.payments_of(row), "has_more": False}
        value = row.get(name)
        found = self.books.objects.get(value) if isinstance(value, str) else None
        return self.books.shown(found) if found else value

    def open_checkout(self, asked: Asked) -> Reply:
        return self._do(asked, "checkout", self._open_checkout)

    def _open_checkout(self, fields: Row) -> Row:
        if fields["mode"] != "subscription" or ("customer" in fields and "customer_email" in fields):
            raise Refused(400, None, "You may only specify one of these parameters: customer, customer_email.")
        plan = self.books.price(fields["line_items"][0]["price"])
        if "customer" in fields:
            self.books.get("customer", fields["customer"])
        names = ("success_url", "cancel_url", "customer", "customer_email", "client_reference_id", "metadata")
        row = self.books.new("checkout.session", **{name: fields[name] for name in names if name in fields})
        row |= {"price_": plan["id"], "data_": fields.get("subscription_data", {}), "currency": plan["currency"]}
        row |= {"amount_subtotal": plan["unit_amount"], "url": f"{self.url}/c/pay/{row['id']}"}
        row["expires_at"] = int(fields.get("expires_at", self.books.now() + DAY))
        return row

    def expire_checkout(self, asked: Asked, name: str) -> Reply:
        return self._do(asked, "checkout.expire", lambda fields: self.books.expire(name))

    def get_one(self, asked: Asked, collection: str, name: str) -> Reply:
        return self._do(asked, f"{collection}.get", lambda fields: self.books.get(COLLECTIONS[collection], name))

    def list_invoices(self, asked: Asked) -> Reply:
        return self._do(asked, "invoices.list", self._list_invoices)

    def _list_invoices(self, fields: Row) -> Row:
        rows = self.books.all("invoice", status=fields.get("status"), customer=fields.get("customer"))
        about = fields.get("subscription")
        found = [row for row in rows if about in {None, row["parent"]["subscription_details"]["subscription"]}]
        return page(found, fields, url="/v1/invoices")

    def list_subscriptions(self, asked: Asked) -> Reply:
        def act(fields: Row) -> Row:
            rows = self.books.all("subscription", customer=fields.get("customer"))
            return page([row for row in rows if row["status"] != "canceled"], fields, url="/v1/subscriptions")

        return self._do(asked, "subscriptions.list", act)

    def list_invoice_payments(self, asked: Asked) -> Reply:
        def act(fields: Row) -> Row:
            which = fields["payment"]
            return page(self.books.invoice_payments(which[which["type"]]), fields, url="/v1/invoice_payments")

        return self._do(asked, "invoice_payments.list", act)

    def list_by_intent(self, asked: Asked, collection: str) -> Reply:
        def act(fields: Row) -> Row:
            rows = self.books.all(COLLECTIONS[collection], payment_intent=fields["payment_intent"])
            return page(rows, fields, url=f"/v1/{collection}")

        return self._do(asked, f"{collection}.list", act)

    def list_cards(self, asked: Asked, customer: str) -> Reply:
        def act(fields: Row) -> Row:
            self.books.get("customer", customer)
            return page(self.books.all("payment_method", customer=customer), fields, url="/v1/payment_methods")

        return self._do(asked, "payment_methods.list", act)

    def update_subscription(self, asked: Asked, name: str) -> Reply:
        return self._do(asked, "subscriptions.update", lambda fields: self.books.update(name, fields))

    def end_subscription(self, asked: Asked, name: str) -> Reply:
        return self._do(asked, "subscriptions.end", lambda fields: self.books.end(name))

    def preview(self, asked: Asked) -> Reply:
        return self._do(asked, "invoices.preview", self.books.preview)

    def plan(self, asked: Asked) -> Reply:
        return self._do(asked, "schedules.create", self.books.plan)

    def replan(self, asked: Asked, name: str) -> Reply:
        return self._do(asked, "schedules.update", lambda fields: self.books.replan(name, fields))

    def release(self, asked: Asked, name: str) -> Reply:
        return self._do(asked, "schedules.release", lambda fields: self.books.release(name))

    def refund(self, asked: Asked) -> Reply:
        return self._do(asked, "refunds.create", self.books.refund)

    def update_customer(self, asked: Asked, name: str) -> Reply:
        def act(fields: Row) -> Row:
            row = self.books.get("customer", name)
            if method := fields.get("invoice_settings", {}).get("default_payment_method"):
                self.books.prefer_card(row, method)
            return row

        return self._do(asked, "customers.update", act)

    def open_portal(self, asked: Asked) -> Reply:
        def act(fields: Row) -> Row:
            self.books.get("customer", fields["customer"])
            row = self.books.new("billing_portal.session", **fields, flow=fields.get("flow_data"))
            row["url"] = f"{self.url}/p/session/{row['id']}"
            return row

        return self._do(asked, "portal", act)

    # Its pages

    def pay_page(self, asked: Asked, name: str) -> Reply:
        with self._lock:
            session = self.books.timely(self.books.objects.get(name))
            if not session or session["status"] != "open":
                return pages.closed(session["status"] if session else "expired")
            return self._paid(session, pages.chosen(asked.body) if asked.method == "POST" else "")

    def _paid(self, session: Row, action: str) -> Reply:
        if action == "cancel":
            return pages.leave(session["cancel_url"])
        wrong, before = "", self.books.declines
        if action in {"pay", "decline"}:
            self.books.declines = before or ("generic_decline" if action == "decline" else "")
            try:
                self.books.complete(session, email="buyer@example.com", name="A Buyer")
                return pages.leave(session["success_url"].replace("{CHECKOUT_SESSION_ID}", session["id"]))
            except Refused as refused:
                wrong = str(refused)
            finally:
                self.books.declines = before
        return pages.checkout(session, self.books.price(session["price_"]), wrong=wrong)

    def portal_page(self, asked: Asked, name: str) -> Reply:
        with self._lock:
            session = self.books.objects.get(name)
            if not session:
                return pages.closed("expired")
            action = pages.chosen(asked.body) if asked.method == "POST" else ""
            if action == "confirm":
                self.books.confirm(session["flow"]["subscription_update_confirm"])
            if action == "replace":
                customer = self.books.get("customer", session["customer"])
                self.books.prefer_card(customer, self.books.add_card(customer["id"], last4="4444")["id"])
            return pages.leave(session["return_url"]) if action else pages.card()

    def pdf(self, asked: Asked, name: str) -> Reply:
        invoice = self.books.objects.get(name)
        if not (invoice and invoice["number"]):
            return Reply(status=404)
        subscription = self.books.get("subscription", invoice["parent"]["subscription_details"]["subscription"])
        price = subscription["items"]["data"][0]["price"]["id"]
        return invoice_pdf(invoice["number"], price, invoice["total"], invoice["currency"])

    def unknown(self, asked: Asked, path: str) -> Reply:
        message = f"Unrecognized request URL ({asked.method}: {path})."
        return Reply(status=404, body={"error": {"type": "invalid_request_error", "message": message}})

    def _steer(self, asked: Asked) -> Reply:
        said = asked.json() if asked.method == "POST" else {}
        with self._lock:
            if asked.path == "/_control/renewals":
                self.books.declines = said.get("declines", "")
                self.books.renew(said["subscription"])
            elif asked.path == "/_control/webhook":
                self.outbox.webhook_url = said["url"]
            elif asked.path == "/_control/charges":
                return Reply(body={"charges": self.books.charges()})
        return super()._steer(asked)

    routes: ClassVar[list[Route]] = [
        Route("checkout", "POST", r"/v1/checkout/sessions", open_checkout),
        Route("checkout.expire", "POST", r"/v1/checkout/sessions/(\w+)/expire", expire_checkout),
        Route("invoices.preview", "POST", r"/v1/invoices/create_preview", preview),
        Route("invoices.list", "GET", r"/v1/invoices", list_invoices),
        Route("invoice_payments.list", "GET", r"/v1/invoice_payments", list_invoice_payments),
        Route("subscriptions.list", "GET", r"/v1/subscriptions", list_subscriptions),
        Route("subscriptions.update", "POST", r"/v1/subscriptions/(\w+)", update_subscription),
        Route("subscriptions.end", "DELETE", r"/v1/subscriptions/(\w+)", end_subscription),
        Route("schedules.create", "POST", r"/v1/subscription_schedules", plan),
        Route("schedules.update", "POST", r"/v1/subscription_schedules/(\w+)", replan),
        Route("schedules.release", "POST", r"/v1/subscription_schedules/(\w+)/release", release),
        Route("refunds.create", "POST", r"/v1/refunds", refund),
        Route("returns.list", "GET", r"/v1/(refunds|disputes)", list_by_intent),
        Route("customers.update", "POST", r"/v1/customers/(\w+)", update_customer),
        Route("payment_methods.list", "GET", r"/v1/customers/(\w+)/payment_methods", list_cards),
        Route("portal", "POST", r"/v1/billing_portal/sessions", open_portal),
        *_reads(get_one),
        *_page("page.pay", r"/c/pay/(\w+)", pay_page),
        *_page("page.portal", r"/p/session/(\w+)", portal_page),
        Route("pdf", "GET", r"/i/(\w+)/pdf", pdf),
        *_page("unknown", r"(/v1/.*)", unknown),
    ]


def _fields(asked: Asked) -> Row:
    return fields_of(asked.body.decode() if asked.method == "POST" else urlencode(asked.query, doseq=True))
