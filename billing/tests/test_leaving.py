"""Somebody who pays is erased: nobody charges them any more, whatever it takes, and the books stay without them."""

import pytest
from django.db.models.functions import Now

from accounts.models import Subscription, User
from accounts.services import ERASURE_REST, erase, try_to_erase, waiting_erasures
from billing.leaving import leave
from billing.models import BillingEvent, Checkout, Customer, Invoice, Payment, PaymentMethod, Refund
from billing.providers.contract import Standing
from core.errors import NotConfigured, Unavailable, VendorProblem

pytestmark = pytest.mark.django_db
ME = "/api/accounts/me/"


@pytest.fixture
def bought(api, either):
    either.buy(api)
    return Subscription.objects.get(provider=either.name)


def standing(either, subscription_id):
    return either.provider.subscription(subscription_id).standing


def test_who_leaves_is_charged_no_more_and_the_books_stay(api, user, either, bought):
    assert api.delete(ME).status_code == 202
    erase(str(user.pk))
    assert standing(either, bought.provider_id) is Standing.ENDED
    for model in (User, Subscription, Customer, PaymentMethod, Checkout):
        assert not model.objects.exists(), model
    payment = Payment.objects.get()
    assert (payment.user, payment.subscription, payment.amount, payment.status) == (None, None, 900, "SUCCEEDED")
    assert Invoice.objects.get(user=None).amount == 900


def test_what_comes_later_about_somebody_erased_is_dealt_with(api, user, either, bought):
    api.delete(ME)
    erase(str(user.pk))
    payment = Payment.objects.get()
    either.provider.refund(payment.provider_id, amount=None, reason="", once="late")
    either.deliver()
    assert {*BillingEvent.objects.values_list("state", flat=True)} <= {"processed", "recorded", "ignored"}
    assert Refund.objects.get(user=None).amount == 900
    assert not Customer.objects.exists()


@pytest.mark.parametrize("what", ["look", "end"])
def test_while_the_provider_is_away_the_erasure_waits_and_then_comes(api, user, either, bought, what):
    either.fail(what, status=503, times=50)
    api.delete(ME)
    assert waiting_erasures() == [str(user.pk)]
    assert not try_to_erase(str(user.pk))
    assert waiting_erasures() == []
    assert api.get(ME).status_code == 401
    either.sandbox.reset()
    User.objects.update(erasure_tried_at=Now() - ERASURE_REST)
    for user_id in waiting_erasures():
        assert try_to_erase(user_id)
    assert standing(either, bought.provider_id) is Standing.ENDED
    assert not User.objects.exists()


def test_an_answer_that_was_lost_leaves_nothing_running(api, user, either, bought):
    either.lose("end")
    api.delete(ME)
    for _ in range(3):
        try:
            erase(str(user.pk))
        except VendorProblem:
            continue
    assert standing(either, bought.provider_id) is Standing.ENDED
    assert not User.objects.exists()


def test_one_that_has_ended_before_is_left_alone(api, user, either, bought):
    either.provider.cancel(bought.provider_id, now=True)
    calls = either.sandbox.count(either.operations["end"])
    api.delete(ME)
    erase(str(user.pk))
    assert either.sandbox.count(either.operations["end"]) == calls
    assert not User.objects.exists()


def test_a_page_to_pay_on_is_closed_or_waited_for(api, user, either):
    url = either.open(api)
    api.delete(ME)
    if either.name == "dodo":  # it closes none before its time
        with pytest.raises(Unavailable):
            erase(str(user.pk))
        either.expire(url)
        Checkout.objects.update(expires_at="2026-01-01T00:00Z")
    erase(str(user.pk))
    assert not User.objects.exists()
    either.pay(url)
    assert either.charges() == []


def test_what_was_paid_unseen_is_ended_as_well(api, user, either):
    either.pay(either.open(api))
    assert not Subscription.objects.filter(provider_id__isnull=False).exists()
    api.delete(ME)
    erase(str(user.pk))
    either.deliver()
    books = either.sandbox.books
    rows = books.all("subscription") if either.name == "stripe" else books.subscriptions.values()
    assert [row["status"] for row in rows] in (["canceled"], ["cancelled"])


def test_a_provider_without_its_keys_is_not_passed_over(api, user, either, bought, settings):
    keys = settings.STRIPE_SECRET_KEY, settings.DODO_API_KEY
    settings.STRIPE_SECRET_KEY = settings.DODO_API_KEY = ""
    api.delete(ME)
    with pytest.raises(NotConfigured):
        erase(str(user.pk))
    settings.STRIPE_SECRET_KEY, settings.DODO_API_KEY = keys
    erase(str(user.pk))
    assert not User.objects.exists()


def test_what_was_said_of_them_is_forgotten(api, user, either, bought):
    assert BillingEvent.objects.exclude(body=b"").exists()
    api.delete(ME)
    erase(str(user.pk))
    said = b"".join(bytes(body) for body in BillingEvent.objects.values_list("body", flat=True))
    assert user.email.encode() not in said
    assert BillingEvent.objects.filter(body=b"", about__has_key="subscriptions").exists()


def said_of_anybody():
    return [event.type for event in BillingEvent.objects.exclude(body=b"")]


def test_what_is_said_of_them_afterwards_is_not_kept(api, user, either, bought):
    """That they were cancelled, by the erasure itself: before their account is gone, and after."""
    api.delete(ME)
    leave(user)
    either.deliver()
    assert said_of_anybody() == []
    erase(str(user.pk))
    either.provider.refund(Payment.objects.get().provider_id, amount=None, reason="", once="late")
    either.deliver()
    assert BillingEvent.objects.filter(about__has_key="refunds").exists()
    assert said_of_anybody() == []


def test_what_was_said_of_a_dispute_is_forgotten(api, user, either, bought):
    either.dispute(Payment.objects.get().provider_id)
    either.deliver()
    assert BillingEvent.objects.exclude(body=b"").filter(about__has_key="disputes").exists()
    api.delete(ME)
    erase(str(user.pk))
    assert said_of_anybody() == []


def test_what_could_be_found_by_nobody_is_not_kept(api, user, either, bought):
    """Of each delivery that is kept, somebody here is named."""
    known = {*Payment.objects.values_list("provider_id", flat=True), bought.provider_id}
    known |= {*Customer.objects.values_list("customer_id", flat=True)}
    for event in BillingEvent.objects.exclude(body=b""):
        assert event.state == "processed"
        assert known & {name for names in event.about.values() for name in names}
    assert said_of_anybody()


def test_an_export_has_all_that_was_paid(api, user, either, bought):
    payment = Payment.objects.get()
    either.provider.refund(payment.provider_id, amount=400, reason="Part", once="part")
    either.deliver()
    document = api.get("/api/accounts/me/export/").json()
    assert [row["amount"] for row in document["payments"]] == [900]
    assert [row["amount"] for row in document["invoices"]] == [900]
    assert [(row["amount"], row["partial"]) for row in document["refunds"]] == [(400, True)]
    assert [row["last4"] for row in document["payment_methods"]] == ["4242"]
    assert [row["provider"] for row in document["customers"]] == [either.name]
    assert {(row["plan__slug"], row["provider"]) for row in document["subscriptions"]} == {
        ("free", ""), ("pro", either.name),
    }  # fmt: skip
