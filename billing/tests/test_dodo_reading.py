"""What Dodo says is read field by field: nothing odd gets further than an answer that cannot be read."""

import copy
import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given
from hypothesis import settings as examples
from hypothesis import strategies as st

from billing.providers.contract import Charged, Disputed, Refunded, Standing, Subscribed
from billing.providers.dodo import reading
from core.errors import VendorAnswerInvalid
from sandbox.dodo_books import SHAPES

JUNK: st.SearchStrategy[Any] = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=30) | st.just(10**30) | st.just([])
    | st.just("2026-13-45T99:00:00Z") | st.just("9999-12-31T23:59:59-23:00") | st.lists(st.none(), max_size=2)
)  # fmt: skip
CUSTOMER: dict[str, Any] = {"customer_id": "cus_1", "email": "ana@example.com", "metadata": {}, "name": "Ana"}
NOW = "2026-11-02T10:15:31.004512Z"
TRUE: dict[str, tuple[Callable[[object], Any], type, dict[str, Any]]] = {
    "subscription": (
        reading.subscribed,
        Subscribed,
        {"subscription_id": "sub_1", "product_id": "pdt_1", "status": "active", "previous_billing_date": NOW}
        | {"next_billing_date": NOW, "created_at": NOW, "scheduled_change": {"product_id": "pdt_2"}},
    ),
    "payment": (reading.charged, Charged, {"payment_id": "pay_1", "total_amount": 5, "created_at": NOW, "tax": 1}),
    "refund": (reading.refunded, Refunded, {"refund_id": "ref_1", "payment_id": "pay_1", "created_at": NOW}),
    "dispute": (reading.disputed, Disputed, {"dispute_id": "dp_1", "payment_id": "pay_1", "created_at": NOW}),
}


def told(kind: str) -> dict[str, Any]:
    return dict(copy.deepcopy(SHAPES[kind]), **copy.deepcopy(TRUE[kind][2]), customer=dict(CUSTOMER))


@pytest.mark.parametrize("kind", TRUE)
def test_what_is_as_it_should_be_is_read(kind):
    read, shape, _ = TRUE[kind]
    assert isinstance(read(told(kind)), shape)


@pytest.mark.parametrize("kind", TRUE)
def test_odd_fields_are_read_or_refused_in_our_words(kind):
    read, shape, _ = TRUE[kind]

    @given(st.dictionaries(st.sampled_from(sorted(told(kind))), JUNK, min_size=1, max_size=3))
    @examples(deadline=None, suppress_health_check=[HealthCheck.too_slow])
    @example({"status": "active", "next_billing_date": None})
    @example({"created_at": "0001-01-01T00:00:00+23:00"})
    @example({"trial_period_days": 10_000, "created_at": "9999-12-31T00:00:00Z"})
    def check(odd: dict[str, Any]) -> None:
        try:
            found = read(told(kind) | odd)
        except VendorAnswerInvalid:
            return
        assert isinstance(found, shape)
        json.dumps(str(found)).encode()

    check()


@pytest.mark.parametrize("kind", TRUE)
def test_a_field_that_must_be_there_must_be_there(kind):
    read, _, _ = TRUE[kind]
    needed = {"subscription": {"subscription_id", "product_id", "status", "customer", "next_billing_date"}}
    needed |= {"payment": {"payment_id", "total_amount", "currency", "customer"}}
    needed |= {"refund": {"refund_id", "payment_id", "amount", "currency", "status"}}
    needed |= {"dispute": {"dispute_id", "payment_id", "amount", "currency", "dispute_status"}}
    refused = set()
    for name in told(kind):
        try:
            read({key: value for key, value in told(kind).items() if key != name})
        except VendorAnswerInvalid:
            refused.add(name)
    assert refused == needed[kind]


@pytest.mark.parametrize("amount", ["29.50", "", "many", None, 2900, True, "1e3", "٣"])
def test_an_amount_of_a_dispute_is_whole_and_a_text(amount):
    with pytest.raises(VendorAnswerInvalid):
        reading.disputed(told("dispute") | {"amount": amount})


@pytest.mark.parametrize("amount", ["2900", 29.0, True, None, 10**19])
def test_an_amount_of_a_payment_is_whole_and_a_number(amount):
    with pytest.raises(VendorAnswerInvalid):
        reading.charged(told("payment") | {"total_amount": amount})


def test_standings_cover_every_status_there_is():
    statuses = {"pending", "active", "past_due", "on_hold", "paused", "cancelled", "failed", "expired"}
    assert set(reading.STANDINGS) == statuses
    assert set(reading.STANDINGS.values()) == set(Standing) - {Standing.TRIAL}
