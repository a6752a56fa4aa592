"""What came back of a payment and no event told of: refunds and disputes, found by night or when somebody looks."""

from datetime import timedelta

import pytest
from django.utils import timezone
from rest_framework.test import APIClient

from billing import counter, upkeep
from billing.models import Payment, Refund
from billing.providers import PROVIDERS
from billing.providers.contract import Disputed, Provider
from billing.settling import keep_dispute, look_at_dispute, look_at_payment
from billing.tests.buying import subscribe
from billing.tests.post import arrive
from billing.tests.tills import AnyTill, StripeTill

pytestmark = pytest.mark.django_db


@pytest.fixture
def payment(api: APIClient, till: AnyTill) -> Payment:
    till.press(subscribe(api)["checkout_url"], action="pay")
    arrive(till)
    return Payment.objects.get()


@pytest.fixture
def provider(till: AnyTill) -> Provider:
    return PROVIDERS[till.name]()


def hold_refunds(till: AnyTill) -> None:
    """From now on they take a while."""
    if isinstance(till, StripeTill):
        till.sandbox.books.refund_status = "pending"
    else:
        till.sandbox.books.refunds_are = "pending"


def finish_refund(till: AnyTill, refund_id: str) -> None:
    if isinstance(till, StripeTill):
        till.sandbox.books.objects[refund_id]["status"] = "succeeded"
    else:
        till.sandbox.books.settle_refund(refund_id, "succeeded")


def test_money_that_went_back_unheard_is_found_at_night(till, provider, payment):
    provider.refund(payment.provider_id, amount=100, reason="Goodwill", once="unheard")
    till.take()
    upkeep.reconcile()
    payment.refresh_from_db()
    assert (payment.refunded, Refund.objects.get().status) == (100, "SUCCEEDED")


def test_a_dispute_that_was_opened_and_lost_unheard_is_found_at_night(till, provider, payment):
    decide = till.dispute(payment.provider_id)
    upkeep.reconcile()
    payment.refresh_from_db()
    assert payment.disputed == "open"
    decide(False)
    till.take()
    upkeep.reconcile()
    payment.refresh_from_db()
    assert payment.disputed == "lost"


def test_whoever_looks_again_finds_what_went_back_and_what_was_still_on_its_way(till, provider, payment):
    hold_refunds(till)
    refund = provider.refund(payment.provider_id, amount=None, reason="Goodwill", once="unheard")
    assert counter.look_at_payment_again(payment).refunded == 0
    assert Refund.objects.get().status == "PENDING"
    finish_refund(till, refund.id)
    till.take()
    assert counter.look_at_payment_again(payment).refunded == payment.amount
    assert Payment.objects.get().status == "REFUNDED"


def test_where_nothing_came_back_nothing_is_asked_but_the_lists(till, payment):
    till.sandbox.calls.clear()
    upkeep.reconcile()
    assert not [call for call in till.sandbox.calls if call.path.rpartition("/")[2].startswith(("re_", "du_", "ref_"))]


# Disputes in any order


def told(payment: Payment, status: str, name: str = "dp_1") -> Disputed:
    return Disputed(id=name, payment_id=payment.provider_id, status=status, amount=payment.amount, currency="USD")


def test_a_look_that_stalled_does_not_undo_what_a_later_one_found_of_a_dispute(till, payment):
    now = timezone.now()
    keep_dispute(till.name, told(payment, "lost"), now)
    keep_dispute(till.name, told(payment, "open"), now - timedelta(seconds=1))
    assert Payment.objects.get().disputed == "lost"
    keep_dispute(till.name, told(payment, "won"), now + timedelta(seconds=1))
    assert Payment.objects.get().disputed == "won"


def test_of_two_disputes_of_one_payment_the_worse_stands(till, provider, payment):
    first, second = till.dispute(payment.provider_id), till.dispute(payment.provider_id)
    first(False)
    second(True)
    arrive(till, seed=1)
    assert Payment.objects.get().disputed == "lost"
    assert len(Payment.objects.get().disputes) == 2


def test_a_look_at_the_payment_leaves_its_disputes_as_they_are(till, provider, payment):
    till.dispute(payment.provider_id)
    arrive(till)
    look_at_payment(provider, payment.provider_id)
    [dispute_id] = Payment.objects.get().disputes
    assert Payment.objects.get().disputed == "open"
    assert look_at_dispute(provider, dispute_id)
