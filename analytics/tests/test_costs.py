"""What a call cost is computed at the price of its day, and again when a price is mended."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.core.management import call_command
from django.db import IntegrityError, connection, transaction

from analytics.models import ExternalAPICallLog, VendorPrice, VendorRollup
from analytics.tests.test_rollups import contents, keep_calls

pytestmark = pytest.mark.django_db
LONG_AGO, NEW_YEAR = datetime(2020, 1, 1, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC)
DAY = datetime(2026, 11, 20, 12, tzinfo=UTC)


def price(micros: int, **fields: Any) -> VendorPrice:
    """So many micro-dollars for a single unit."""
    given = {"vendor": "acme", "unit": "input_tokens", "valid_from": LONG_AGO, **fields}
    return VendorPrice.objects.create(micros_per_million=micros * 1_000_000, **given)


def cost(units: Any, *, operation: str = "posts", model: str = "m-1", at: datetime = DAY) -> Any:
    with connection.cursor() as cursor:
        cursor.execute("SELECT vendor_cost('acme', %s, %s, %s::jsonb, %s)", [operation, model, json.dumps(units), at])
        return cursor.fetchone()[0]


def test_every_kind_of_unit_has_a_price_of_its_own():
    price(4)
    price(1, unit="cached_input_tokens")
    price(9, unit="output_tokens")
    assert cost({"input_tokens": 10, "cached_input_tokens": 5, "output_tokens": 2}) == 40 + 5 + 18
    assert cost({"input_tokens": 10, "output_tokens": 0}) == 40


def test_what_has_no_price_makes_the_cost_unknown_and_nothing_costs_nothing():
    price(4)
    assert cost({"input_tokens": 1, "images": 1}) is None
    assert cost({"input_tokens": "many"}) is None
    assert cost(["input_tokens"]) is None
    assert cost({"input_tokens": 1, "images": 0}) == 4
    assert cost({}) == 0


def test_the_price_of_its_day_counts():
    price(4, valid_until=NEW_YEAR)
    price(8, valid_from=NEW_YEAR)
    moment = timedelta(microseconds=1)
    assert [cost({"input_tokens": 1}, at=at) for at in (NEW_YEAR - moment, NEW_YEAR)] == [4, 8]
    assert cost({"input_tokens": 1}, at=LONG_AGO - moment) is None


def test_the_most_particular_price_counts():
    price(1)
    price(2, operation="posts")
    price(3, model="m-1")
    units = {"input_tokens": 1}
    assert [cost(units, operation=operation, model="") for operation in ("media", "posts")] == [1, 2]
    assert cost(units, operation="posts", model="m-1") == 3


def test_a_tier_counts_above_its_threshold_and_for_all_that_the_call_used():
    for unit, low, high in (("input_tokens", 1, 2), ("output_tokens", 10, 20), ("cached_input_tokens", 0, 0)):
        price(low, unit=unit)
        price(high, unit=unit, tier_unit="input_tokens", tier_from=200)
    assert cost({"input_tokens": 200, "output_tokens": 1}) == 210
    assert cost({"input_tokens": 201, "output_tokens": 1}) == 402 + 20
    assert cost({"input_tokens": 100, "cached_input_tokens": 101, "output_tokens": 1}) == 200 + 20


def test_a_part_of_a_micro_dollar_is_rounded_at_the_end():
    VendorPrice.objects.create(vendor="acme", unit="a", micros_per_million=400_000, valid_from=LONG_AGO)
    VendorPrice.objects.create(vendor="acme", unit="b", micros_per_million=400_000, valid_from=LONG_AGO)
    assert [cost({"a": 1}), cost({"a": 1, "b": 1})] == [0, 1]


def test_two_prices_for_one_moment_are_refused():
    price(4, valid_until=NEW_YEAR)
    price(4, valid_from=NEW_YEAR)
    price(4, unit="output_tokens")
    price(4, tier_unit="input_tokens", tier_from=200)
    with pytest.raises(IntegrityError, match="one_price_at_a_time"), transaction.atomic():
        price(5, valid_from=DAY, valid_until=DAY + timedelta(days=1))
    double = VendorPrice(vendor="acme", unit="input_tokens", micros_per_million=5, valid_from=DAY)
    with pytest.raises(ValidationError, match="There is a price for this time already"):
        double.full_clean()
    VendorPrice(vendor="acme", unit="images", micros_per_million=5, valid_from=DAY).full_clean()


def test_the_list_prices_are_there():
    VendorPrice.objects.exclude(vendor="gemini").delete()
    prices = VendorPrice.objects.filter(model="gemini-3.8-flash", unit="input_tokens").values_list("micros_per_million")
    assert sorted(prices) == [(750_000,), (1_500_000,)]


def test_costs_are_computed_again_when_a_price_comes_late():
    call = ("posts", "m-1", "ok", 5, '{"input_tokens": 3}', None, None)
    keep_calls((DAY, "acme", *call), (DAY, "other", *call), (DAY - timedelta(days=1), "acme", *call))
    price(4)
    price(7, vendor="other")
    call_command("recompute_costs", "--since=2026-11-20", "--until=2026-11-20", "--vendor=acme")
    costs = ExternalAPICallLog.objects.order_by("created_at", "vendor").values_list("cost_micros", flat=True)
    assert list(costs) == [None, 12, None]
    call_command("recompute_costs", "--since=2026-11-19", "--until=2026-11-20")
    assert list(costs.all()) == [12, 12, 21]
    for period in ("hour", "day", "total"):
        counted = VendorRollup.objects.filter(period=period).values_list("cost_micros", "unpriced")
        assert [sum(column) for column in zip(*counted, strict=True)] == [45, 0]
    kept = contents()
    call_command("rebuild_rollups", "--since=2026-11-01")
    assert contents() == kept
