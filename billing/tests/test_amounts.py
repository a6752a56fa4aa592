"""Sums as people write them, and back."""

from decimal import Decimal

import pytest
from django.urls import reverse
from django.utils import timezone

from billing.amounts import in_coins, plain, told
from billing.models import Payment, Refund
from sandbox import coins


@pytest.mark.parametrize(
    ("amount", "currency", "text"),
    [
        (123_450, "USD", "1,234.50 USD"),
        (5, "EUR", "0.05 EUR"),
        (-900, "USD", "-9.00 USD"),
        (1500, "JPY", "1,500 JPY"),
        (1500, "KWD", "1.500 KWD"),
        (500, "UGX", "5.00 UGX"),
        (0, "USD", "0.00 USD"),
        (2**63 - 1, "USD", "92,233,720,368,547,758.07 USD"),
    ],
)
def test_a_sum_is_written_with_the_coins_of_its_currency(amount, currency, text):
    assert told(amount, currency) == text
    assert in_coins(plain(amount, currency), currency) == amount
    if amount < 2**53:
        assert coins.told(amount, currency.lower()) == text


def test_there_is_no_part_of_the_smallest_coin():
    assert in_coins(Decimal("0.001"), "USD") is None
    assert in_coins(Decimal("0.5"), "JPY") is None
    assert in_coins(Decimal("0.001"), "KWD") == 1


@pytest.mark.django_db
def test_the_desk_shows_and_gives_back_whole_yen(desk, user):
    row = {"user": user, "provider": "stripe", "seen_at": timezone.now(), "currency": "JPY"}
    paid = Payment.objects.create(
        **row, provider_id="in_1", amount=3_000, tax=300, reason="new", status="SUCCEEDED", paid_at=timezone.now()
    )
    Refund.objects.create(**row, payment=paid, provider_id="re_1", amount=1_000, status="SUCCEEDED")
    where = reverse("admin:billing_payment_changelist")
    asked = desk.post(where, {"action": "refund", "_selected_action": [str(paid.pk)]}).content.decode()
    assert "2,000 JPY of it can be" in asked
    assert 'value="2000"' in asked
    pages = [where, reverse("admin:billing_payment_change", args=[paid.pk]), "/admin/money/"]
    shown = " ".join(desk.get(page).content.decode() for page in pages)
    assert all(sum_of in shown for sum_of in ("3,000 JPY", "300 JPY", "1,000 JPY"))
    assert ".00 JPY" not in shown
