"""What the sandbox sells on a bare machine goes on sale by itself, and leaves nothing to a real account."""

from datetime import timedelta

import pytest
from django.utils import timezone

from accounts.models import Plan, Subscription
from accounts.usage import get_user_subscription
from billing import services
from billing.models import Checkout, Customer, Payment
from billing.providers.dodo import Dodo
from billing.settling import look_at_payment, look_at_subscription
from billing.stand_in import put_on_sale, take_off_sale
from sandbox.dodo import DodoSandbox
from sandbox.dodo_books import Product


@pytest.fixture
def books(tmp_path):
    return tmp_path / "dodo.json"


@pytest.fixture
def shop(settings, db, books):
    """The sandbox as `make run` starts it, without its webhooks."""
    with DodoSandbox(file=books) as sandbox:
        for name, value in sandbox.settings().items():
            setattr(settings, name, value)
        products = [Product(**each) for each in put_on_sale()]
        sandbox.books.products |= {each.id: each for each in products}
        yield sandbox


def bought(shop, user):
    services.subscribe(user, Plan.objects.get(slug="pro"))
    shop.pay(next(reversed(shop.books.sessions)))
    shop.keep()
    look_at_subscription(Dodo(), next(reversed(shop.books.subscriptions)))
    look_at_payment(Dodo(), next(reversed(shop.books.payments)))
    assert get_user_subscription(user).plan.slug == "pro"


def test_what_is_charged_is_what_the_plan_costs(shop, user):
    Plan.objects.filter(slug="pro").update(price=4900, currency="EUR")
    [pro] = [Product(**each) for each in put_on_sale() if each["name"] == "Pro"]
    shop.books.products[pro.id] = pro
    bought(shop, user)
    [payment] = Payment.objects.all()
    assert (payment.amount, payment.currency) == (4900, "EUR")


def test_nothing_that_is_free_is_sold(shop):
    assert "dodo" not in Plan.objects.get(slug="free").products
    assert set(Plan.objects.filter(price__gt=0).values_list("products__dodo", flat=True)) == {
        "pdt_sandbox_pro", "pdt_sandbox_agency",
    }  # fmt: skip


def test_a_real_name_stays_through_it_all(db, books):
    Plan.objects.filter(slug="pro").update(products={"dodo": "pdt_real", "stripe": "price_real"})
    assert "pdt_real" in {each["id"] for each in put_on_sale()}
    take_off_sale(books)
    assert Plan.objects.get(slug="pro").products == {"dodo": "pdt_real", "stripe": "price_real"}
    assert Plan.objects.get(slug="agency").products == {}


def test_nothing_of_it_is_left_for_a_real_account(shop, user, books):
    bought(shop, user)
    take_off_sale(books)
    assert get_user_subscription(user).plan.slug == "free"
    assert not Customer.objects.exists()
    assert not Checkout.objects.exists()
    assert not Payment.objects.exists()
    assert not books.exists()
    take_off_sale(books)


def test_what_was_bought_elsewhere_is_left_alone(shop, user, books):
    bought(shop, user)
    Subscription.objects.filter(user=user, status="ACTIVE").update(
        provider_id="sub_real", current_period_end=timezone.now() + timedelta(days=9)
    )
    take_off_sale(books)
    assert get_user_subscription(user).provider_id == "sub_real"
