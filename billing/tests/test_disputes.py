"""What a dispute takes: it is given back by nobody else, counted as lost, and ends no more than it took."""

from importlib import import_module

import pytest
from django.contrib.admin.models import LogEntry
from django.db import connection
from django.utils import timezone

from accounts.usage import get_user_plan
from billing import counter, figures
from billing.aftermath import follow_dispute
from billing.models import Payment, Refund
from billing.news import look_and_tell
from billing.providers.contract import Disputed
from billing.settling import keep_dispute
from billing.tests.shops import CHEAP
from billing.tests.test_buying_twice import letters, pay_twice, surplus
from billing.tests.test_desk_money import act, give_back, said

pytestmark = pytest.mark.django_db


@pytest.fixture
def payment(api, either):
    either.buy(api)
    return Payment.objects.get()


def disputed(either, payment, how=None):
    close = either.dispute(payment.provider_id)
    either.deliver()
    if how:
        close(how)
        either.deliver()
    payment.refresh_from_db()


def lost(payment, amount, currency="USD", name="dp_1"):
    found = Disputed(id=name, payment_id=payment.provider_id, status="lost", amount=amount, currency=currency)
    return keep_dispute(payment.provider, found, timezone.now())


@pytest.mark.parametrize(("how", "left"), [(None, 0), ("lost", 0), ("won", CHEAP)])
def test_what_is_in_dispute_or_lost_is_not_given_back_as_well(payment, either, how, left):
    disputed(either, payment, how)
    assert counter.left_of(payment) == left
    if not left:
        with pytest.raises(counter.InDispute):
            counter.refund(payment, amount=CHEAP, reason="", seen=0)
        assert either.refunds() == []


def test_the_desk_says_why_and_asks_for_no_amount(desk, payment, either):
    disputed(either, payment, "lost")
    assert "Its bank holds this money, or has taken it" in said(act(desk, "refund", payment))
    assert "(dispute: lost)" in said(give_back(desk, payment))
    assert not LogEntry.objects.filter(object_id=str(payment.pk)).exists()


def test_what_is_lost_is_not_counted_as_come_in_and_what_is_won_is(payment, either):
    disputed(either, payment, "lost")
    moved = figures.moved(figures.Month.now())["USD"]
    assert (moved.paid, moved.lost, moved.net) == (CHEAP, CHEAP, 0)
    [dispute_id] = payment.disputes
    won = Disputed(id=dispute_id, payment_id=payment.provider_id, status="won", amount=CHEAP, currency="USD")
    keep_dispute(either.name, won, timezone.now())
    assert figures.moved(figures.Month.now())["USD"].net == CHEAP
    payment.refresh_from_db()
    assert (payment.lost, payment.lost_at) == (0, None)


def test_a_dispute_about_a_part_loses_that_part_and_ends_nothing(user, payment, either, settings):
    settings.ACCESS_AFTER_REFUND = "end"
    follow_dispute(either.provider, lost(payment, 300))
    assert figures.moved(figures.Month.now())["USD"].net == CHEAP - 300
    assert get_user_plan(user).slug == "pro"
    follow_dispute(either.provider, lost(payment, 600, name="dp_2"))
    assert get_user_plan(user).slug == "free"


def test_what_is_lost_in_another_currency_is_taken_for_all_of_it(payment):
    assert lost(payment, 75_000, "INR").lost == CHEAP


def test_what_was_paid_twice_and_is_lost_in_a_dispute_does_not_go_back_once_more(api, either):
    pay_twice(api, either)
    either.fail("refund", status=503, times=-1)
    either.deliver()
    either.sandbox.reset()
    twice = Payment.objects.get(subscription=surplus())
    close = either.dispute(twice.provider_id)
    either.take()
    lost(twice, twice.amount)
    close("lost")
    Payment.objects.update(refunding_until=None)
    look_and_tell(either.provider, surplus().provider_id)
    assert (either.refunds(), Refund.objects.count(), letters()) == ([], 0, 1)
    assert surplus().returned_at


def test_what_was_lost_before_it_was_counted_is_filled_in(payment):
    before = {"dp_1": ["lost", "2026-11-02T10:00:00+00:00"], "dp_2": ["won", "2026-11-03T10:00:00+00:00"]}
    Payment.objects.update(disputes=before, disputed="lost")
    with connection.cursor() as cursor:
        cursor.execute(import_module("billing.migrations.0009_what_was_lost_before").FILL)
    payment.refresh_from_db()
    assert [amount for *_, amount in payment.disputes.values()] == [CHEAP, 0]
    assert (payment.lost, payment.lost_at.isoformat()) == (CHEAP, "2026-11-02T10:00:00+00:00")
