"""The cards that our users pay with: what we keep of them is what their provider has, and one of them is charged."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
from rest_framework.test import APIClient

from accounts.models import Plan, Subscription, User
from billing import inbox
from billing.cards import keep_cards
from billing.models import BillingEvent, Customer, PaymentMethod
from billing.providers.contract import Card
from billing.settling import database_now
from billing.tests.buying import WEBHOOK, buy, deliver, work
from billing.tests.dodo_shop import led_to
from billing.tests.stripe_buyer import press
from billing.upkeep import reconcile

pytestmark = pytest.mark.django_db
ONE = Card(id="pm_1", brand="visa", last4="4242", expires_month=6, expires_year=2032, is_default=True)
OTHER = Card(id="pm_2", brand="mastercard", last4="4444", expires_month=1, expires_year=2030)


@dataclass(frozen=True, kw_only=True)
class Till:
    """A provider that a user has bought Pro at, with what is done there by others than us."""

    name: str
    deliver: Callable[[], None]
    change_card: Callable[[], str]
    lose_cards: Callable[[], None]


@pytest.fixture(params=["stripe", "dodo"])
def till(request: Any, api: APIClient) -> Till:
    found: Till = request.getfixturevalue(f"{request.param}_till")
    return found


@pytest.fixture
def stripe_till(api: APIClient, shop: Any) -> Till:
    buy(api, shop)

    def lose() -> None:
        for method in shop.books.all("payment_method"):
            owner, method["customer"] = method["customer"], None
            shop.books.tell("payment_method.detached", method)
            shop.outbox.deliveries[-1]["data"]["previous_attributes"] = {"customer": owner}

    def change() -> str:
        press(api.post("/api/billing/payment-methods/update/").json()["url"], "replace")
        return "4444"

    return Till(name="stripe", deliver=lambda: deliver(shop), change_card=change, lose_cards=lose)


@pytest.fixture
def dodo_till(api: APIClient, settings: Any) -> Iterator[Till]:
    with led_to(settings) as dodo:
        plan = Plan.objects.get(slug="pro")
        Plan.objects.filter(pk=plan.pk).update(products={"dodo": dodo.add_product(plan.price)})

        def send() -> None:
            for each in dodo.post.take():
                body, headers = dodo.post.envelope(each)
                sent = {name: value for name, value in headers.items() if name != "content-type"}
                path = WEBHOOK.replace("stripe", "dodo")
                answer = APIClient().generic("POST", path, body, content_type="application/json", headers=sent)
                assert answer.status_code == 200, answer.content
            work()

        def change() -> str:
            session = api.post("/api/billing/payment-methods/update/").json()["url"].rpartition("/")[2]
            dodo.pay(session, card="5555555555554444")
            return "4444"

        def lose() -> None:
            dodo.books.methods.clear()
            [subscription] = dodo.books.subscriptions.values()
            dodo.post.add("subscription.update_payment_method", "subscription", subscription["subscription_id"])

        opened = api.post("/api/billing/subscribe/", {"plan_id": str(plan.pk)}, format="json").json()
        dodo.pay(opened["checkout_url"].rpartition("/")[2])
        send()
        yield Till(name="dodo", deliver=send, change_card=change, lose_cards=lose)


def listed(api: APIClient) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = api.get("/api/billing/payment-methods/").json()["results"]
    return found


def test_the_card_that_a_plan_was_bought_with_is_listed(api, till):
    [card] = listed(api)
    assert (card["provider"], card["kind"], card["brand"], card["last4"]) == (till.name, "card", "visa", "4242")
    assert (card["is_default"], len(str(card["expires_year"]))) == (True, 4)


def test_another_card_is_listed_as_the_one_that_is_charged(api, till):
    last4 = till.change_card()
    till.deliver()
    assert [card["last4"] for card in listed(api) if card["is_default"]] == [last4]
    assert len(listed(api)) == 2


def test_a_card_that_is_taken_away_there_is_gone_here(api, till):
    till.lose_cards()
    till.deliver()
    assert listed(api) == []


def test_cards_that_were_never_looked_at_are_at_the_next_event(api, till, user):
    """As if the provider had answered for the subscription and then no more."""
    PaymentMethod.objects.all().delete()
    Customer.objects.update(cards_seen_at=None)
    inbox.replay(BillingEvent.objects.all())
    work()
    assert len(listed(api)) == 1


def test_the_nightly_look_finds_cards_that_no_event_told_of(api, till):
    PaymentMethod.objects.all().delete()
    reconcile()
    assert len(listed(api)) == 1


# What is written of what was found


@pytest.fixture
def customer(user: User) -> Customer:
    return Customer.objects.create(user=user, provider="stripe", customer_id="cus_1")


def kept(user: User) -> dict[str, bool]:
    return dict(PaymentMethod.objects.filter(user=user).values_list("provider_id", "is_default"))


def test_one_card_is_the_default_whatever_the_provider_says(user, customer):
    for cards in ([ONE, OTHER], [OTHER], [ONE, OTHER], [OTHER, OTHER], [], [OTHER, ONE]):
        assert keep_cards("stripe", user.pk, cards, seen_at=database_now())
        assert sorted(kept(user)) == sorted({card.id for card in cards})
        assert sum(kept(user).values()) == (1 if cards else 0)


def test_an_earlier_look_writes_nothing_over_a_later_one(user, customer):
    now = database_now()
    assert keep_cards("stripe", user.pk, [OTHER], seen_at=now)
    assert not keep_cards("stripe", user.pk, [ONE], seen_at=now - timedelta(seconds=1))
    assert kept(user) == {"pm_2": True}


def test_with_two_providers_the_card_of_the_one_that_is_paid_is_charged(user, customer):
    plan = Plan.objects.get(slug="pro")
    Subscription.objects.filter(user=user).update(plan=plan, provider="dodo", provider_id="sub_1")
    keep_cards("dodo", user.pk, [OTHER], seen_at=database_now())
    keep_cards("stripe", user.pk, [ONE], seen_at=database_now())
    assert kept(user) == {"pm_1": False, "pm_2": True}
    Subscription.objects.filter(user=user).update(provider="stripe")
    keep_cards("stripe", user.pk, [ONE], seen_at=database_now())
    assert kept(user) == {"pm_1": True, "pm_2": False}


def test_somebody_who_is_gone_has_no_cards(user, customer):
    user_id = user.pk
    user.delete()
    assert not keep_cards("stripe", user_id, [ONE], seen_at=database_now())
