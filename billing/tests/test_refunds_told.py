"""Refunds that need somebody: those that failed after they had been promised, and those in another currency."""

import pytest
from django.utils import timezone

from billing import counter, figures
from billing.models import Payment, Refund
from billing.providers.contract import Refunded
from billing.settling import keep_refund
from billing.tests.shops import CHEAP

pytestmark = pytest.mark.django_db


@pytest.fixture
def payment(api, either):
    either.buy(api)
    return Payment.objects.get()


def gone_back(payment, amount, *, partial, currency="INR", status="succeeded"):
    found = Refunded(
        id="re_1", payment_id=payment.provider_id, status=status, amount=amount, currency=currency, partial=partial
    )
    keep_refund(payment.provider, found, timezone.now())
    payment.refresh_from_db()


def said(caplog, event):
    return [record.levelname for record in caplog.records if event in record.getMessage()]


def test_a_refund_that_fails_later_is_said_once_and_counted(payment, either, caplog):
    refund = counter.refund(payment, amount=CHEAP, reason="", seen=0)
    either.deliver()
    assert said(caplog, "refund_failed") == []
    either.fail_refund(refund.provider_id)
    either.deliver()
    counter.look_at_payment_again(payment)
    assert said(caplog, "refund_failed") == ["ERROR"]
    assert [*figures.failed_refunds(figures.Month.now())] == [Refund.objects.get()]


def test_a_part_in_another_currency_is_not_taken_for_the_payments_and_is_said(payment, caplog):
    gone_back(payment, CHEAP, partial=True)
    assert (payment.status, payment.refunded, payment.asked_back()) == ("SUCCEEDED", 0, 0)
    gone_back(payment, CHEAP, partial=True)
    assert said(caplog, "refund_in_another_currency") == ["ERROR"]


def test_all_of_it_in_another_currency_is_all_of_it(payment, caplog):
    gone_back(payment, 75_000, partial=False, status="pending")
    assert (payment.status, payment.refunded, payment.asked_back()) == ("SUCCEEDED", 0, CHEAP)
    gone_back(payment, 75_000, partial=False)
    assert (payment.status, payment.refunded, counter.left_of(payment)) == ("REFUNDED", CHEAP, 0)
    assert said(caplog, "refund_in_another_currency") == []
