"""From a plan on a page to a plan that holds: the checkout, the events, and what the user sees of it."""

import random
from uuid import uuid4

import pytest

from accounts.models import Subscription
from accounts.usage import get_user_plan
from billing.models import BillingEvent, Invoice, Payment
from billing.tests.buying import buy, deliver, plan_id, send, states, subscribe
from billing.tests.stripe_buyer import press, taken

pytestmark = pytest.mark.django_db


def live(user):
    return Subscription.objects.select_related("plan").get(user=user, status__in=Subscription.LIVE)


def test_a_plan_begins_when_its_payment_is_in_and_not_before(api, user, shop):
    opened = subscribe(api)
    assert opened["subscription"]["status"] == "PENDING"
    assert get_user_plan(user).slug == "free"
    press(opened["checkout_url"], "pay")
    assert get_user_plan(user).slug == "free"
    deliver(shop)
    assert get_user_plan(user).slug == "pro"
    assert (live(user).status, live(user).provider) == ("ACTIVE", "stripe")
    assert str(live(user).pk) == opened["subscription"]["id"]
    assert states() <= {"processed", "recorded", "ignored"}


def test_what_was_paid_is_listed_with_its_invoice(api, shop):
    buy(api, shop)
    [payment] = api.get("/api/billing/payments/").json()["results"]
    assert (payment["status"], payment["reason"], payment["amount"]) == (
        "SUCCEEDED",
        "new",
        taken(shop)[0],
    )
    [invoice] = api.get("/api/billing/invoices/").json()["results"]
    pdf = api.get(f"/api/billing/invoices/{invoice['id']}/pdf/")
    assert (pdf.status_code, pdf["Content-Type"], pdf.content[:5]) == (200, "application/pdf", b"%PDF-")


def test_a_card_that_is_declined_leaves_everything_as_it_was(api, user, shop):
    press(subscribe(api)["checkout_url"], "decline")
    deliver(shop)
    assert get_user_plan(user).slug == "free"
    assert not Payment.objects.filter(status="SUCCEEDED").exists()


def test_a_double_click_opens_one_subscription_and_charges_once(api, user, shop):
    first, second = subscribe(api), subscribe(api)
    assert first["subscription"]["id"] == second["subscription"]["id"]
    assert first["checkout_url"] == second["checkout_url"]
    press(first["checkout_url"], "pay")
    press(second["checkout_url"], "pay")
    deliver(shop)
    assert len(taken(shop)) == 1
    assert Payment.objects.count() == 1


def test_who_has_a_paid_plan_is_told_to_change_it(api, shop):
    buy(api, shop)
    answer = api.post("/api/billing/subscribe/", {"plan_id": plan_id("agency")}, format="json")
    assert (answer.status_code, answer.json()["code"]) == (409, "already_subscribed")


def test_copies_and_any_order_end_the_same(api, user, shop):
    for seed in range(5):
        Subscription.objects.filter(user=user).delete()
        press(subscribe(api)["checkout_url"], "pay")
        deliver(shop, chance=random.Random(seed), copies=3)
        assert get_user_plan(user).slug == "pro", seed
    assert Invoice.objects.count() == Payment.objects.count() == 5


def test_an_event_that_nobody_signed_is_refused_and_leaves_nothing(api, shop):
    press(subscribe(api)["checkout_url"], "pay")
    shop.outbox.secrets = ["whsec_other"]
    assert send(shop, shop.outbox.deliveries[0]) == 401
    assert not BillingEvent.objects.exists()


def test_a_cancellation_keeps_what_is_paid_for_and_can_be_undone(api, user, shop):
    buy(api, shop)
    cancelled = api.post("/api/billing/cancel/").json()
    assert (cancelled["status"], cancelled["cancel_at_period_end"], cancelled["plan"]["slug"]) == (
        "CANCELING",
        True,
        "pro",
    )
    resumed = api.post("/api/billing/resume/").json()
    assert (resumed["status"], resumed["cancel_at_period_end"]) == ("ACTIVE", False)


def test_a_dearer_plan_begins_now_and_a_cheaper_one_later(api, user, shop):
    buy(api, shop, "pro")
    preview = api.post("/api/billing/upgrade/preview/", {"plan_id": plan_id("agency")}, format="json").json()
    upgraded = api.post("/api/billing/upgrade/", {"plan_id": plan_id("agency")}, format="json").json()
    assert upgraded["plan"]["slug"] == "agency"
    assert taken(shop)[-1] == preview["amount"]
    later = api.post("/api/billing/upgrade/", {"plan_id": plan_id("pro")}, format="json").json()
    assert (later["plan"]["slug"], later["downgrade_to_plan"]["slug"]) == ("agency", "pro")
    assert api.post("/api/billing/resume/").json()["downgrade_to_plan"] is None


def test_another_users_invoice_is_not_there(api, shop, staff):
    buy(api, shop)
    invoice = Invoice.objects.get()
    Invoice.objects.update(user=staff)
    assert api.get(f"/api/billing/invoices/{invoice.pk}/pdf/").status_code == 404


def test_without_a_paid_plan_there_is_nothing_to_cancel(api):
    for path in ("cancel", "resume", "portal", "payment-methods/update"):
        answer = api.post(f"/api/billing/{path}/")
        assert (answer.status_code, answer.json()["code"]) == (409, "not_paid")


def test_whoever_asks_for_what_cannot_be_is_told_what_can(api, shop):
    def told(path, plan):
        answer = api.post(f"/api/billing/{path}/", {"plan_id": plan}, format="json")
        return answer.status_code, answer.json()["error"]

    assert told("subscribe", str(uuid4())) == (404, "There is no such plan. Plans are listed at /api/accounts/plans/.")
    status, said = told("subscribe", plan_id("free"))
    assert (status, "cancel/" in said) == (400, True)
    assert "subscribe/" in told("upgrade", plan_id("pro"))[1]
    buy(api, shop)
    status, said = told("subscribe", plan_id("agency"))
    assert (status, "upgrade/" in said, "resume/" in said) == (409, True, True)


def test_the_history_shows_what_one_has_had_and_not_what_one_never_paid(api, shop):
    press(subscribe(api, "agency")["checkout_url"], "decline")
    deliver(shop)
    api.post("/api/billing/cancel/")
    assert [row["plan"]["slug"] for row in history(api)] == ["free"]
    buy(api, shop)
    assert [(row["plan"]["slug"], row["status"]) for row in history(api)] == [("pro", "ACTIVE"), ("free", "CANCELLED")]
    plans = api.get("/api/accounts/plans/").json()["results"]
    assert history(api)[0]["plan"] in plans


def history(api):
    return api.get("/api/billing/subscription/history/").json()["results"]


def test_without_a_provider_nothing_is_sold(api):
    answer = api.post("/api/billing/subscribe/", {"plan_id": plan_id("pro")}, format="json")
    assert (answer.status_code, answer.json()["code"]) == (503, "not_configured")


@pytest.mark.parametrize(("path", "word"), [("success", "Thank you"), ("cancel", "Nothing was paid")])
def test_a_browser_lands_on_a_page_and_a_client_on_json(stranger, path, word):
    page = stranger.get(f"/api/billing/subscription/{path}/", headers={"accept": "text/html"})
    assert word in page.content.decode()
    told = stranger.get(f"/api/billing/subscription/{path}/", headers={"accept": "application/json"})
    assert told.json()["title"] == word
