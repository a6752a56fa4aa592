"""Dodo Payments on loopback: its API, its checkout page, the life of its subscriptions and its signed webhooks.

`python -m sandbox dodo=9107` runs one; it sends its webhooks where `POST /_control/webhook {"url": "..."}` says, and
`GET /_control/charges` says what was taken. For a test the state is in `books`, what waits to be told in `post`.
"""

from typing import Any

from sandbox import dodo_cycle as cycle
from sandbox.control import Asked, Reply, Route
from sandbox.dodo_account import DodoAccount, guarded, problem, said
from sandbox.dodo_books import ASKED, Refusal, Thing, found, given_back, stamp
from sandbox.pdf import invoice_pdf

MOST_LINES = 20
PAGE_SIZE, LARGEST_PAGE = 10, 100
OPEN_PAGES = ("/session/", "/portal/")
# Only a payment read by itself tells these.
NOT_LISTED = {"tax", "error_code", "error_message", "updated_at", "refunds", "disputes", "billing", "product_cart"}


class DodoSandbox(DodoAccount):
    """One account at Dodo, in test mode. The operations are what faults are scripted for."""

    tells_payment = True  # which a change took that was charged at once; its documents promise that for a page alone

    def refusal(self, asked: Asked) -> Reply | None:
        known = asked.headers.get("authorization") == f"Bearer {self.key}"
        return None if known or asked.path.startswith(OPEN_PAGES) else problem(401, "UNAUTHORIZED")

    @guarded
    def create_checkout(self, asked: Asked) -> Reply:
        form = asked.json()
        if not 0 < len(form["product_cart"]) <= MOST_LINES:
            raise Refusal(422, "INVALID_REQUEST_BODY")
        for line in form["product_cart"]:
            self.books.product(line["product_id"])
        if customer_id := form["customer"].get("customer_id"):
            found(self.books.customers, customer_id)
        elif "@" not in form["customer"]["email"]:
            raise Refusal(422, "INVALID_REQUEST_BODY")
        session = self.new_session("checkout", form)
        links = {"checkout_url": session["url"], "client_secret": None, "payment_id": None, "publishable_key": None}
        return said(links | {"session_id": session["id"]})

    @guarded
    def get_checkout(self, asked: Asked, session_id: str) -> Reply:
        session = found(self.books.sessions, session_id)
        payment = self.books.payments.get(session["payment_id"], {})
        customer = session.get("customer") or {}
        known = {"customer_email": customer.get("email"), "customer_name": customer.get("name")}
        paid = {"payment_id": session["payment_id"], "payment_status": payment.get("status")}
        return said(known | paid | {"id": session_id, "created_at": stamp(session["created"])})

    @guarded
    def get_subscription(self, asked: Asked, subscription_id: str) -> Reply:
        return said(found(self.books.subscriptions, subscription_id))

    @guarded
    def list_subscriptions(self, asked: Asked) -> Reply:
        return said(paged(asked, list(self.books.subscriptions.values()), "status", "product_id"))

    @guarded
    def update_subscription(self, asked: Asked, subscription_id: str) -> Reply:
        subscription = found(self.books.subscriptions, subscription_id)
        cycle.update(self.books, subscription, asked.json())
        return said(subscription)

    @guarded
    def change_plan(self, asked: Asked, subscription_id: str) -> Reply:
        subscription = found(self.books.subscriptions, subscription_id)
        payment = cycle.change_plan(self.books, subscription, asked.json())
        if not payment:
            return said(links_of())
        if payment["status"] != ASKED:
            return said(links_of(payment_id=payment["payment_id"] if self.tells_payment else None))
        about = {"subscription_id": subscription_id, "form": asked.json(), "return_url": asked.json().get("return_url")}
        session = self.new_session("confirm", about)
        session["payment_id"] = payment["payment_id"]
        return said(links_of(payment_id=payment["payment_id"], payment_link=session["url"]))

    @guarded
    def preview_change(self, asked: Asked, subscription_id: str) -> Reply:
        subscription, form = found(self.books.subscriptions, subscription_id), asked.json()
        product = self.books.product(form["product_id"])
        cycle.check_change(subscription, form)
        cost = cycle.proration(self.books, subscription, form)
        total, tax = max(cost, 0), max(cost, 0) * self.books.tax_percent // 100
        summary = {"currency": product.currency, "total_amount": total + tax, "tax": tax}
        summary |= {"settlement_amount": total + tax, "settlement_currency": product.currency, "settlement_tax": tax}
        summary |= {"customer_credits": max(-cost, 0), "customer_credits_currency": product.currency}
        charge = {"effective_at": stamp(self.books.now()), "line_items": [], "summary": summary}
        return said({"immediate_charge": charge, "new_plan": subscription | {"product_id": product.id}})

    @guarded
    def cancel_change(self, asked: Asked, subscription_id: str) -> Reply:
        cycle.unschedule(self.books, found(self.books.subscriptions, subscription_id))
        return Reply(status=204, body=b"")

    @guarded
    def update_method(self, asked: Asked, subscription_id: str) -> Reply:
        subscription = found(self.books.subscriptions, subscription_id)
        # Wrapped or not: the vendor's documents and its SDK do not agree.
        method = asked.json().get("payment_method") or asked.json()
        if subscription["status"] in cycle.OVER:
            raise Refusal(409, "SUBSCRIPTION_INACTIVE")
        if method["type"] == "existing":
            cycle.existing_card(self.books, subscription, method["payment_method_id"])
            return said(links_of())
        session = self.new_session("card", {"subscription_id": subscription_id, "return_url": method["return_url"]})
        return said(links_of(payment_link=session["url"]))

    @guarded
    def get_payment(self, asked: Asked, payment_id: str) -> Reply:
        return said(found(self.books.payments, payment_id))

    @guarded
    def list_payments(self, asked: Asked) -> Reply:
        listed = [
            {name: value for name, value in each.items() if name not in NOT_LISTED} | {"has_license_key": False}
            for each in reversed(self.books.payments.values())
        ]
        return said(paged(asked, listed, "status", "subscription_id"))

    @guarded
    def get_line_items(self, asked: Asked, payment_id: str) -> Reply:
        payment = found(self.books.payments, payment_id)
        product = found(self.books.subscriptions, payment["subscription_id"])["product_id"]
        left = payment["total_amount"] - given_back(payment)
        line = {"items_id": product, "amount": payment["total_amount"], "refundable_amount": left}
        line |= {"tax": payment["tax"] or 0, "name": "Subscription", "description": None}
        return said({"currency": payment["currency"], "items": [line], "partial_refund_allowed": True})

    @guarded
    def create_refund(self, asked: Asked) -> Reply:
        return said(self.books.refund(asked.json()))

    @guarded
    def get_refund(self, asked: Asked, refund_id: str) -> Reply:
        return said(found(self.books.refunds, refund_id))

    @guarded
    def get_dispute(self, asked: Asked, dispute_id: str) -> Reply:
        dispute = found(self.books.disputes, dispute_id)
        customer = self.books.payments[dispute["payment_id"]]["customer"]
        more = {"customer": customer, "reason": None, "brand_id": "brnd_0NsBoXcT4vYw7Lq2ZkGhd"}
        return said(dispute | more | {"payment_provider": "dodo"})

    @guarded
    def list_methods(self, asked: Asked, customer_id: str) -> Reply:
        found(self.books.customers, customer_id)
        kept = [method(each) for each in self.books.methods.values() if each["customer_id"] == customer_id]
        return said({"items": kept})

    @guarded
    def open_portal(self, asked: Asked, customer_id: str) -> Reply:
        found(self.books.customers, customer_id)
        session = self.new_session("portal", {"customer_id": customer_id, "return_url": first(asked, "return_url")})
        return said({"link": f"{self.url}/portal/{session['id']}"})

    @guarded
    def get_invoice(self, asked: Asked, payment_id: str) -> Reply:
        payment = found(self.books.payments, payment_id)
        if not (number := payment["invoice_id"]):
            raise Refusal(404, "NOT_FOUND")
        product = self.books.product(self.books.subscriptions[payment["subscription_id"]]["product_id"])
        return invoice_pdf(number, product.name or product.id, payment["total_amount"], payment["currency"])

    @guarded
    def create_webhook(self, asked: Asked) -> Reply:
        """From now on what happens is sent there as well."""
        form = asked.json()
        self.post.webhook_url = form["url"]
        named = {"id": "ep_1", "url": form["url"], "description": form.get("description") or "", "metadata": {}}
        more = {"disabled": False, "filter_types": form.get("filter_types"), "rate_limit": None}
        return said(named | more | {"created_at": stamp(self.books.now()), "updated_at": stamp(self.books.now())})

    @guarded
    def get_webhook_secret(self, asked: Asked, webhook_id: str) -> Reply:
        return said({"secret": self.post.secrets[-1]})

    routes = [
        Route("checkouts.create", "POST", r"/checkouts", create_checkout),
        Route("checkouts.retrieve", "GET", r"/checkouts/(\w+)", get_checkout),
        Route("subscriptions.list", "GET", r"/subscriptions", list_subscriptions),
        Route("subscriptions.retrieve", "GET", r"/subscriptions/(\w+)", get_subscription),
        Route("subscriptions.update", "PATCH", r"/subscriptions/(\w+)", update_subscription),
        Route("subscriptions.change_plan", "POST", r"/subscriptions/(\w+)/change-plan", change_plan),
        Route("subscriptions.preview", "POST", r"/subscriptions/(\w+)/change-plan/preview", preview_change),
        Route("subscriptions.unschedule", "DELETE", r"/subscriptions/(\w+)/change-plan/scheduled", cancel_change),
        Route("subscriptions.card", "POST", r"/subscriptions/(\w+)/update-payment-method", update_method),
        Route("payments.list", "GET", r"/payments", list_payments),
        Route("payments.retrieve", "GET", r"/payments/(\w+)", get_payment),
        Route("payments.line_items", "GET", r"/payments/(\w+)/line-items", get_line_items),
        Route("refunds.create", "POST", r"/refunds", create_refund),
        Route("refunds.retrieve", "GET", r"/refunds/(\w+)", get_refund),
        Route("disputes.retrieve", "GET", r"/disputes/(\w+)", get_dispute),
        Route("customers.cards", "GET", r"/customers/(\w+)/payment-methods", list_methods),
        Route("customers.portal", "POST", r"/customers/(\w+)/customer-portal/session", open_portal),
        Route("invoices.retrieve", "GET", r"/invoices/payments/(\w+)", get_invoice),
        Route("webhooks.create", "POST", r"/webhooks", create_webhook),
        Route("webhooks.secret", "GET", r"/webhooks/(\w+)/secret", get_webhook_secret),
        Route("page.show", "GET", r"/session/(\w+)", DodoAccount.show_page),
        Route("page.answer", "POST", r"/session/(\w+)", DodoAccount.answer_page),
        Route("portal.show", "GET", r"/portal/(\w+)", DodoAccount.show_portal),
        Route("portal.answer", "POST", r"/portal/(\w+)", DodoAccount.answer_portal),
    ]


def links_of(*, payment_id: str | None = None, payment_link: str | None = None) -> dict[str, Any]:
    return {"client_secret": None, "expires_on": None, "payment_id": payment_id, "payment_link": payment_link}


def paged(asked: Asked, things: list[Thing], *filters: str) -> dict[str, Any]:
    """The first page is 0, and nothing says how many there are."""
    wanted = {name: first(asked, name) for name in filters if name in asked.query}
    kept = [each for each in things if all(each[name] == value for name, value in wanted.items())]
    if customer_id := first(asked, "customer_id"):
        kept = [each for each in kept if each["customer"]["customer_id"] == customer_id]
    size = min(int(first(asked, "page_size") or PAGE_SIZE), LARGEST_PAGE)
    start = int(first(asked, "page_number") or 0) * size
    return {"items": kept[start : start + size]}


def first(asked: Asked, name: str) -> str:
    return (asked.query.get(name) or [""])[0]


def method(kept: Thing) -> dict[str, Any]:
    card = {"card_holder_name": None, "card_issuing_country": "PT", "card_network": "visa", "card_type": "credit"}
    card |= {"expiry_month": "06", "expiry_year": "32", "last4_digits": kept["number"][-4:]}
    return {
        "card": card,
        "last_used_at": kept["used"],
        "payment_method": "card",
        "payment_method_id": kept["id"],
        "payment_method_type": "credit",
        "recurring_enabled": True,
    }
