"""The sandbox's Dodo goes on from one run to the next, as a vendor does whose customers' machines are turned off."""

from contextlib import ExitStack
from datetime import timedelta

import httpx
import pytest

from sandbox.dodo import DodoSandbox
from sandbox.tests.dodo_shop import bought, checkout, kinds

PRODUCT = "pdt_sandbox_pro"


@pytest.fixture
def opened(tmp_path):
    """The account, and a way to its API; asked for again, it is the one of before."""
    with ExitStack() as running:

        def open_again(port=0):
            file = tmp_path / "shelf" / "dodo.json"
            dodo = running.enter_context(DodoSandbox(port=port, key="sandbox", invents=True, file=file))
            headers = {"authorization": f"Bearer {dodo.key}"}
            client = httpx.Client(base_url=dodo.url, headers=headers, timeout=5, trust_env=False)
            return dodo, running.enter_context(client)

        yield open_again


def sold(dodo, api):
    session = checkout(dodo, api, product_id=PRODUCT)
    api.post(session["checkout_url"], data={"action": "pay"})
    return next(reversed(dodo.books.subscriptions))


def test_it_knows_after_a_new_start_what_was_bought_before(opened):
    dodo, api = opened()
    subscription_id = sold(dodo, api)
    dodo.stop()
    again, api = opened()
    assert api.get(f"/subscriptions/{subscription_id}").json()["status"] == "active"
    assert again.charged(subscription_id) == 2900
    answer = api.patch(f"/subscriptions/{subscription_id}", json={"cancel_at_next_billing_date": True})
    assert answer.json()["cancel_at_next_billing_date"] is True


def test_a_page_that_was_open_is_there_again_unless_the_address_is_another(opened):
    dodo, api = opened()
    page = checkout(dodo, api, product_id=PRODUCT)
    dodo.stop()
    again, _ = opened(dodo.port)
    assert httpx.get(page["checkout_url"], trust_env=False).status_code == 200
    again.stop()
    _, api = opened()
    assert api.get(f"/checkouts/{page['session_id']}").status_code == 404


def test_nobody_else_may_read_its_file(opened, tmp_path):
    dodo, api = opened()
    sold(dodo, api)
    [file] = (tmp_path / "shelf").iterdir()
    assert file.stat().st_mode & 0o077 == 0


def test_what_fell_due_while_it_was_away_is_charged_once_for_each_month(opened):
    dodo, api = opened()
    subscription_id = sold(dodo, api)
    dodo.stop()
    again, api = opened()
    again.books.ahead = timedelta(days=75)
    again.catch_up()
    again.catch_up()
    assert [each.why for each in again.books.charges] == ["new", "renewal", "renewal"]
    assert again.books.now().isoformat() < api.get(f"/subscriptions/{subscription_id}").json()["next_billing_date"]


def test_what_was_cancelled_ends_when_its_month_is_over(opened):
    dodo, api = opened()
    subscription_id = bought(dodo, api)
    api.patch(f"/subscriptions/{subscription_id}", json={"cancel_at_next_billing_date": True})
    dodo.post.take()
    dodo.catch_up()
    assert kinds(dodo) == []
    dodo.books.ahead = timedelta(days=32)
    dodo.catch_up()
    assert kinds(dodo) == ["subscription.cancelled", "subscription.updated"]


def test_a_used_page_leads_back_with_what_came_of_it(opened):
    dodo, api = opened()
    session = checkout(dodo, api)
    api.post(session["checkout_url"], data={"action": "decline"})
    assert 'href="https://shop.test/back?from=dodo&amp;status=failed"' in api.get(session["checkout_url"]).text
