"""Somebody who buys at Stripe's sandbox, for the tests about it."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import httpx
from pytest_django import Settings

from billing.providers.contract import Buyer, Checkout, Subscribed
from billing.providers.stripe import Stripe
from sandbox.stripe import StripeSandbox

BASIC, PRO, YEARLY = "price_basic", "price_pro", "price_yearly"
AWAY = {"success_url": "https://app.test/ok?s={CHECKOUT_SESSION_ID}", "cancel_url": "https://app.test/no"}


@contextmanager
def stripe_at(settings: Settings) -> Iterator[StripeSandbox]:
    with StripeSandbox(invents=False) as sandbox:
        for name, value in sandbox.settings().items():
            setattr(settings, name, value)
        sandbox.books.add_price(BASIC, 900)
        sandbox.books.add_price(PRO, 2900)
        sandbox.books.add_price(YEARLY, 29_000, interval="year")
        yield sandbox


def press(url: str, button: str) -> httpx.Response:
    return httpx.post(url, data={"action": button}, trust_env=False)


def opened(product: str = PRO, *, customer_id: str = "", once: str = "first") -> Checkout:
    buyer = Buyer(user_id="u1", email="ana@example.com", name="Ana", customer_id=customer_id)
    return Stripe().open_checkout(buyer=buyer, product_id=product, ref="ours-1", once=once, **AWAY)


def bought(stripe: StripeSandbox, product: str = PRO) -> Subscribed:
    press(opened(product).url, "pay")
    return current(stripe)


def current(stripe: StripeSandbox) -> Subscribed:
    found = Stripe().subscription(stripe.books.all("subscription")[-1]["id"])
    assert found
    return found


def length(found: Subscribed) -> timedelta:
    assert found.period_start
    assert found.period_end
    return found.period_end - found.period_start


def taken(stripe: StripeSandbox) -> list[int]:
    """What was charged, each time."""
    return [charge["amount"] for charge in stripe.books.charges()]
