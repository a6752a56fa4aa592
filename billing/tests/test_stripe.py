"""Stripe as our contract wants it, against its sandbox over real HTTP: buying, time, and changes."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from pytest_django import Settings

from billing.providers.contract import Standing
from billing.providers.refusals import PaymentFailed
from billing.providers.stripe import Stripe
from billing.tests.stripe_buyer import (
    AWAY,
    BASIC,
    PRO,
    YEARLY,
    bought,
    current,
    length,
    opened,
    press,
    stripe_at,
    taken,
)
from core.errors import VendorAnswerInvalid
from sandbox.stripe import StripeSandbox

MONTH = timedelta(days=30)


@pytest.fixture
def stripe(settings: Settings) -> Iterator[StripeSandbox]:
    with stripe_at(settings) as sandbox:
        yield sandbox


# Buying


def test_a_checkout_leads_to_a_page_and_from_there_to_a_subscription(stripe):
    checkout = opened()
    assert "29.00 USD each month" in httpx.get(checkout.url, trust_env=False).text
    paid = press(checkout.url, "pay")
    assert (paid.status_code, paid.headers["location"]) == (303, f"https://app.test/ok?s={checkout.id}")
    found = current(stripe)
    assert (found.standing, found.product_id, found.ref, found.was_paid) == (Standing.ACTIVE, PRO, "ours-1", True)
    assert length(found) == MONTH
    assert found.period_start
    assert abs(datetime.now(UTC) - found.period_start) < timedelta(minutes=1)
    assert (found.cancels_at_end, found.scheduled_product_id, found.unpaid_since, found.ended_at) == (
        False,
        "",
        None,
        None,
    )


def test_a_payment_is_an_invoice(stripe):
    found = bought(stripe)
    [payment] = Stripe().payments(found.id)
    assert payment == Stripe().payment(payment.id)
    assert payment.id.startswith("in_")
    assert (payment.subscription_id, payment.customer_id, payment.ref) == (found.id, found.customer_id, "ours-1")
    assert (payment.status, payment.reason, payment.amount, payment.currency) == ("succeeded", "new", 2900, "USD")
    assert (payment.invoice_id, payment.failure) == (payment.id, "")
    assert payment.invoice_number
    assert payment.paid_at


def test_nothing_is_bought_by_declining_and_cancelling(stripe):
    checkout = opened()
    assert "Your card was declined" in press(checkout.url, "decline").text
    assert press(checkout.url, "cancel").headers["location"] == AWAY["cancel_url"]
    assert (stripe.books.all("subscription"), taken(stripe)) == ([], [])
    press(checkout.url, "pay")
    press(checkout.url, "pay")
    assert taken(stripe) == [2900]


def test_who_bought_before_is_known_by_the_customer(stripe):
    found = bought(stripe)
    press(opened(BASIC, customer_id=found.customer_id, once="second").url, "pay")
    assert current(stripe).customer_id == found.customer_id
    assert len(stripe.books.all("customer")) == 1


def test_a_checkout_with_the_same_once_is_the_same(stripe):
    assert opened() == opened()
    assert opened(once="other") != opened()


def test_taxes_are_told_apart(stripe):
    stripe.books.tax_percent = 20
    [payment] = Stripe().payments(bought(stripe).id)
    assert (payment.amount, payment.tax) == (3480, 580)


def test_a_trial_is_a_trial(stripe):
    session = opened()
    stripe.books.objects[session.id]["data_"]["trial_period_days"] = "14"
    press(session.url, "pay")
    assert (current(stripe).standing, taken(stripe)) == (Standing.TRIAL, [])


# Time


def test_a_renewal_moves_the_period_on_and_is_paid(stripe):
    first = bought(stripe)
    stripe.books.renew(first.id)
    found = current(stripe)
    assert (found.standing, found.was_paid, found.period_start) == (Standing.ACTIVE, True, first.period_end)
    assert [payment.reason for payment in Stripe().payments(found.id)] == ["renewal", "new"]
    assert taken(stripe) == [2900, 2900]


def test_a_period_is_not_paid_while_its_invoice_is_a_draft(stripe):
    first = bought(stripe)
    draft = stripe.books.renew(first.id, stays="draft")
    found = current(stripe)
    assert (found.standing, found.was_paid, found.period_start) == (Standing.ACTIVE, False, first.period_end)
    assert [payment.reason for payment in Stripe().payments(found.id)] == ["new"]
    assert Stripe().payment(draft["id"]).status == "pending"


def test_a_renewal_that_fails_is_owed_since_then_and_may_be_made_up_for(stripe):
    first = bought(stripe)
    stripe.books.declines = "insufficient_funds"
    invoice = stripe.books.renew(first.id)
    found = current(stripe)
    assert (found.standing, found.was_paid) == (Standing.PAST_DUE, False)
    assert found.unpaid_since
    assert first.period_end
    assert abs(found.unpaid_since - first.period_end) < timedelta(minutes=1)
    failed = Stripe().payment(invoice["id"])
    assert (failed.status, failed.failure, failed.amount) == ("failed", "insufficient_funds", 2900)
    assert next(iter(Stripe().payments(found.id))) == failed
    stripe.books.declines = ""
    stripe.books.collect(invoice["id"])
    assert (current(stripe).standing, current(stripe).unpaid_since) == (Standing.ACTIVE, None)
    assert Stripe().payment(invoice["id"]).status == "succeeded"


def test_what_is_owed_does_not_grow_younger_with_each_period(stripe):
    first = bought(stripe)
    stripe.books.declines = "expired_card"
    stripe.books.renew(first.id)
    since = current(stripe).unpaid_since
    stripe.books.give_up(first.id)
    stripe.books.renew(first.id, stays="draft")
    assert (current(stripe).standing, current(stripe).unpaid_since) == (Standing.PAST_DUE, since)


@pytest.mark.parametrize(
    ("status", "standing"),
    [
        ("incomplete", Standing.PENDING),
        ("incomplete_expired", Standing.ENDED),
        ("trialing", Standing.TRIAL),
        ("active", Standing.ACTIVE),
        ("past_due", Standing.PAST_DUE),
        ("unpaid", Standing.PAST_DUE),
        ("paused", Standing.PAUSED),
        ("canceled", Standing.ENDED),
    ],
)
def test_each_status_has_its_standing(status, standing, stripe):
    first = bought(stripe)
    stripe.books.objects[first.id]["status"] = status
    assert current(stripe).standing is standing


def test_a_status_that_nobody_knows_is_not_guessed_at(stripe):
    first = bought(stripe)
    stripe.books.objects[first.id]["status"] = "hibernating"
    with pytest.raises(VendorAnswerInvalid):
        Stripe().subscription(first.id)


def test_nobody_has_what_is_not_collected_for(stripe):
    first = bought(stripe)
    stripe.books.objects[first.id]["pause_collection"] = {"behavior": "void", "resumes_at": None}
    assert current(stripe).standing is Standing.PAUSED


# Changes


def test_an_upgrade_costs_the_difference_and_says_so_before(stripe):
    first = bought(stripe, BASIC)
    before = Stripe().preview_change(first.id, product_id=PRO)
    Stripe().change_plan(first.id, product_id=PRO, at_period_end=False, once="up")
    found = current(stripe)
    assert (found.product_id, found.period_end, found.was_paid) == (PRO, first.period_end, True)
    assert taken(stripe) == [900, before.amount] == [900, 2000]
    assert (before.currency, before.tax) == ("USD", 0)
    assert next(iter(Stripe().payments(found.id))).reason == "plan_change"


def test_an_upgrade_that_is_declined_changes_nothing(stripe):
    first = bought(stripe, BASIC)
    stripe.books.declines = "do_not_honor"
    with pytest.raises(PaymentFailed) as refused:
        Stripe().change_plan(first.id, product_id=PRO, at_period_end=False, once="up")
    assert refused.value.details == {"reason": "do_not_honor"}
    assert current(stripe) == first
    assert taken(stripe) == [900]


def test_a_downgrade_now_is_credited(stripe):
    first = bought(stripe)
    assert Stripe().preview_change(first.id, product_id=BASIC).amount == -2000
    Stripe().change_plan(first.id, product_id=BASIC, at_period_end=False, once="down")
    assert taken(stripe) == [2900]
    stripe.books.renew(first.id)
    assert taken(stripe) == [2900]
    assert [payment.amount for payment in Stripe().payments(first.id)] == [0, 0, 2900]


def test_another_rhythm_begins_a_period(stripe):
    first = bought(stripe)
    Stripe().change_plan(first.id, product_id=YEARLY, at_period_end=False, once="year")
    found = current(stripe)
    assert length(found) == timedelta(days=365)
    assert taken(stripe) == [2900, 26_100]


def test_a_downgrade_at_the_periods_end_waits_for_it(stripe):
    first = bought(stripe)
    Stripe().change_plan(first.id, product_id=BASIC, at_period_end=True, once="down")
    found = current(stripe)
    assert (found.product_id, found.scheduled_product_id, found.cancels_at_end) == (PRO, BASIC, False)
    stripe.books.renew(first.id)
    found = current(stripe)
    assert (found.product_id, found.scheduled_product_id) == (BASIC, "")
    stripe.books.renew(first.id)
    stripe.books.renew(first.id)
    assert taken(stripe) == [2900, 900, 900, 900]
    assert stripe.books.all("subscription")[0]["schedule"] is None


def test_what_is_planned_may_be_planned_anew_and_be_undone(stripe):
    first = bought(stripe)
    for once, product in [("one", BASIC), ("two", YEARLY)]:
        Stripe().change_plan(first.id, product_id=product, at_period_end=True, once=once)
        assert current(stripe).scheduled_product_id == product
    Stripe().undo_scheduled_change(first.id)
    Stripe().undo_scheduled_change(first.id)
    assert current(stripe) == first
    Stripe().change_plan(first.id, product_id=BASIC, at_period_end=True, once="three")
    Stripe().change_plan(first.id, product_id=PRO, at_period_end=True, once="back to what it is")
    assert current(stripe) == first


def test_what_is_planned_costs_neither_a_trial_nor_a_discount(stripe):
    first = bought(stripe)
    row = stripe.books.objects[first.id]
    row |= {"discounts": ["di_1", "di_2"], "trial_end": row["items"]["data"][0]["current_period_end"]}
    Stripe().change_plan(first.id, product_id=BASIC, at_period_end=True, once="down")
    phase = stripe.books.all("subscription_schedule")[0]["phases"][0]
    assert phase["discounts"] == [{"discount": "di_1"}, {"discount": "di_2"}]
    assert phase["trial_end"] == str(row["trial_end"])


def test_an_upgrade_leaves_what_was_planned_to_whoever_asked_for_it(stripe):
    first = bought(stripe, BASIC)
    Stripe().change_plan(first.id, product_id=YEARLY, at_period_end=True, once="later")
    stripe.books.declines = "do_not_honor"
    with pytest.raises(PaymentFailed):
        Stripe().change_plan(first.id, product_id=PRO, at_period_end=False, once="now")
    assert current(stripe).scheduled_product_id == YEARLY
    stripe.books.declines = ""
    Stripe().change_plan(first.id, product_id=PRO, at_period_end=False, once="once more")
    assert (current(stripe).product_id, current(stripe).scheduled_product_id) == (PRO, YEARLY)
    Stripe().undo_scheduled_change(first.id)
    assert (current(stripe).product_id, current(stripe).scheduled_product_id) == (PRO, "")
