"""What the tests of the adapter for Dodo stand on: the settings that lead to a sandbox, and something sold there."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from pytest_django import Settings

from billing.providers.contract import Buyer, Checkout
from billing.providers.dodo import Dodo
from sandbox.dodo import DodoSandbox

ANA = Buyer(user_id="user-1", email="ana@example.com", name="Ana")


@contextmanager
def led_to(settings: Settings) -> Iterator[DodoSandbox]:
    with DodoSandbox() as sandbox:
        for name, value in sandbox.settings().items():
            setattr(settings, name, value)
        yield sandbox


def offered(dodo: DodoSandbox, **fields: Any) -> Checkout:
    asked = {
        "buyer": ANA,
        "product_id": fields.pop("product_id", "") or dodo.add_product(2900),
        "ref": "ours-1",
        "success_url": "https://app.test/success",
        "cancel_url": "https://app.test/cancel",
        "once": "once-1",
    }
    return Dodo().open_checkout(**asked | fields)


def sold(dodo: DodoSandbox, **fields: Any) -> str:
    """A subscription that is paid for; nothing waits to be told."""
    dodo.pay(offered(dodo, **fields).id)
    dodo.post.take()
    dodo.reset()
    return str(next(reversed(dodo.books.subscriptions)))


def paid(dodo: DodoSandbox) -> str:
    """The payment that came last."""
    return str(dodo.books.charges[-1].payment_id)
