"""What Stripe refuses, breaks off or garbles ends in errors of ours, and nobody is charged twice for it."""

import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from pytest_django import Settings

from billing.providers.stripe import Stripe, asking
from billing.tests.stripe_buyer import BASIC, PRO, bought, current, opened, stripe_at, taken
from core.errors import (
    NotConfigured,
    VendorAnswerInvalid,
    VendorBusy,
    VendorRefused,
    VendorTimeout,
    VendorUnavailable,
)
from sandbox.stripe import StripeSandbox


@pytest.fixture
def stripe(settings: Settings) -> Iterator[StripeSandbox]:
    with stripe_at(settings) as sandbox:
        yield sandbox


def error(**said: str) -> dict[str, Any]:
    return {"error": {"type": "invalid_request_error", "message": "No. It was ana@example.com", **said}}


# Refusals


@pytest.mark.parametrize(
    ("status", "body", "state"),
    [
        (400, error(code="parameter_missing"), VendorRefused),
        (400, error(code="rate_limit"), VendorBusy),
        (400, {"error": {"type": "idempotency_error"}}, VendorRefused),
        (401, error(), NotConfigured),
        (402, error(code="card_declined", decline_code="lost_card"), VendorRefused),
        (403, error(), VendorRefused),
        (409, error(code="idempotency_key_in_use"), VendorBusy),
        (429, error(code="rate_limit"), VendorBusy),
        (500, error(), VendorUnavailable),
        (501, error(), VendorUnavailable),
        (503, b"<html>", VendorUnavailable),
        (400, b"<html>", VendorRefused),
        (400, b"", VendorRefused),
        (400, [], VendorRefused),
        (302, {}, VendorAnswerInvalid),
        (200, {}, VendorAnswerInvalid),
        (200, [], VendorAnswerInvalid),
        (200, b"", VendorAnswerInvalid),
        (200, b"{", VendorAnswerInvalid),
        (200, error(), VendorAnswerInvalid),
        (200, {"object": "checkout.session", "id": "cs_1"}, VendorAnswerInvalid),
    ],
)
def test_each_refusal_is_one_of_ours(status, body, state, stripe):
    stripe.fail("checkout", status=status, body=body)
    with pytest.raises(state) as raised:
        opened()
    assert type(raised.value) is state
    assert "ana@" not in str(raised.value.details)
    assert stripe.count("checkout") == 1


def test_a_refusal_keeps_stripes_own_words_for_it(stripe):
    stripe.fail("checkout", status=402, body=error(type="card_error", code="card_declined", decline_code="lost_card"))
    with pytest.raises(VendorRefused) as refused:
        opened()
    details = {"status": 402, "type": "card_error", "code": "card_declined", "decline_code": "lost_card"}
    assert refused.value.details == details


def test_another_key_is_a_matter_of_configuration(stripe, settings):
    settings.STRIPE_SECRET_KEY = "sk_live_of_another"
    with pytest.raises(NotConfigured):
        Stripe().payment("in_1")
    settings.STRIPE_SECRET_KEY = ""
    assert not Stripe().is_configured()
    with pytest.raises(NotConfigured):
        Stripe().payment("in_1")


@pytest.mark.parametrize("name", ["in_of_nobody", "", "../customers", "in_1?x=1", "in 1", "in_1/pay", "é", "x" * 300])
def test_what_is_not_there_is_none(name, stripe):
    provider = Stripe()
    for look in (provider.subscription, provider.payment, provider.refund_state, provider.dispute):
        assert look(name) is None
    assert provider.cards(name) == []
    for act in (provider.resume, provider.undo_scheduled_change):
        with pytest.raises(VendorRefused):
            act(name)


def test_nothing_vanishes_because_the_address_is_wrong(stripe, settings):
    settings.STRIPE_URL += "/elsewhere"
    with pytest.raises(VendorRefused):
        Stripe().payment("in_1")
    stripe.fail("unknown", status=404, body=b"<html>a proxy's own</html>")
    with pytest.raises(VendorRefused):
        Stripe().payment("in_1")


# Once


def upgrade(stripe: StripeSandbox) -> Callable[[], object]:
    first = bought(stripe, BASIC)
    return lambda: Stripe().change_plan(first.id, product_id=PRO, at_period_end=False, once="up")


def give_back(stripe: StripeSandbox) -> Callable[[], object]:
    [payment] = Stripe().payments(bought(stripe).id)
    return lambda: Stripe().refund(payment.id, amount=500, reason="", once="back")


def money(stripe: StripeSandbox) -> tuple[list[int], list[int]]:
    return taken(stripe), [refund["amount"] for refund in stripe.books.all("refund")]


DEEDS = [
    (upgrade, "subscriptions.update", ([900, 2000], [])),
    (give_back, "refunds.create", ([2900], [500])),
]


@pytest.mark.parametrize(("deed", "operation", "then"), DEEDS)
def test_what_was_done_and_never_answered_is_not_done_again(deed, operation, then, stripe):
    act = deed(stripe)
    stripe.loses.append(operation)
    with pytest.raises(VendorUnavailable):
        act()
    assert money(stripe) == then
    act()
    assert money(stripe) == then
    # A change that is seen to be done is not even asked for; a refund is, with the same key.
    assert (stripe.count(operation), stripe.keys.replays) in {(1, 0), (2, 1)}


@pytest.mark.parametrize(("deed", "operation", "then"), DEEDS)
def test_what_was_done_too_late_is_not_done_again(deed, operation, then, stripe, settings):
    act = deed(stripe)
    settings.STRIPE_SECONDS = 0.3
    stripe.fail(operation, drip=0.05)
    with pytest.raises(VendorTimeout):
        act()
    settings.STRIPE_SECONDS = 30.0
    assert money(stripe) == then
    act()
    assert money(stripe) == then


@pytest.mark.parametrize(("deed", "operation", "then"), DEEDS)
def test_what_was_never_begun_is_done_the_next_time(deed, operation, then, stripe):
    act = deed(stripe)
    stripe.fail(operation, reset=True)
    with pytest.raises(VendorUnavailable):
        act()
    act()
    assert money(stripe) == then


@pytest.mark.parametrize("lost", ["schedules.create", "schedules.update", "schedules.release"])
def test_a_plan_that_was_broken_off_is_picked_up(lost, stripe):
    first = bought(stripe)
    stripe.loses.append(lost)

    def plan() -> None:
        Stripe().change_plan(first.id, product_id=BASIC, at_period_end=True, once="down")
        Stripe().undo_scheduled_change(first.id)
        Stripe().change_plan(first.id, product_id=BASIC, at_period_end=True, once="down again")

    with pytest.raises(VendorUnavailable):
        plan()
    Stripe().undo_scheduled_change(first.id)
    assert current(stripe).scheduled_product_id == ""
    Stripe().change_plan(first.id, product_id=BASIC, at_period_end=True, once="down once more")
    assert current(stripe).scheduled_product_id == BASIC


def test_two_of_the_same_at_once_are_one(stripe):
    act, outcomes = give_back(stripe), list[object]()
    stripe.takes = 0.3

    def attempt() -> None:
        try:
            outcomes.append(act())
        except VendorBusy as busy:
            outcomes.append(busy)

    attempts = [threading.Thread(target=attempt) for _ in range(8)]
    for each in attempts:
        each.start()
    for each in attempts:
        each.join()
    assert money(stripe) == ([2900], [500])
    assert len(outcomes) == 8
    assert any(isinstance(outcome, VendorBusy) for outcome in outcomes)


def test_the_same_once_for_something_else_is_refused(stripe):
    [payment] = Stripe().payments(bought(stripe).id)
    Stripe().refund(payment.id, amount=500, reason="", once="back")
    with pytest.raises(VendorRefused) as refused:
        Stripe().refund(payment.id, amount=600, reason="", once="back")
    assert refused.value.details["type"] == "idempotency_error"
    assert money(stripe) == ([2900], [500])


def test_a_key_is_sane_whatever_it_is_made_of():
    keys = {asking.key_of("refund", once) for once in ("a", "b", "ü\n" * 500, "")}
    assert len(keys) == 4
    assert all(len(key) < 255 and key.isascii() and key.isprintable() for key in keys)
    assert asking.key_of("refund", "a") != asking.key_of("checkout", "a")


def test_what_reads_is_tried_again_and_what_moves_money_is_not(stripe):
    found = bought(stripe)
    stripe.fail("subscriptions.get", status=503)
    assert Stripe().subscription(found.id) == found
    stripe.fail("checkout", status=503)
    with pytest.raises(VendorUnavailable):
        opened(once="another")
    assert stripe.count("checkout") == 2


def test_a_list_is_read_to_its_end_and_no_further(stripe):
    found = bought(stripe)
    for _ in range(120):
        stripe.books.renew(found.id)
    payments = list(Stripe().payments(found.id))
    assert len({payment.id for payment in payments}) == len(payments) == 121
    repeats = {"object": "list", "data": [{"object": "invoice", "id": "in_1"}], "has_more": True}
    stripe.fail("invoices.list", status=200, body=repeats, times=-1)
    before = stripe.count("invoices.list")
    with pytest.raises(VendorAnswerInvalid):
        list(Stripe().payments(found.id))
    assert stripe.count("invoices.list") - before <= 2


def test_it_says_which_version_it_speaks(stripe):
    bought(stripe)
    assert {call.status for call in stripe.calls if call.operation != "page.pay"} == {200}
