"""Whatever Stripe may answer instead of what it should, it is read as far as it goes or is an error of ours."""

import json
from collections.abc import Callable, Iterator
from contextlib import suppress
from random import Random
from typing import Any

import pytest
from pytest_django import Settings

from billing.providers.stripe import Stripe
from billing.tests.stripe_buyer import BASIC, bought, stripe_at
from core.errors import VendorProblem
from core.webhooks import MalformedWebhook
from sandbox.stripe import StripeSandbox

SEEDS = range(25)
ANYTHING: list[Any] = [
    None,
    True,
    -1,
    0,
    2**70,
    1.5,
    "",
    "x" * 999,
    "\x00",
    "1",
    "active",
    [],
    [[]],
    [None],
    {},
    {"id": 7},
    [{"id": []}],
]


@pytest.fixture
def stripe(settings: Settings) -> Iterator[StripeSandbox]:
    with stripe_at(settings) as sandbox:
        yield sandbox


def garbled(row: Any, chance: Random) -> Any:
    """A real answer in which some values are something else, or gone."""
    if chance.random() < 0.04:
        return chance.choice(ANYTHING)
    if isinstance(row, dict):
        return {name: garbled(value, chance) for name, value in row.items() if chance.random() > 0.02}
    return [garbled(each, chance) for each in row] if isinstance(row, list) else row


OPERATIONS: dict[str, Callable[[dict[str, str]], object]] = {
    "subscriptions.get": lambda names: Stripe().subscription(names["subscription"]),
    "invoices.get": lambda names: Stripe().payment(names["invoice"]),
    "invoices.list": lambda names: list(Stripe().payments(names["subscription"])),
    "refunds.get": lambda names: Stripe().refund_state(names["refund"]),
    "disputes.get": lambda names: Stripe().dispute(names["dispute"]),
    "invoice_payments.list": lambda names: Stripe().dispute(names["dispute"]),
    "payment_methods.list": lambda names: Stripe().cards(names["customer"]),
    "subscriptions.list": lambda names: Stripe().cards(names["customer"]),
    "customers.get": lambda names: Stripe().cards(names["customer"]),
    "invoices.preview": lambda names: Stripe().preview_change(names["subscription"], product_id=BASIC),
}


@pytest.mark.parametrize("operation", OPERATIONS)
def test_a_garbled_answer_raises_only_what_is_ours(operation, stripe):
    names, act = everything(stripe), OPERATIONS[operation]
    act(names)
    real = stripe.kept[operation]
    for seed in SEEDS:
        stripe.fail(operation, status=200, body=garbled(real, Random(seed)))
        with suppress(VendorProblem):
            act(names)
        stripe.reset()


def test_a_garbled_event_is_malformed_at_worst(stripe):
    everything(stripe)
    for seed, event in enumerate(stripe.outbox.deliveries * 20):
        body = json.dumps(garbled(event, Random(seed))).encode()
        with suppress(MalformedWebhook):
            Stripe().read_webhook(body, {"Stripe-Signature": stripe.outbox.signature(body)})


def everything(stripe: StripeSandbox) -> dict[str, str]:
    found = bought(stripe)
    [payment] = Stripe().payments(found.id)
    Stripe().refund(payment.id, amount=100, reason="Because", once="back")
    stripe.books.dispute(payment.id)
    Stripe().change_plan(found.id, product_id=BASIC, at_period_end=True, once="down")
    stripe.books.declines = "lost_card"
    stripe.books.renew(found.id)
    return {row["object"]: name for name, row in stripe.books.objects.items()}
