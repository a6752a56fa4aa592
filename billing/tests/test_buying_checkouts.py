"""The page on which a plan is paid: one for all tabs, closed when another is chosen, and honoured when it is late."""

import threading
from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone
from rest_framework.test import APIClient

from accounts.identity.local import start_session
from accounts.models import Plan, Subscription, User
from accounts.usage import get_user_plan
from billing import leftovers
from billing.models import Checkout, Customer

pytestmark = pytest.mark.django_db


def pending(user):
    return Subscription.objects.filter(user=user, status="PENDING")


def test_every_tab_is_given_the_same_page(api, user, either):
    first, second = either.open(api), either.open(api)
    assert first == second
    assert either.sandbox.count(either.operations["open"]) == 1
    assert (either.pay(first), either.pay(second) == 303) == (303, False)
    either.deliver()
    assert (len(either.charges()), get_user_plan(user).slug) == (1, "pro")
    assert not Checkout.objects.exists()


def test_a_page_whose_time_has_run_out_is_opened_anew(api, user, either):
    first = either.open(api)
    either.expire(first)
    Checkout.objects.update(expires_at=timezone.now())
    second = either.open(api)
    assert second != first
    assert either.pay(first) != 303
    assert either.pay(second) == 303
    either.deliver()
    assert (len(either.charges()), Subscription.objects.filter(user=user, provider_id__isnull=False).count()) == (1, 1)


def test_a_page_that_could_not_be_opened_is_opened_the_next_time(api, user, either):
    either.fail("open", status=500)
    refused = either.ask(api, "subscribe", "pro", provider=either.name)
    assert (refused.status_code, refused.json()["code"]) == (503, "vendor_unavailable")
    assert not Checkout.objects.exists()
    assert either.pay(either.open(api)) == 303


def test_a_customer_who_is_gone_there_can_buy_all_the_same(api, user, either):
    Customer.objects.create(user=user, provider=either.name, customer_id="cus_gone")
    either.buy(api)
    assert get_user_plan(user).slug == "pro"
    assert either.ask(api, "portal").status_code == 200


def test_a_declined_card_can_be_followed_by_a_good_one(api, user, either):
    url = either.open(api)
    either.press(url, "decline")
    either.deliver()
    assert get_user_plan(user).slug == "free"
    assert either.pay(either.open(api)) == 303
    either.deliver()
    assert (get_user_plan(user).slug, len(either.charges())) == ("pro", 1)


def test_a_decline_that_is_heard_of_late_ends_nothing_that_was_begun_since(api, user, either):
    first = either.open(api)
    either.press(first, "decline")
    second = either.open(api)
    either.deliver()
    assert either.open(api) == second
    assert (either.pay(second), pending(user).count()) == (303, 1)
    either.deliver()
    assert (get_user_plan(user).slug, len(either.charges())) == ("pro", 1)


def test_whoever_comes_back_before_the_event_is_not_sold_it_again(api, user, either):
    either.pay(either.open(api))
    again = either.ask(api, "subscribe", "pro", provider=either.name)
    assert (again.status_code, again.json()["code"]) == (409, "already_subscribed")
    assert get_user_plan(user).slug == "pro"
    either.deliver(copies=2)
    assert (get_user_plan(user).slug, len(either.charges())) == ("pro", 1)


def test_the_event_may_come_before_the_browser_does(api, user, either):
    url = either.open(api)
    either.pay(url)
    either.deliver()
    assert either.pay(url) != 303
    again = either.ask(api, "subscribe", "agency", provider=either.name)
    assert (again.status_code, again.json()["code"]) == (409, "already_subscribed")
    assert len(either.charges()) == 1


def test_another_plan_closes_the_first_page_where_that_can_be(api, user, either):
    first = either.open(api, "pro")
    second = either.open(api, "agency")
    assert pending(user).get().plan.slug == "agency"
    is_closed = either.pay(first) != 303
    assert is_closed == (either.name == "stripe")
    assert either.pay(second) == 303
    either.deliver()
    assert either.net() == either.charges()[0]
    assert Subscription.objects.filter(user=user, status__in=Subscription.LIVE).count() == 1


def test_another_plan_after_the_first_was_paid_is_not_sold_beside_it(api, user, either):
    either.pay(either.open(api, "pro"))
    again = either.ask(api, "subscribe", "agency", provider=either.name)
    assert (again.status_code, again.json()["code"]) == (409, "already_subscribed")
    assert get_user_plan(user).slug == "pro"
    assert not pending(user).exists()


def test_a_checkout_can_be_cancelled(api, user, either):
    url = either.open(api)
    answer = either.ask(api, "cancel")
    assert (answer.status_code, answer.json()["plan"]["slug"]) == (200, "free")
    assert not pending(user).exists()
    assert (either.pay(url) != 303) == (either.name == "stripe")
    either.deliver()
    # Where nobody can close the page, whoever pays there all the same has bought.
    assert get_user_plan(user).slug == ("free" if either.name == "stripe" else "pro")
    assert len(either.charges()) == (0 if either.name == "stripe" else 1)


def test_a_checkout_that_was_paid_is_cancelled_at_the_periods_end(api, user, either):
    either.pay(either.open(api))
    answer = either.ask(api, "cancel")
    assert (answer.status_code, answer.json()["status"], answer.json()["plan"]["slug"]) == (200, "CANCELING", "pro")


def test_a_checkout_that_was_left_ends_and_is_honoured_when_it_is_paid_late(api, user, either):
    url = either.open(api)
    Checkout.objects.update(expires_at=timezone.now() - timedelta(hours=1))
    leftovers.tidy_checkouts()
    assert (pending(user).exists(), Checkout.objects.exists()) == (False, either.name == "dodo")
    if either.pay(url) == 303:
        either.deliver()
        assert get_user_plan(user).slug == "pro"


def test_a_checkout_that_was_paid_unheard_begins_when_it_is_tidied(api, user, either):
    either.pay(either.open(api))
    either.take()
    Checkout.objects.update(expires_at=timezone.now() - timedelta(hours=1))
    leftovers.tidy_checkouts()
    assert get_user_plan(user).slug == "pro"
    leftovers.tidy_checkouts()
    assert not Checkout.objects.exists()


def test_a_page_that_could_not_be_closed_is_closed_later(api, user, either):
    first = either.open(api, "pro")
    either.sandbox.fail("checkout.expire" if either.name == "stripe" else "checkouts.retrieve", status=500)
    either.open(api, "agency")
    assert Checkout.objects.count() == 2
    leftovers.tidy_checkouts()
    assert Checkout.objects.count() == (1 if either.name == "stripe" else 2)
    assert (either.pay(first) == 303) == (either.name == "dodo")
    Subscription.objects.filter(status="CANCELLED").update(updated_at=timezone.now() - timedelta(hours=2))
    either.sandbox.reset()
    leftovers.tidy_checkouts()
    assert either.sandbox.calls == []


def test_a_subscription_whose_page_never_opened_ends_after_a_day(api, user, either):
    either.fail("open", status=500)
    either.ask(api, "subscribe", "pro", provider=either.name)
    leftovers.tidy_checkouts()
    assert pending(user).exists()
    pending(user).update(created_at=timezone.now() - timedelta(days=2))
    leftovers.tidy_checkouts()
    assert not pending(user).exists()


def test_another_provider_can_be_chosen(api, user, either):
    plan = Plan.objects.get(slug="pro")
    left = Subscription.objects.create(user=user, plan=plan, provider="paper", status="PENDING")
    either.open(api)
    left.refresh_from_db()
    assert left.status == "CANCELLED"


@pytest.mark.django_db(transaction=True, serialized_rollback=True)
def test_two_clicks_at_once_are_given_one_page(either):
    user = User.objects.create_user("both@example.com", "a long password")
    token = start_session(user).access
    pages = []
    gate = threading.Barrier(2)

    def click():
        client = APIClient()
        client.credentials(HTTP_AUTHORIZATION=f"Bearer {token}")
        gate.wait()
        answer = either.ask(client, "subscribe", "pro", provider=either.name)
        pages.append(answer.json().get("checkout_url") or answer.json()["code"])
        connection.close()

    clicks = [threading.Thread(target=click) for _ in range(2)]
    for each in clicks:
        each.start()
    for each in clicks:
        each.join()
    assert len({*pages}) == 1, pages
    assert Checkout.objects.count() == 1
    assert either.pay(pages[0]) == 303
