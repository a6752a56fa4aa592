"""One account at Dodo on loopback: what its operator does to it, and the pages on which its customers pay."""

import json
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict
from datetime import timedelta
from functools import wraps
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

from sandbox import dodo_cycle as cycle
from sandbox import dodo_page as pages
from sandbox.coins import told
from sandbox.control import Asked, Reply, Sandbox
from sandbox.dodo_books import DECLINES, GOOD_CARD, Books, Product, Refusal, Thing, found, new_id, stamp
from sandbox.dodo_post import PAYLOADS, Delivery, Post
from sandbox.dodo_shelf import put_away, take_down

# What it signs with where another process must know it beforehand.
SECRET = "whsec_dGhlIHNhbmRib3gncyBvd24gc2VjcmV0"  # noqa: S105
OTHER_CARD, USE_CARD = "Another card for your subscription", "Use this card"
SESSION_LIFE = timedelta(hours=24)


def guarded(act: Callable[..., Reply]) -> Callable[..., Reply]:
    """One at a time, kept before it is told, and refusals as Dodo words them."""

    @wraps(act)
    def answer(sandbox: "DodoAccount", asked: Asked, *parts: str) -> Reply:
        with sandbox.books.lock:
            try:
                reply = act(sandbox, asked, *parts)
                if asked.method != "GET":
                    sandbox.keep()
                return reply
            except Refusal as refusal:
                return problem(refusal.status, refusal.code)
            except (KeyError, TypeError, ValueError, AttributeError):
                return problem(422, "INVALID_REQUEST_BODY")

    return answer


class DodoAccount(Sandbox):
    """One account at Dodo, in test mode, as its customers and its operator see it."""

    def __init__(
        self, *, port: int = 0, key: str = "", invents: bool = False, webhook_url: str = "", webhook_secret: str = "",
        file: Path | None = None,
    ) -> None:  # fmt: skip
        super().__init__(port=port)
        self.key = key or new_id("dodo_test")
        self.post = Post(self.render, url=webhook_url, secret=webhook_secret)
        self.books = Books(tell=self.post.add, invents=invents)
        self.file = file
        if file:
            take_down(self.books, file)

    def start(self) -> None:
        super().start()
        self.books.url = self.url
        # A page that was opened at another address is not here any more: whoever wants to pay opens another.
        kept = {each["id"]: each for each in self.books.sessions.values() if each["used"] or self.url in each["url"]}
        self.books.sessions = kept

    def settings(self) -> dict[str, Any]:
        """The settings that lead to this account."""
        return {
            "DODO_URL": self.url,
            "DODO_API_KEY": self.key,
            "DODO_LIVE": False,
            "DODO_WEBHOOK_SECRET": list(self.post.secrets),
            "OUTBOUND_ALLOWED_HOSTS": [self.address],
        }

    def keep(self) -> None:
        if self.file:
            put_away(self.books, self.file)

    # What people and operators do, and time

    def add_product(self, price: int, **fields: Any) -> str:
        product = Product(id=new_id("pdt"), price=price, **fields)
        self.books.products[product.id] = product
        return product.id

    def catch_up(self) -> None:
        """Do what has fallen due since the last time: renewals, ends, plans that were to begin."""
        with self.books.lock:
            for each in [*self.books.subscriptions.values()]:
                # What is no longer sold goes on unpaid.
                with suppress(Refusal):
                    while each["status"] == "active" and cycle.moment(each["next_billing_date"]) <= self.books.now():
                        cycle.renew(self.books, each)
            self.keep()

    def pay(self, session_id: str, *, card: str = GOOD_CARD) -> Reply:
        """What the customer does on the page."""
        with self.books.lock:
            return self._pay(found(self.books.sessions, session_id), card)

    def force_renewal(self, subscription_id: str) -> None:
        with self.books.lock:
            subscription = found(self.books.subscriptions, subscription_id)
            cycle.update(self.books, subscription, {"next_billing_date": stamp(self.books.now())})

    def set_card(self, subscription_id: str, number: str) -> None:
        """Change what the card on file does from now on, and tell nobody."""
        method = self.books.subscriptions[subscription_id]["payment_method_id"]
        self.books.methods[method]["number"] = number

    def settle(self, payment_id: str, *, code: str | None = None) -> None:
        """A first charge that was slow ends: it is paid, or declined for a reason."""
        with self.books.lock:
            payment = found(self.books.payments, payment_id)
            self.books.settle(payment, code)
            cycle.begin(self.books, self.books.subscriptions[payment["subscription_id"]], payment)

    def charged(self, subscription_id: str) -> int:
        """How much was really taken for it."""
        return sum(each.amount for each in self.books.charges if each.subscription_id == subscription_id)

    def render(self, delivery: Delivery) -> Thing:
        with self.books.lock:
            data = dict(getattr(self.books, f"{delivery.about}s")[delivery.thing_id])
        if delivery.about == "subscription":
            data["payment_id"] = delivery.payment_id
        return data | {"payload_type": PAYLOADS[delivery.about]}

    def new_session(self, purpose: str, form: Thing) -> Thing:
        session_id = new_id("cks")
        made = {"id": session_id, "purpose": purpose, "created": self.books.now(), "used": False, "payment_id": None}
        self.books.sessions[session_id] = form | made | {"url": f"{self.url}/session/{session_id}"}
        return self.books.sessions[session_id]

    def _steer(self, asked: Asked) -> Reply:
        """Besides the faults: where webhooks are sent to, and what was really taken."""
        if asked.path == "/_control/webhook":
            self.post.webhook_url = asked.json()["url"]
        elif asked.path == "/_control/charges":
            with self.books.lock:
                return Reply(body={"charges": [asdict(each) for each in self.books.charges]})
        return super()._steer(asked)

    # The pages

    @guarded
    def show_page(self, asked: Asked, session_id: str) -> Reply:
        session = found(self.books.sessions, session_id)
        if not self._is_open(session):
            return pages.gone(self._way_back(session))
        if session["purpose"] == "card":
            return pages.checkout(OTHER_CARD, pay=USE_CARD)
        if session["purpose"] == "confirm":
            return pages.checkout("Confirm the change of your plan", pay="Confirm")
        product = self.books.product(session["product_cart"][0]["product_id"])
        return pages.checkout(product.name or "A subscription", price_of(product))

    @guarded
    def answer_page(self, asked: Asked, session_id: str) -> Reply:
        session = found(self.books.sessions, session_id)
        if not self._is_open(session):
            return pages.gone(self._way_back(session))
        action, card = filled_in(asked, "action"), filled_in(asked, "card") or GOOD_CARD
        if action == "cancel":
            # Nothing is used up: the customer may come back.
            return pages.away(session.get("cancel_url") or session.get("return_url") or "", status="cancelled")
        return self._pay(session, pages.DECLINED_CARD if action == "decline" else card)

    @guarded
    def show_portal(self, asked: Asked, session_id: str) -> Reply:
        session = found(self.books.sessions, session_id)
        rows = [
            (f"{self._name(each['product_id'])}: {each['status']}", "cancel", each["subscription_id"], "Cancel now")
            for each in self.books.subscriptions.values()
            if each["customer"]["customer_id"] == session["customer_id"]
        ]
        return pages.portal(rows, session["return_url"])

    @guarded
    def answer_portal(self, asked: Asked, session_id: str) -> Reply:
        """Whoever cancels here ends it at once, however much is paid for."""
        customer = self.books.customers[found(self.books.sessions, session_id)["customer_id"]]
        subscription = found(self.books.subscriptions, filled_in(asked, "cancel"))
        if subscription["status"] not in cycle.OVER:
            by = {"actor_type": "customer", "email": customer["email"], "name": customer["name"]}
            cycle.end(self.books, subscription, by)
        return Reply(status=303, body=b"", headers={"Location": asked.path})

    def _name(self, product_id: str) -> str:
        product = self.books.products.get(product_id)
        return product.name if product and product.name else product_id

    def _is_open(self, session: Thing) -> bool:
        return not session["used"] and self.books.now() < session["created"] + SESSION_LIFE

    def _way_back(self, session: Thing) -> str:
        """Whoever presses twice is told what came of the first time."""
        back, payment = session.get("return_url") or "", self.books.payments.get(session["payment_id"])
        return pages.hinted(back, status=payment["status"]) if back and payment else back

    def _pay(self, session: Thing, card: str) -> Reply:
        back = session.get("return_url") or ""
        if session["purpose"] == "card":
            return self._change_card(session, card, back)
        session["used"] = True
        if session["purpose"] == "confirm":
            return self._confirm(session, card, back)
        subscription, payment = cycle.buy(self.books, session, card)
        session["payment_id"] = payment["payment_id"] if payment else None
        hints = {"subscription_id": subscription["subscription_id"], "status": subscription["status"]}
        return pages.away(back, **hints)

    def _change_card(self, session: Thing, card: str, back: str) -> Reply:
        try:
            cycle.new_card(self.books, self.books.subscriptions[session["subscription_id"]], card)
        except Refusal as refusal:
            wrong = f"This card was not taken: {pages.SAID[card]}. Try another one."
            return pages.checkout(OTHER_CARD, pay=USE_CARD, wrong=wrong, status=refusal.status)
        session["used"] = True
        return pages.away(back, status="succeeded")

    def _confirm(self, session: Thing, card: str, back: str) -> Reply:
        if card in DECLINES:
            self.books.settle(self.books.payments[session["payment_id"]], DECLINES[card])
            return pages.away(back, status="failed")
        cycle.confirm(self.books, session)
        return pages.away(back, status="succeeded")


def said(body: Any) -> Reply:
    """Keys in the order of the alphabet, and null for whatever there is not."""
    return Reply(body=json.dumps(body, sort_keys=True).encode())


def problem(status: int, code: str) -> Reply:
    message = code.replace("_", " ").capitalize() + "."
    return Reply(status=status, body={"code": code, "message": message})


def price_of(product: Product) -> str:
    cycle_length = product.interval.lower() if product.every == 1 else f"{product.every} {product.interval.lower()}s"
    return f"{told(product.price, product.currency)} every {cycle_length}"


def filled_in(asked: Asked, name: str) -> str:
    return (parse_qs(asked.body.decode()).get(name) or [""])[0]
