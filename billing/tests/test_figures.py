"""The figures about money against rows that were counted by hand; the same numbers are on the desk's page."""

from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.models import Plan, Subscription, User
from billing import figures
from billing.figures import Month, Moved
from billing.models import Payment, Refund

pytestmark = pytest.mark.django_db
NOVEMBER = Month(2026, 11)
START, END = NOVEMBER.start, NOVEMBER.end
A_SECOND = timedelta(seconds=1)
numbers = count()


def somebody() -> User:
    return User.objects.create_user(f"user{next(numbers)}@example.com")


def has(plan: Plan, status: str = "ACTIVE", **fields: Any) -> Subscription:
    """A subscription that a provider is paid for, unless it is said otherwise."""
    given = {"provider": "stripe", "provider_id": f"sub_{next(numbers)}", **fields}
    return Subscription.objects.create(user=somebody(), plan=plan, status=status, **given)


def paid(amount: int, at: datetime, *, currency: str = "USD", status: str = "SUCCEEDED") -> Payment:
    fields = {"amount": amount, "currency": currency, "status": status, "reason": "renewal", "paid_at": at}
    return Payment.objects.create(
        user=None, provider="stripe", provider_id=f"in_{next(numbers)}", seen_at=timezone.now(), **fields
    )


def gave_back(payment: Payment, amount: int, at: datetime, *, status: str = "SUCCEEDED") -> None:
    row = Refund.objects.create(
        payment=payment, provider="stripe", provider_id=f"re_{next(numbers)}", status=status, amount=amount,
        currency=payment.currency, seen_at=timezone.now(),
    )  # fmt: skip
    Refund.objects.filter(pk=row.pk).update(created_at=at)


def a_plan(slug: str, price: int, **fields: Any) -> Plan:
    limits = dict.fromkeys(("max_handles", "max_urls", "max_analyses_per_day", "max_questions_per_day"), 1)
    return Plan.objects.create(slug=slug, name=slug, price=price, **limits, **fields)


# MRR


def test_mrr_is_of_what_is_paid_again_and_by_currency():
    month, year = a_plan("m", 2900), a_plan("y", 29_000, interval="year")
    euro = a_plan("e", 1900, currency="EUR")
    for _ in range(3):
        has(month)
    has(year), has(euro)
    for status in ("TRIAL", "PAST_DUE", "CANCELING", "CANCELLED", "EXPIRED", "PENDING"):
        has(month, status)
    found = figures.by_plan()
    # 3 x 29.00 and 290.00 / 12 = 24.17, rounded once.
    assert figures.in_a_month(found) == {"USD": 8700 + 2417, "EUR": 1900}
    assert figures.in_a_month(found, "CANCELING") == {"USD": 2900}
    [counts] = [each.counts for each in found if each.plan == month]
    assert counts == {"ACTIVE": 3, "TRIAL": 1, "PAST_DUE": 1, "CANCELING": 1}


def test_many_years_are_rounded_once():
    year = a_plan("y", 1000, interval="year")
    for _ in range(7):
        has(year)
    assert figures.in_a_month(figures.by_plan()) == {"USD": 583}  # 70.00 / 12 = 5.83


def test_what_nobody_pays_for_is_no_income(user):
    plan = a_plan("m", 2900)
    has(plan, provider="", provider_id=None, current_period_end=timezone.now() + timedelta(days=9))
    assert figures.by_plan() == []
    assert figures.in_a_month([]) == {}


# Churn


def test_churn_is_of_those_who_were_there_at_the_start():
    plan = a_plan("m", 2900)
    old = START - timedelta(days=40)
    has(plan, paid_since=old)
    has(plan, paid_since=START - A_SECOND)
    has(plan, "CANCELLED", paid_since=old, ended_at=START)  # the month's first moment
    has(plan, "EXPIRED", paid_since=old, ended_at=END - A_SECOND)
    has(plan, "CANCELLED", paid_since=old, ended_at=END)  # the next month's
    has(plan, "CANCELLED", paid_since=old, ended_at=START - A_SECOND)  # gone before
    has(plan, paid_since=START)  # came within it
    has(plan, "CANCELLED", paid_since=START, ended_at=END - A_SECOND)  # came and went
    has(plan, "TRIAL")
    has(plan, "CANCELLED", ended_at=START)  # never was paid for
    has(plan, provider="", provider_id=None)
    assert figures.churn(NOVEMBER) == (2, 5)


def test_without_anybody_there_is_no_churn():
    assert figures.churn(NOVEMBER) == (0, 0)


# What moved


def test_what_came_in_less_what_went_back_within_the_month():
    inside = paid(2900, START)
    paid(2900, END - A_SECOND, status="REFUNDED")
    before = paid(9900, START - A_SECOND)
    paid(9900, END)
    paid(9900, START, status="FAILED")
    gave_back(inside, 1000, START)
    gave_back(before, 500, END - A_SECOND)  # of an earlier month's payment
    gave_back(inside, 100, END)
    gave_back(inside, 100, START - A_SECOND)
    gave_back(inside, 100, START, status="PENDING")
    gave_back(inside, 100, START, status="FAILED")
    found = figures.moved(NOVEMBER)
    assert found == {"USD": Moved(paid=5800, refunded=1500)}
    assert found["USD"].net == 4300


def test_currencies_are_never_added_up():
    paid(2900, START)
    gave_back(paid(500, START - timedelta(days=9), currency="JPY"), 500, START)
    assert figures.moved(NOVEMBER) == {"JPY": Moved(refunded=500), "USD": Moved(paid=2900)}


@pytest.mark.parametrize("zone", ["Pacific/Auckland", "America/Los_Angeles"])
def test_a_month_begins_and_ends_in_utc_whoever_asks(zone):
    with timezone.override(zone):
        paid(2900, datetime(2026, 10, 31, 23, 59, 59, tzinfo=UTC))
        paid(100, datetime(2026, 11, 1, tzinfo=UTC))
        assert figures.moved(NOVEMBER) == {"USD": Moved(paid=100)}
        assert Month.of(datetime(2026, 11, 30, 23, 59, tzinfo=UTC).astimezone()) == NOVEMBER


def test_a_payment_that_failed_is_counted_until_it_is_paid():
    failed, later, other = (paid(2900, START, status="FAILED") for _ in range(3))
    Payment.objects.update(created_at=START, paid_at=None)
    Payment.objects.filter(pk=other.pk).update(created_at=END)
    Payment.objects.filter(pk=later.pk).update(status="SUCCEEDED")
    assert [*figures.failed_payments(NOVEMBER)] == [failed]


def test_months_are_read_and_written():
    assert (str(NOVEMBER), Month.named("2026-11")) == ("2026-11", NOVEMBER)
    assert (Month(2026, 1).before, Month(2026, 12).after) == (Month(2025, 12), Month(2027, 1))
    assert [Month.named(text) for text in ("", "2026", "2026-13", "2026-11-01", "9999-12", "x")] == [None] * 6


# How they are read


def test_no_figure_reads_a_whole_table():
    """With scans forbidden the planner has an index for each, or the plan shows the scan."""
    with CaptureQueriesContext(connection) as seen:
        figures.by_plan()
        figures.churn(NOVEMBER)
        figures.moved(NOVEMBER)
        figures.failed_payments(NOVEMBER).count()
        figures.failed_refunds(NOVEMBER).count()
    asked = [query["sql"] for query in seen if "accounts_plan" not in query["sql"]]
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
        for sql in asked:
            cursor.execute(f"EXPLAIN {sql}")
            plan = "\n".join(line for (line,) in cursor.fetchall())
            assert "Seq Scan" not in plan, plan
            # Of an index's whole length only those may be read that hold nothing but what is asked for.
            assert "Index Cond" in plan or "subscriptions_paid" in plan, plan
    assert len(asked) == 8
