"""Dodo does what our contract wants, against its sandbox over real HTTP."""

import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pytest_django import Settings

from billing.providers.contract import Buyer, Standing
from billing.providers.dodo import Dodo
from billing.providers.dodo.door import client
from billing.providers.refusals import SubscriptionEnded
from billing.tests.dodo_shop import ANA, led_to, offered, paid, sold
from core import calls
from core.errors import NotConfigured, VendorRefused
from sandbox.dodo import DodoSandbox

LATER_DECLINED = "4000000000000341"


@pytest.fixture
def dodo(settings: Settings) -> Iterator[DodoSandbox]:
    with led_to(settings) as sandbox:
        yield sandbox


def newest(subscription_id: str) -> Any:
    """As it is by itself: a list tells less."""
    listed = next(iter(Dodo().payments(subscription_id)))
    payment: Any = Dodo().payment(listed.id)
    assert payment.status == listed.status
    return payment


def test_it_is_configured_by_its_key(settings):
    settings.DODO_API_KEY = ""
    assert Dodo().is_configured() is False
    with pytest.raises(NotConfigured):
        Dodo().subscription("sub_1")
    settings.DODO_API_KEY = "dodo_test_1"
    assert Dodo().is_configured() is True


@pytest.mark.parametrize("key", ["with a\nbreak", "schlüssel"])
def test_a_key_that_cannot_be_sent_is_none(settings, key):
    settings.DODO_API_KEY = key
    with pytest.raises(NotConfigured):
        Dodo().subscription("sub_1")


def test_nobody_pays_for_the_sdk_who_moves_no_money():
    """It takes half a second and 38 MB to import."""
    look = "import sys, billing.providers.dodo; sys.exit('dodopayments' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", f"import django; django.setup(); {look}"], check=False).returncode == 0


@pytest.mark.parametrize(("live", "host"), [(False, "test.dodopayments.com"), (True, "live.dodopayments.com")])
def test_it_charges_no_real_card_unless_told_to(live, host, monkeypatch):
    monkeypatch.setenv("DODO_PAYMENTS_BASE_URL", "https://live.dodopayments.com")
    asked = client("dodo_key", "", live)
    assert (asked.base_url.host, asked.max_retries) == (host, 0)


# Buying


def test_a_checkout_carries_who_buys_and_our_own_reference(dodo):
    page = offered(dodo)
    session = dodo.books.sessions[page.id]
    assert page.url == f"{dodo.url}/session/{page.id}"
    assert session["metadata"] == {"subscription_ref": "ours-1", "user_id": "user-1", "once": "once-1"}
    assert session["customer"] == {"email": "ana@example.com", "name": "Ana"}
    assert (session["return_url"], session["cancel_url"]) == ("https://app.test/success", "https://app.test/cancel")


def test_whoever_bought_before_stays_the_same_customer(dodo):
    known = Dodo().subscription(sold(dodo))
    offered(dodo, buyer=Buyer(user_id="user-1", email="new@example.com", customer_id=known.customer_id))
    assert next(reversed(dodo.books.sessions.values()))["customer"] == {"customer_id": known.customer_id}


def test_what_was_bought_can_be_read(dodo):
    dodo.books.tax_percent = 23
    product = dodo.add_product(2900)
    before = datetime.now(UTC)
    subscription: Any = Dodo().subscription(sold(dodo, product_id=product))
    payment: Any = newest(subscription.id)
    assert (subscription.ref, subscription.standing, subscription.product_id) == ("ours-1", Standing.ACTIVE, product)
    assert before <= subscription.period_start <= datetime.now(UTC)
    assert timedelta(days=27) < subscription.period_end - subscription.period_start < timedelta(days=32)
    assert (subscription.was_paid, subscription.cancels_at_end, subscription.unpaid_since) == (True, False, None)
    assert (payment.status, payment.reason, payment.currency) == ("succeeded", "new", "USD")
    assert (payment.amount, payment.tax) == (2900 + 667, 667)
    assert (payment.subscription_id, payment.customer_id) == (subscription.id, subscription.customer_id)
    assert payment.ref == "ours-1"
    assert payment.invoice_id
    assert payment.paid_at >= before
    assert Dodo().payment(payment.id) == payment


def test_a_declined_purchase_can_be_read(dodo):
    dodo.pay(offered(dodo).id, card="4000000000009995")
    [subscription_id] = dodo.books.subscriptions
    payment = newest(subscription_id)
    assert (payment.status, payment.failure, payment.paid_at) == ("failed", "INSUFFICIENT_FUNDS", None)
    failed = Dodo().subscription(subscription_id)
    assert (failed.standing, failed.was_paid) == (Standing.ENDED, False)


def test_a_purchase_that_is_under_way_can_be_read(dodo):
    dodo.books.slow = True
    dodo.pay(offered(dodo).id)
    [subscription_id], [payment_id] = dodo.books.subscriptions, dodo.books.payments
    pending: Any = Dodo().subscription(subscription_id)
    assert (pending.standing, pending.was_paid, pending.ref) == (Standing.PENDING, False, "ours-1")
    payment: Any = Dodo().payment(payment_id)
    assert (payment.status, payment.paid_at, payment.invoice_id) == ("processing", None, "")
    for status, told in [
        (None, "pending"),
        ("requires_customer_action", "pending"),
        ("requires_capture", "processing"),
    ]:
        dodo.books.payments[payment_id]["status"] = status
        waiting: Any = Dodo().payment(payment_id)
        assert waiting.status == told
    dodo.settle(payment_id)
    paid_for: Any = Dodo().subscription(subscription_id)
    assert (paid_for.standing, paid_for.was_paid) == (Standing.ACTIVE, True)


def test_when_it_was_paid_does_not_move_with_a_refund(dodo):
    sold(dodo)
    Dodo().refund(paid(dodo), amount=None, reason="", once="back-1")
    dodo.books.payments[paid(dodo)]["updated_at"] = "2030-01-01T00:00:00Z"
    payment: Any = Dodo().payment(paid(dodo))
    assert payment.paid_at == payment.created_at


def test_what_is_not_there_is_nothing(dodo):
    assert Dodo().subscription("sub_1") is None
    assert Dodo().payment("pay_1") is None
    assert Dodo().refund_state("ref_1") is None
    assert Dodo().dispute("dp_1") is None
    assert list(Dodo().payments("sub_1")) == []


def test_a_wrong_address_does_not_make_things_nothing(dodo, settings):
    subscription_id = sold(dodo)
    settings.DODO_URL = f"{dodo.url}/elsewhere"
    with pytest.raises(VendorRefused):
        Dodo().subscription(subscription_id)


def test_no_payment_is_left_out_of_many_pages(dodo):
    """The SDK's own paging would leave out the second page."""
    subscription_id = sold(dodo)
    with dodo.books.lock:
        template = dodo.books.payments[paid(dodo)]
        for number in range(230):
            dodo.books.payments[f"pay_{number}"] = template | {"payment_id": f"pay_{number}"}
    read = [payment.id for payment in Dodo().payments(subscription_id)]
    assert len(read) == len(set(read)) == 231
    assert dodo.count("payments.list") == 4


# A subscription's life


def test_a_trial_is_a_trial_until_it_is_charged(dodo):
    page = offered(dodo)
    dodo.books.sessions[page.id]["subscription_data"] = {"trial_period_days": 14}
    dodo.pay(page.id)
    [subscription_id] = dodo.books.subscriptions
    assert Dodo().subscription(subscription_id).standing is Standing.TRIAL
    assert list(Dodo().payments(subscription_id)) == []
    dodo.books.ahead = timedelta(days=14)
    dodo.force_renewal(subscription_id)
    assert Dodo().subscription(subscription_id).standing is Standing.ACTIVE


@pytest.mark.parametrize("grace", [0, 7])
def test_a_renewal_that_failed_is_owed(dodo, grace):
    dodo.books.grace_days = grace
    subscription_id = sold(dodo)
    dodo.set_card(subscription_id, LATER_DECLINED)
    dodo.force_renewal(subscription_id)
    owed: Any = Dodo().subscription(subscription_id)
    assert (owed.standing, owed.was_paid) == (Standing.PAST_DUE, False)
    assert owed.unpaid_since == owed.period_end <= datetime.now(UTC)
    assert bool(owed.grace_until) is bool(grace)
    failed = newest(subscription_id)
    assert (failed.status, failed.reason, failed.failure) == ("failed", "renewal", "CARD_DECLINED")
    link = Dodo().update_card(subscription_id, customer_id=owed.customer_id, return_url="https://app.test/cards")
    dodo.pay(link.rpartition("/")[2])
    assert Dodo().subscription(subscription_id).standing is Standing.ACTIVE


def test_it_ends_at_the_end_unless_it_is_resumed(dodo):
    subscription_id = sold(dodo)
    Dodo().cancel(subscription_id, now=False)
    ending = Dodo().subscription(subscription_id)
    assert (ending.standing, ending.cancels_at_end, ending.ended_at) == (Standing.ACTIVE, True, None)
    Dodo().resume(subscription_id)
    assert Dodo().subscription(subscription_id).cancels_at_end is False
    Dodo().cancel(subscription_id, now=False)
    dodo.force_renewal(subscription_id)
    ended: Any = Dodo().subscription(subscription_id)
    assert ended.standing is Standing.ENDED
    assert ended.ended_at <= datetime.now(UTC)


def test_it_ends_at_once_and_once_more_is_no_trouble(dodo):
    subscription_id = sold(dodo)
    Dodo().cancel(subscription_id, now=True)
    Dodo().cancel(subscription_id, now=True)
    ended: Any = Dodo().subscription(subscription_id)
    assert (ended.standing, ended.period_end > ended.ended_at) == (Standing.ENDED, True)
    with pytest.raises(SubscriptionEnded):
        Dodo().resume(subscription_id)
    with pytest.raises(VendorRefused):
        Dodo().cancel("sub_1", now=True)


def test_a_pause_and_a_term_that_ran_out_can_be_read(dodo):
    subscription_id = sold(dodo)
    dodo.books.subscriptions[subscription_id]["status"] = "paused"
    assert Dodo().subscription(subscription_id).standing is Standing.PAUSED
    dodo.books.subscriptions[subscription_id]["status"] = "expired"
    assert Dodo().subscription(subscription_id).standing is Standing.ENDED
    dodo.books.subscriptions[subscription_id]["status"] = "pending"
    assert Dodo().subscription(subscription_id).standing is Standing.PENDING


# What the customer looks after


def test_the_card_that_was_charged_last_stands_out(dodo):
    subscription_id = sold(dodo)
    customer = Dodo().subscription(subscription_id).customer_id
    dodo.books.add_method(customer, LATER_DECLINED)
    dodo.force_renewal(subscription_id)
    cards = Dodo().cards(customer)
    assert [(card.last4, card.is_default) for card in cards] == [("4242", True), ("0341", False)]
    assert (cards[0].brand, cards[0].kind, cards[0].expires_month, cards[0].expires_year) == ("visa", "card", 6, 2032)


def test_it_leads_to_the_portal_and_to_the_card(dodo):
    subscription = Dodo().subscription(sold(dodo))
    portal = Dodo().portal(subscription.customer_id, return_url="https://app.test/billing")
    card = Dodo().update_card(subscription.id, customer_id=subscription.customer_id, return_url="https://app.test/")
    assert portal.startswith(f"{dodo.url}/portal/")
    assert card.startswith(f"{dodo.url}/session/")
    assert next(reversed(dodo.books.sessions.values()))["return_url"] == "https://app.test/"


def test_an_invoice_is_a_pdf(dodo):
    sold(dodo)
    payment: Any = Dodo().payment(paid(dodo))
    pdf = Dodo().invoice_pdf(payment.id, payment.invoice_id)
    assert pdf.startswith(b"%PDF-")
    assert payment.invoice_id.encode() in pdf


def test_each_call_is_announced_without_ids_or_keys(dodo):
    subscription_id = sold(dodo)
    with calls.heard() as heard:
        Dodo().change_plan(subscription_id, product_id=dodo.add_product(9900), at_period_end=False, once="up-1")
    assert [(call.vendor, call.operation, call.outcome) for call in heard] == [
        ("dodo", "get.subscriptions", "ok"),
        ("dodo", "post.subscriptions.change-plan", "ok"),
        ("dodo", "get.payments", "ok"),
    ]
    assert ANA.email not in repr(heard)
    assert dodo.key not in repr(heard)
