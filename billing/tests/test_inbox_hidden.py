"""What a provider tells of before it shows it is looked for again, some minutes long; then it is believed."""

import json

import pytest
from django.db.models.functions import Now

from accounts.usage import get_user_plan
from billing import inbox
from billing.models import BillingEvent, Payment
from billing.settling import look_at_payment
from billing.tests.buying import states, work

pytestmark = pytest.mark.django_db
OVER = {"processed", "recorded", "ignored"}
NONE = {
    "stripe": {"error": {"code": "resource_missing", "type": "invalid_request_error"}},
    "dodo": {"code": "NOT_FOUND", "message": "There is none."},
}
LOOKS = {"stripe": ("subscriptions.get", "invoices.get"), "dodo": ("subscriptions.retrieve", "payments.retrieve")}


def hide(either) -> None:
    for operation in LOOKS[either.name]:
        either.sandbox.fail(operation, times=-1, status=404, body=json.dumps(NONE[either.name]).encode())


def told(api, either) -> None:
    either.pay(either.open(api))
    for event in either.take():
        assert either.send(event) == 200


def wait_and_work() -> None:
    BillingEvent.objects.filter(state="received").update(run_after=Now())
    work()


def test_a_purchase_that_is_told_before_it_is_shown_is_given_when_it_is(api, user, either):
    told(api, either)
    hide(either)
    work()
    assert "not_shown_yet" in BillingEvent.objects.filter(state="received").values_list("error", flat=True)[0]
    assert get_user_plan(user).slug == "free"
    either.sandbox.reset()
    wait_and_work()
    assert (states() <= OVER, get_user_plan(user).slug) == (True, "pro")
    assert Payment.objects.get().subscription


def test_what_is_never_shown_is_believed_not_to_be_there(api, user, either):
    told(api, either)
    hide(either)
    for _ in range(inbox.INSISTS):
        wait_and_work()
        assert "received" in states()
    wait_and_work()
    assert states() <= OVER
    assert get_user_plan(user).slug == "free"


def test_a_payment_that_came_before_its_subscription_began_is_its_own_when_it_has(api, user, either):
    if either.name != "dodo":
        return
    books = either.sandbox.books
    books.slow = True
    either.pay(either.open(api))
    either.take()
    [[payment_id, paid]], [subscription] = books.payments.items(), books.subscriptions.values()
    books.settle(paid, None)
    [event] = either.take()
    assert either.send(event) == 200
    work()
    assert (Payment.objects.get().status, Payment.objects.get().subscription) == ("SUCCEEDED", None)
    books.payments[payment_id]["status"] = "requires_confirmation"
    either.sandbox.settle(payment_id)
    either.take()
    wait_and_work()
    assert (subscription["status"], get_user_plan(user).slug) == ("active", "pro")
    assert Payment.objects.get().subscription.plan.slug == "pro"


def test_a_payment_that_waits_for_somebody_is_pending(api, user, either):
    either.buy(api)
    if either.name == "stripe":
        sold = Payment.objects.get().subscription
        payment_id = either.sandbox.books.renew(sold.provider_id, stays="draft")["id"]
    else:
        [payment_id] = either.sandbox.books.payments
        either.sandbox.books.payments[payment_id]["status"] = "requires_customer_action"
    assert look_at_payment(either.provider, payment_id).status == "PENDING"
