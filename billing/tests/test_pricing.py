"""Which change of plan is an upgrade: by what a month costs, in one currency, and whatever charges now is one."""

import pytest

from accounts.models import Plan
from accounts.usage import get_user_plan, get_user_subscription
from billing.pricing import begins_now
from billing.tests.stripe_buyer import YEARLY, press

pytestmark = pytest.mark.django_db


def costing(price, interval="month", currency="USD"):
    return Plan(price=price, interval=interval, currency=currency)


@pytest.mark.parametrize(
    ("old", "new", "is_upgrade"),
    [
        (costing(29_000, "year"), costing(9_900), True),
        (costing(9_900), costing(29_000, "year"), False),
        (costing(2_900), costing(34_800, "year"), True),  # the same by the month
        (costing(2_900), costing(34_799, "year"), False),
        (costing(2_900), costing(2_901), True),
    ],
)
def test_what_costs_more_by_the_month_is_dearer(old, new, is_upgrade):
    assert begins_now(new, instead_of=old) is is_upgrade


@pytest.fixture
def yearly(either):
    """Pro is paid for by the year here: 290.00, which is less by the month than Agency at 29.00."""
    product = YEARLY if either.name == "stripe" else either.sandbox.add_product(29_000, interval="Year")
    Plan.objects.filter(slug="pro").update(price=29_000, interval="year", products={either.name: product})
    Plan.objects.filter(slug="agency").update(price=2_900, interval="month")


def test_a_year_that_is_cheaper_by_the_month_is_left_for_a_dearer_month_at_once(api, user, either, yearly):
    either.buy(api, "pro")
    assert either.ask(api, "upgrade/preview", "agency").json()["change"] == "upgrade"
    assert either.ask(api, "upgrade", "agency").json()["plan"]["slug"] == "agency"


def test_a_year_that_is_cheaper_by_the_month_waits_and_charges_nothing_now(api, user, either, yearly):
    either.buy(api, "agency")
    shown = either.ask(api, "upgrade/preview", "pro").json()
    assert (shown["change"], shown["amount"]) == ("downgrade", 0)
    assert either.ask(api, "upgrade", "pro").status_code == 200
    live = get_user_subscription(user)
    assert (live.plan.slug, live.downgrade_to_plan.slug, len(either.charges())) == ("agency", "pro", 1)


@pytest.mark.parametrize("verb", ["upgrade", "upgrade/preview"])
def test_a_plan_in_another_currency_is_refused_and_nothing_is_charged(api, user, either, verb):
    either.buy(api)
    Plan.objects.filter(slug="agency").update(price=3_000, currency="JPY")
    answer = either.ask(api, verb, "agency")
    assert (answer.status_code, answer.json()["code"]) == (409, "other_currency")
    assert answer.json()["details"] == {"currency": "USD", "wanted": "JPY"}
    assert (get_user_plan(user).slug, len(either.charges())) == ("pro", 1)


# Where a browser comes back to


def led_back(either, url):
    if either.name == "stripe":
        return press(url, "back").headers["location"]
    return next(reversed(either.sandbox.books.sessions.values()))["return_url"]


@pytest.mark.parametrize("verb", ["portal", "payment-methods/update"])
def test_a_browser_comes_back_to_where_the_app_lives(api, either, settings, verb):
    settings.APP_URL = "https://app.whyral.test"
    either.buy(api)
    [url] = either.ask(api, verb).json().values()
    assert led_back(either, url) == "https://app.whyral.test"
