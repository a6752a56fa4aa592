"""How what was bought at Stripe ends, is given back, disputed, paid with another card, and told of."""

from collections.abc import Iterator

import pytest
from pytest_django import Settings

from billing.providers.contract import Standing
from billing.providers.stripe import Stripe
from billing.tests.stripe_buyer import BASIC, bought, current, press, stripe_at, taken
from core.errors import VendorAnswerInvalid, VendorRefused
from sandbox.stripe import StripeSandbox


@pytest.fixture
def stripe(settings: Settings) -> Iterator[StripeSandbox]:
    with stripe_at(settings) as sandbox:
        yield sandbox


# Endings


def test_it_ends_at_the_periods_end_unless_it_is_resumed(stripe):
    first = bought(stripe)
    Stripe().cancel(first.id, now=False)
    assert (current(stripe).standing, current(stripe).cancels_at_end) == (Standing.ACTIVE, True)
    Stripe().resume(first.id)
    Stripe().resume(first.id)
    assert current(stripe) == first
    Stripe().cancel(first.id, now=False)
    stripe.books.renew(first.id)
    found = current(stripe)
    assert found.standing is Standing.ENDED
    assert found.ended_at
    assert taken(stripe) == [2900]


def test_it_resumes_what_the_portal_has_ended_by_a_date(stripe):
    first = bought(stripe)
    assert first.period_end
    stripe.books.objects[first.id]["cancel_at"] = int(first.period_end.timestamp())
    assert current(stripe).cancels_at_end
    Stripe().resume(first.id)
    assert current(stripe) == first


@pytest.mark.parametrize("now", [True, False])
def test_it_ends_although_something_is_planned(now, stripe):
    first = bought(stripe)
    Stripe().change_plan(first.id, product_id=BASIC, at_period_end=True, once="down")
    Stripe().cancel(first.id, now=now)
    found = current(stripe)
    assert (found.standing is Standing.ENDED, found.cancels_at_end) == (now, not now)
    assert found.scheduled_product_id == ""


def test_it_ends_now_and_once(stripe):
    first = bought(stripe)
    for _ in range(2):
        Stripe().cancel(first.id, now=True)
    assert stripe.count("subscriptions.end") == 1
    assert len(stripe.outbox.of("customer.subscription.deleted")) == 1


# Money back


def test_a_refund_in_part_and_then_of_the_rest(stripe):
    [payment] = Stripe().payments(bought(stripe).id)
    part = Stripe().refund(payment.id, amount=1000, reason="Too slow", once="r1")
    assert (part.status, part.amount, part.currency, part.partial) == ("succeeded", 1000, "USD", True)
    assert (part.payment_id, part.reason) == (payment.id, "Too slow")
    assert Stripe().refund_state(part.id) == part
    assert Stripe().refund(payment.id, amount=1, reason="long " * 200, once="r0").status == "succeeded"
    assert Stripe().refund(payment.id, amount=None, reason="", once="r2").amount == 1899
    with pytest.raises(VendorRefused) as refused:
        Stripe().refund(payment.id, amount=None, reason="", once="r3")
    assert refused.value.details["code"] == "charge_already_refunded"


def test_a_whole_refund_is_not_partial(stripe):
    [payment] = Stripe().payments(bought(stripe).id)
    assert not Stripe().refund(payment.id, amount=None, reason="", once="r1").partial


def test_what_was_not_paid_is_not_refunded(stripe):
    first = bought(stripe)
    stripe.books.declines = "insufficient_funds"
    invoice = stripe.books.renew(first.id)
    with pytest.raises(VendorRefused):
        Stripe().refund(invoice["id"], amount=None, reason="", once="r1")
    assert stripe.count("refunds.create") == 0


def test_a_dispute_names_its_payment(stripe):
    [payment] = Stripe().payments(bought(stripe).id)
    name = stripe.books.dispute(payment.id)["id"]
    found = Stripe().dispute(name)
    assert (found.payment_id, found.status, found.amount, found.currency) == (payment.id, "open", 2900, "USD")
    for status in ("won", "lost"):
        stripe.books.close_dispute(name, status)
        assert Stripe().dispute(name).status == status


# Stripe's own pages


def test_the_card_of_a_checkout_is_the_one_that_is_charged(stripe):
    [card] = Stripe().cards(bought(stripe).customer_id)
    assert (card.kind, card.brand, card.last4, card.expires_month, card.expires_year) == (
        "card",
        "visa",
        "4242",
        12,
        2030,
    )
    assert card.is_default


def test_a_new_card_is_charged_from_then_on(stripe):
    first = bought(stripe)
    url = Stripe().update_card(first.id, customer_id=first.customer_id, return_url="https://app.test/cards")
    [card] = Stripe().cards(first.customer_id)
    assert card.is_default
    assert press(url, "replace").headers["location"] == "https://app.test/cards"
    cards = {card.last4: card.is_default for card in Stripe().cards(first.customer_id)}
    assert cards == {"4242": False, "4444": True}
    Stripe().update_card(first.id, customer_id=first.customer_id, return_url="https://app.test/cards")
    assert {card.last4: card.is_default for card in Stripe().cards(first.customer_id)} == cards


def test_a_customer_who_was_deleted_has_no_cards(stripe):
    found = bought(stripe)
    gone = {"object": "customer", "id": found.customer_id, "deleted": True}
    stripe.fail("customers.get", status=200, body=gone)
    assert Stripe().cards(found.customer_id) == []


def test_the_portal_is_the_customers_own(stripe):
    url = Stripe().portal(bought(stripe).customer_id, return_url="https://app.test/billing")
    assert press(url, "back").headers["location"] == "https://app.test/billing"


def test_an_invoice_comes_as_a_pdf_and_without_our_key(stripe):
    [payment] = Stripe().payments(bought(stripe).id)
    assert Stripe().invoice_pdf(payment.id, payment.invoice_id).startswith(b"%PDF-")
    stripe.fail("pdf", status=200, body=b"<html>")
    with pytest.raises(VendorAnswerInvalid):
        Stripe().invoice_pdf(payment.id, "")
    with pytest.raises(VendorRefused):
        Stripe().invoice_pdf("in_of_nobody", "")


# Events


def test_everything_that_happens_is_told_and_leads_back_to_what_is(stripe):
    first = bought(stripe)
    [payment] = Stripe().payments(first.id)
    Stripe().refund(payment.id, amount=100, reason="", once="r1")
    stripe.books.dispute(payment.id)
    stripe.books.renew(first.id)
    hints = [Stripe().read_webhook(*stripe.outbox.signed(event)) for event in reversed(stripe.outbox.deliveries)]
    assert len({hint.id for hint in hints}) == len(hints)
    assert {hint.type for hint in hints} <= set(Stripe.decisions)
    assert {Stripe().subscription(name).id for hint in hints for name in hint.subscription_ids} == {first.id}
    assert {Stripe().payment(name).status for hint in hints for name in hint.payment_ids} == {"succeeded"}
    assert {Stripe().refund_state(name).amount for hint in hints for name in hint.refund_ids} == {100}
    assert {Stripe().dispute(name).payment_id for hint in hints for name in hint.dispute_ids} == {payment.id}
