"""Subscriptions at the sandbox's Dodo live as the vendor's do, and tell of it."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from sandbox.dodo import DodoSandbox
from sandbox.dodo_books import stamp
from sandbox.tests.dodo_shop import bought, checkout, kinds

LATER_DECLINED = "4000000000000341"


@pytest.fixture
def dodo() -> Iterator[DodoSandbox]:
    with DodoSandbox() as sandbox:
        yield sandbox


@pytest.fixture
def api(dodo: DodoSandbox) -> Iterator[httpx.Client]:
    headers = {"authorization": f"Bearer {dodo.key}"}
    with httpx.Client(base_url=dodo.url, headers=headers, timeout=5, trust_env=False) as client:
        yield client


@pytest.fixture
def browser() -> Iterator[httpx.Client]:
    with httpx.Client(timeout=5, trust_env=False) as client:
        yield client


def test_the_first_charge_counts_as_a_renewal(dodo, api):
    dodo.pay(checkout(dodo, api)["session_id"])
    assert kinds(dodo) == [
        "payment.succeeded", "subscription.active", "subscription.renewed", "subscription.updated",
    ]  # fmt: skip


def test_a_trial_is_active_and_charges_nothing(dodo, api):
    session = checkout(dodo, api, subscription_data={"trial_period_days": 14})
    dodo.pay(session["session_id"])
    [subscription] = dodo.books.subscriptions.values()
    assert (subscription["status"], kinds(dodo), dodo.books.charges) == ("active", ["subscription.active"], [])
    dodo.force_renewal(subscription["subscription_id"])
    assert [charge.why for charge in dodo.books.charges] == ["renewal"]


@pytest.mark.parametrize(("code", "status", "taken"), [(None, "active", 2900), ("NETWORK_TIMEOUT", "failed", 0)])
def test_a_slow_charge_is_under_way_until_its_end_is_known(dodo, api, code, status, taken):
    dodo.books.slow = True
    dodo.pay(checkout(dodo, api)["session_id"])
    [subscription], [payment] = dodo.books.subscriptions.values(), dodo.books.payments.values()
    assert (subscription["status"], payment["status"], kinds(dodo)) == ("pending", "processing", ["payment.processing"])
    dodo.settle(payment["payment_id"], code=code)
    assert (subscription["status"], dodo.charged(subscription["subscription_id"])) == (status, taken)
    assert f"subscription.{status}" in kinds(dodo)


def test_a_date_that_has_come_renews(dodo, api):
    subscription_id = bought(dodo, api)
    due = stamp(datetime.now(UTC) - timedelta(days=1))
    renewed = api.patch(f"/subscriptions/{subscription_id}", json={"next_billing_date": due}).json()
    assert renewed["previous_billing_date"] == due
    assert kinds(dodo) == ["payment.succeeded", "subscription.renewed", "subscription.updated"]
    later = stamp(datetime.now(UTC) + timedelta(days=3))
    assert (
        api.patch(f"/subscriptions/{subscription_id}", json={"next_billing_date": later}).json()["status"] == "active"
    )
    assert [charge.why for charge in dodo.books.charges] == ["new", "renewal"]


@pytest.mark.parametrize(("days", "status"), [(0, "on_hold"), (7, "past_due")])
def test_a_renewal_that_fails_is_owed_until_another_card_comes(dodo, api, browser, days, status):
    dodo.books.grace_days = days
    subscription_id = bought(dodo, api)
    dodo.set_card(subscription_id, LATER_DECLINED)
    dodo.force_renewal(subscription_id)
    owed = api.get(f"/subscriptions/{subscription_id}").json()
    assert (owed["status"], bool(owed["past_due_ends_at"])) == (status, bool(days))
    assert kinds(dodo) == ["payment.failed", f"subscription.{status}", "subscription.updated"]
    method = {"payment_method": {"type": "new", "return_url": "https://shop.test/"}}
    link = api.post(f"/subscriptions/{subscription_id}/update-payment-method", json=method).json()["payment_link"]
    refused = browser.post(link, data={"action": "decline"})
    assert refused.status_code == 402
    assert "card declined. Try another one." in refused.text
    assert browser.post(link, data={"action": "pay"}).status_code == 303
    assert api.get(f"/subscriptions/{subscription_id}").json()["status"] == "active"
    assert "subscription.active" in kinds(dodo)
    assert dodo.charged(subscription_id) == 5800


def test_a_scheduled_end_comes_at_the_end_and_can_be_undone(dodo, api):
    subscription_id = bought(dodo, api)
    for wanted in (True, False, True):
        said = api.patch(f"/subscriptions/{subscription_id}", json={"cancel_at_next_billing_date": wanted}).json()
        assert (said["status"], said["cancel_at_next_billing_date"]) == ("active", wanted)
        assert kinds(dodo) == ["subscription.plan_changed", "subscription.updated"]
    dodo.force_renewal(subscription_id)
    assert api.get(f"/subscriptions/{subscription_id}").json()["status"] == "cancelled"
    assert len(dodo.books.charges) == 1


def test_what_has_ended_stays_ended(dodo, api):
    subscription_id = bought(dodo, api)
    api.patch(f"/subscriptions/{subscription_id}", json={"status": "cancelled"})
    for form in ({"status": "active"}, {"cancel_at_next_billing_date": False}, {"next_billing_date": "2020-01-01"}):
        assert api.patch(f"/subscriptions/{subscription_id}", json=form).status_code == 409


def test_a_term_runs_out(dodo, api):
    subscription_id = bought(dodo, api, product_id=dodo.add_product(100, term=0))
    dodo.force_renewal(subscription_id)
    assert kinds(dodo) == ["subscription.expired", "subscription.updated"]


def test_a_pause_stands_alone(dodo, api):
    subscription_id = bought(dodo, api)
    path = f"/subscriptions/{subscription_id}"
    assert api.patch(path, json={"status": "paused", "metadata": {}}).status_code == 422
    assert api.patch(path, json={"pause": True}).status_code == 422
    assert api.patch(path, json={"status": "paused"}).json()["status"] == "paused"
    assert api.patch(path, json={"status": "active"}).json()["status"] == "active"


@pytest.mark.parametrize(
    ("mode", "price", "charged", "credited"),
    [
        ("prorated_immediately", 9900, 7000, 0),
        ("full_immediately", 9900, 9900, 0),
        ("difference_immediately", 9900, 7000, 0),
        ("difference_immediately", 900, 0, 2000),
        ("prorated_immediately", 900, 0, 2000),
        ("do_not_bill", 9900, 0, 0),
    ],
)
def test_a_change_of_plan_costs_what_the_preview_says(dodo, api, mode, price, charged, credited):
    subscription_id = bought(dodo, api)
    form = {"product_id": dodo.add_product(price), "quantity": 1, "proration_billing_mode": mode}
    path = f"/subscriptions/{subscription_id}/change-plan"
    summary = api.post(f"{path}/preview", json=form).json()["immediate_charge"]["summary"]
    assert (summary["total_amount"], summary["customer_credits"]) == (charged, credited)
    assert dodo.charged(subscription_id) == 2900
    api.post(path, json=form)
    assert dodo.charged(subscription_id) == 2900 + charged
    assert sum(dodo.books.wallet.values()) == credited
    assert kinds(dodo)[-2:] == ["subscription.plan_changed", "subscription.updated"]


def test_a_scheduled_change_waits_and_admits_no_second(dodo, api):
    subscription_id = bought(dodo, api)
    cheaper, path = dodo.add_product(900), f"/subscriptions/{subscription_id}/change-plan"
    form = {"product_id": cheaper, "quantity": 1, "proration_billing_mode": "prorated_immediately"}
    assert api.post(path, json=form | {"effective_at": "next_billing_date"}).status_code == 200
    assert api.get(f"/subscriptions/{subscription_id}").json()["scheduled_change"]["product_id"] == cheaper
    assert api.post(path, json=form).status_code == 409
    assert api.post(f"{path}/preview", json=form).status_code == 409
    assert api.delete(f"{path}/scheduled").status_code == 204
    assert api.delete(f"{path}/scheduled").status_code == 404
    api.post(path, json=form | {"effective_at": "next_billing_date"})
    dodo.force_renewal(subscription_id)
    assert (dodo.books.subscriptions[subscription_id]["product_id"], dodo.charged(subscription_id)) == (cheaper, 3800)


@pytest.mark.parametrize(
    ("wish", "status", "moved"), [("prevent_change", "active", False), ("apply_change", "on_hold", True)]
)
def test_a_declined_change_does_what_was_wished(dodo, api, wish, status, moved):
    subscription_id = bought(dodo, api)
    dodo.set_card(subscription_id, LATER_DECLINED)
    dearer = dodo.add_product(9900)
    form = {"product_id": dearer, "quantity": 1, "proration_billing_mode": "full_immediately"}
    api.post(f"/subscriptions/{subscription_id}/change-plan", json=form | {"on_payment_failure": wish})
    subscription = dodo.books.subscriptions[subscription_id]
    assert (subscription["status"], subscription["product_id"] == dearer) == (status, moved)
    assert dodo.charged(subscription_id) == 2900


def test_more_than_was_paid_is_not_given_back(dodo, api):
    bought(dodo, api)
    payment_id = dodo.books.charges[0].payment_id
    items = [{"item_id": "pdt_1", "amount": 1000}]
    assert api.post("/refunds", json={"payment_id": payment_id, "items": items}).json()["is_partial"] is True
    too_much = [{"item_id": "pdt_1", "amount": 2000}]
    assert api.post("/refunds", json={"payment_id": payment_id, "items": too_much}).status_code == 422
    assert api.post("/refunds", json={"payment_id": payment_id}).json()["amount"] == 1900
    assert api.post("/refunds", json={"payment_id": payment_id}).json()["code"] == "PAYMENT_ALREADY_REFUNDED"
    assert dodo.books.payments[payment_id]["refund_status"] == "full"


def test_a_refund_may_wait_and_fail(dodo, api):
    bought(dodo, api)
    dodo.books.refunds_are = "pending"
    payment_id = dodo.books.charges[0].payment_id
    refund = api.post("/refunds", json={"payment_id": payment_id}).json()
    assert (refund["status"], kinds(dodo)) == ("pending", [])
    assert api.post("/refunds", json={"payment_id": payment_id}).status_code == 409
    dodo.books.settle_refund(refund["refund_id"], "failed")
    assert (kinds(dodo), dodo.books.payments[payment_id]["refund_status"]) == (["refund.failed"], None)
    dodo.books.refunds_are = "succeeded"
    assert api.post("/refunds", json={"payment_id": payment_id}).json()["status"] == "succeeded"
