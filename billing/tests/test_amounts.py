"""Sums as people write them, and back."""

from decimal import Decimal

import pytest

from billing.amounts import in_coins, plain, told


@pytest.mark.parametrize(
    ("amount", "currency", "text"),
    [
        (123_450, "USD", "1,234.50 USD"),
        (5, "EUR", "0.05 EUR"),
        (-900, "USD", "-9.00 USD"),
        (1500, "JPY", "1,500 JPY"),
        (1500, "KWD", "1.500 KWD"),
        (0, "USD", "0.00 USD"),
        (2**63 - 1, "USD", "92,233,720,368,547,758.07 USD"),
    ],
)
def test_a_sum_is_written_with_the_coins_of_its_currency(amount, currency, text):
    assert told(amount, currency) == text
    assert in_coins(plain(amount, currency), currency) == amount


def test_there_is_no_part_of_the_smallest_coin():
    assert in_coins(Decimal("0.001"), "USD") is None
    assert in_coins(Decimal("0.5"), "JPY") is None
    assert in_coins(Decimal("0.001"), "KWD") == 1
