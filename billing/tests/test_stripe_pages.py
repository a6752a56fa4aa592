"""Stripe's pages: one that is closed, one that was paid, and one on which a payment is confirmed to the bank."""

from collections.abc import Iterator

import pytest
from pytest_django import Settings

from billing.providers.contract import Page
from billing.providers.refusals import ConfirmationNeeded
from billing.providers.stripe import Stripe
from billing.tests.stripe_buyer import BASIC, PRO, bought, current, opened, press, stripe_at, taken
from sandbox.stripe import StripeSandbox


@pytest.fixture
def stripe(settings: Settings) -> Iterator[StripeSandbox]:
    with stripe_at(settings) as sandbox:
        yield sandbox


@pytest.mark.parametrize("portal", [200, 400])
def test_a_bank_that_asks_is_answered_on_a_page_where_there_is_one(stripe, portal):
    first = bought(stripe, BASIC)
    stripe.books.declines = "authentication_required"
    if portal == 400:
        stripe.fail("portal", status=400, body={"error": {"type": "invalid_request_error"}})
    with pytest.raises(ConfirmationNeeded) as asked:
        Stripe().change_plan(first.id, product_id=PRO, at_period_end=False, once="up", return_url="https://app.test/")
    url = asked.value.details["confirm_url"]
    assert (current(stripe), bool(url)) == (first, portal == 200)
    if url:
        assert press(url, "confirm").headers["location"] == "https://app.test/"
        assert (current(stripe).product_id, taken(stripe)) == (PRO, [900, 2000])


def test_a_page_that_is_closed_takes_no_payment_and_one_that_was_paid_says_so(stripe):
    page = opened()
    assert Stripe().checkout_state(page.id).page is Page.OPEN
    assert [Stripe().close_checkout(page.id).page for _ in range(2)] == [Page.OVER, Page.OVER]
    assert press(page.url, "pay").status_code != 303
    second = opened(once="second")
    press(second.url, "pay")
    state = Stripe().close_checkout(second.id)
    assert (state.page, state.subscription_id) == (Page.PAID, current(stripe).id)
    assert Stripe().checkout_state("cs_test_none").page is Page.OVER
