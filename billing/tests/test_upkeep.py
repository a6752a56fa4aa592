"""What time takes from nobody who pays, and whom it has charged no more; and rounds over many, at a pace."""

from datetime import timedelta

import pytest
from django.utils import timezone

from accounts.models import OutgoingMail, Plan, Subscription, User
from billing import upkeep
from billing.models import Customer, Payment
from billing.providers import PROVIDERS
from billing.settling import look_at_subscription
from billing.tests.buying import plan_id, status_of, subscribe
from billing.tests.post import arrive, move_rows, pass_days
from billing.tests.tills import AnyTill

pytestmark = pytest.mark.django_db


def rename(till: AnyTill, *products: str) -> None:
    named = products[0] if len(products) == 1 else [*products]
    Plan.objects.filter(slug="pro").update(products={till.name: named})


def product_of(till: AnyTill) -> str:
    return next(product for product, slug in till.plans.items() if slug == "pro")


def owe_and_lapse(till: AnyTill) -> None:
    till.set_card(works=False)
    pass_days(till, 30)
    arrive(till)
    pass_days(till, 7)
    till.take()


# A new price


def test_whoever_bought_at_an_old_price_keeps_the_plan_and_its_renewals_are_booked(user, till, bought):
    rename(till, "made_dearer", product_of(till))
    pass_days(till, 30)
    arrive(till)
    move_rows(7)
    assert upkeep.end_all_lapsed() == 0
    assert status_of(user) == ("pro", "ACTIVE")
    assert {row.provider_id for row in Payment.objects.filter(status="SUCCEEDED")} == {*till.payments(bought)}


def test_a_plan_is_sold_under_the_first_of_its_names(api, user, till):
    rename(till, till.offer("pro", 4900), product_of(till))
    till.press(subscribe(api)["checkout_url"], action="pay")
    arrive(till)
    assert status_of(user) == ("pro", "ACTIVE")


def test_a_name_that_staff_took_off_the_plan_takes_it_from_nobody_who_has_it(api, user, till, bought):
    rename(till, "made_dearer")
    pass_days(till, 30)
    arrive(till)
    move_rows(7)
    assert upkeep.end_all_lapsed() == 0
    assert status_of(user) == ("pro", "ACTIVE")
    assert {row.provider_id for row in Payment.objects.filter(status="SUCCEEDED")} == {*till.payments(bought)}
    assert api.post("/api/billing/cancel/").status_code == 200


def test_staff_are_told_how_a_price_is_changed(desk):
    page = desk.get(f"/admin/accounts/plan/{plan_id('pro')}/change/").content.decode()
    assert '["price_new", "price_old"]' in page


# Two pages that were both paid


def test_the_customer_who_has_the_plan_is_the_one_that_is_known(till, bought):
    Customer.objects.update(customer_id="of_the_page_that_was_paid_in_vain", cards_seen_at=timezone.now())
    provider = PROVIDERS[till.name]()
    look_at_subscription(provider, bought)
    found = provider.subscription(bought)
    assert found
    assert (Customer.objects.get().customer_id, Customer.objects.get().cards_seen_at) == (found.customer_id, None)


# A provider that says nothing


def test_a_provider_that_is_away_takes_a_plan_from_nobody(user, till, bought):
    till.sandbox.stop()
    try:
        move_rows(30 + 7)
        assert upkeep.end_all_lapsed() == 0
        assert status_of(user) == ("pro", "ACTIVE")
    finally:
        till.sandbox.start()


def test_a_key_that_is_refused_takes_a_plan_from_nobody(user, till, bought, settings):
    setattr(settings, "STRIPE_SECRET_KEY" if till.name == "stripe" else "DODO_API_KEY", "withdrawn")
    move_rows(30 + 7)
    assert upkeep.end_all_lapsed() == 0
    assert status_of(user) == ("pro", "ACTIVE")


# What was owed too long


def test_what_was_owed_too_long_ends_at_its_provider_too_and_is_never_charged_for(user, till, bought):
    owe_and_lapse(till)
    upkeep.end_all_lapsed()
    assert status_of(user) == ("free", "ACTIVE")
    [sold] = till.sold()
    assert sold.is_over
    arrive(till)
    assert Subscription.objects.get(provider_id=bought).is_over
    assert OutgoingMail.objects.filter(user=user, template="subscription_ended").count() == 1


def test_what_was_owed_too_long_is_ended_once_its_provider_is_back(user, till, bought):
    owe_and_lapse(till)
    till.sandbox.stop()
    upkeep.end_all_lapsed()
    till.sandbox.start()
    assert status_of(user) == ("free", "ACTIVE")
    assert not till.sold()[0].is_over
    move_rows(100)
    upkeep.end_all_lapsed()
    assert till.sold()[0].is_over


def test_what_was_owed_too_long_and_is_paid_after_all_is_given_and_not_ended(user, till, bought):
    owe_and_lapse(till)
    till.sandbox.stop()
    upkeep.end_all_lapsed()
    till.sandbox.start()
    till.set_card(works=True)
    till.collect(bought)
    upkeep.end_all_lapsed()
    assert status_of(user) == ("pro", "ACTIVE")
    assert not till.sold()[0].is_over


def test_what_was_owed_too_long_to_a_provider_that_knows_nothing_of_it_is_asked_about_once(till, bought):
    owe_and_lapse(till)
    till.sandbox.stop()
    upkeep.end_all_lapsed()
    till.sandbox.start()
    till.open_books()
    upkeep.end_all_lapsed()
    till.sandbox.calls.clear()
    upkeep.end_all_lapsed()
    assert len(till.sandbox.calls) == 0


# Rounds over many


def add_others(till: AnyTill, number: int) -> None:
    plan = Plan.objects.get(slug="pro")
    for place in range(number):
        user = User.objects.create_user(f"{place}@example.com", "a long password")
        Subscription.objects.create(user=user, plan=plan, provider=till.name, provider_id=f"sub_{place}")


def test_a_round_waits_for_a_provider_that_asks_to_slow_down_and_goes_on(user, till, bought):
    add_others(till, 2)
    Subscription.objects.filter(provider_id=bought).update(current_period_end=None)
    waits: list[float] = []
    till.sandbox.fail("*", status=429, times=6, headers={"retry-after": "10"})
    assert upkeep.reconcile(wait=waits.append) == 1
    assert waits.count(10.0) == 6


def test_what_was_looked_at_longest_ago_comes_first_and_what_was_looked_at_tonight_not_at_all(till, bought):
    add_others(till, 2)
    Subscription.objects.filter(provider_id="sub_0").update(seen_at=timezone.now())
    Subscription.objects.filter(provider_id="sub_1").update(seen_at=timezone.now() - timedelta(days=1))
    till.sandbox.calls.clear()
    upkeep.reconcile(since=timezone.now() - timedelta(hours=1))
    assert {call.path.rpartition("/")[2] for call in till.sandbox.calls} >= {"sub_1"}
    assert not [call for call in till.sandbox.calls if bought in call.path or "sub_0" in call.path]
    till.sandbox.calls.clear()
    upkeep.reconcile()
    asked = [call.path.rpartition("/")[2] for call in till.sandbox.calls if "/subscriptions/" in call.path]
    assert [*dict.fromkeys(asked)] == [bought, "sub_0", "sub_1"]
