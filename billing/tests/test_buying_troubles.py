"""A provider that is away, or answers late, and two tabs at once: nothing is half done, and nothing is paid twice."""

import threading

import pytest
from django.db import connection
from rest_framework.test import APIClient

from accounts.identity.local import start_session
from accounts.models import Subscription, User
from accounts.usage import get_user_plan
from billing.models import Payment
from billing.tests.buying import plan_id
from core import calls

pytestmark = pytest.mark.django_db


def refused(answer):
    return answer.status_code, answer.json()["code"]


def standing(user):
    rows = Subscription.objects.filter(user=user).order_by("pk")
    return [*rows.values("status", "plan", "cancel_at_period_end")]


def let_the_turn_run_out():
    """What was not answered clearly holds the row for some seconds."""
    Subscription.objects.update(changing_until=None)


def code_of(answer):
    return answer.json().get("code", answer.status_code)


def let_the_aftermath_pass():
    Subscription.objects.update(changing_until=None)


# A provider that is away


@pytest.mark.parametrize("verb", ["upgrade", "cancel", "resume"])
def test_a_provider_that_is_away_changes_nothing_and_is_asked_again(api, user, either, verb):
    either.buy(api)
    before = standing(user)
    either.sandbox.fail("*", status=503, times=-1)
    answer = either.ask(api, verb, "agency" if verb == "upgrade" else "")
    assert refused(answer) == (503, "vendor_unavailable")
    assert standing(user) == before
    either.sandbox.reset()
    let_the_aftermath_pass()
    assert either.ask(api, verb, "agency" if verb == "upgrade" else "").status_code == 200


def test_a_change_whose_answer_was_lost_ends_right(api, user, either):
    either.buy(api)
    either.lose("change")
    assert refused(either.ask(api, "upgrade", "agency"))[0] == 503
    assert get_user_plan(user).slug == "pro"
    either.deliver()
    assert get_user_plan(user).slug == "agency"
    let_the_aftermath_pass()
    assert either.ask(api, "upgrade", "agency").status_code == 200
    assert len(either.charges()) == 2


def test_a_change_whose_answer_was_lost_can_be_asked_for_again(api, user, either):
    either.buy(api)
    either.lose("change")
    either.ask(api, "upgrade", "agency")
    let_the_aftermath_pass()
    assert either.ask(api, "upgrade", "agency").json()["plan"]["slug"] == "agency"
    assert len(either.charges()) == 2
    either.deliver()
    assert (Payment.objects.filter(status="SUCCEEDED").count(), get_user_plan(user).slug) == (2, "agency")


def test_an_answer_that_is_late_is_waited_for(api, user, either, settings):
    """What was not answered in time may be under way yet: nobody asks for it again meanwhile."""
    either.buy(api)
    settings.STRIPE_SECONDS = settings.DODO_SECONDS = 0.3
    either.fail("change", delay=0.6)
    assert refused(either.ask(api, "upgrade", "agency")) == (503, "vendor_timeout")
    settings.STRIPE_SECONDS = settings.DODO_SECONDS = 10.0
    again = either.ask(api, "upgrade", "agency")
    assert (refused(again), 10 < int(again["Retry-After"]) <= 15) == ((409, "change_under_way"), True)


@pytest.mark.parametrize("trouble", [{"status": 502}, {"status": 504}, {"truncate": 0}])
def test_what_only_a_gateway_answered_may_be_under_way_and_is_not_asked_for_again(api, either, trouble):
    either.buy(api)
    either.fail("change", **trouble)
    assert either.ask(api, "upgrade", "agency").status_code == 503
    assert refused(either.ask(api, "upgrade", "agency")) == (409, "change_under_way")
    let_the_aftermath_pass()
    assert either.ask(api, "upgrade", "agency").json()["plan"]["slug"] == "agency"
    assert len(either.charges()) == 2


# Two tabs


@pytest.mark.django_db(transaction=True, serialized_rollback=True)
def test_two_tabs_that_upgrade_at_once_are_charged_once(either):
    user = User.objects.create_user("tabs@example.com", "a long password")
    tabs = [APIClient() for _ in range(2)]
    for tab in tabs:
        tab.credentials(HTTP_AUTHORIZATION=f"Bearer {start_session(user).access}")
    either.buy(tabs[0])
    gate, codes = threading.Barrier(2), []

    def upgrade(tab):
        gate.wait()
        codes.append(code_of(either.ask(tab, "upgrade", "agency")))
        connection.close()

    both = [threading.Thread(target=upgrade, args=(tab,)) for tab in tabs]
    for each in both:
        each.start()
    for each in both:
        each.join()
    assert 200 in codes
    assert {*codes} <= {200, "change_under_way"}
    assert len(either.charges()) == 2
    assert either.ask(tabs[1], "upgrade", "agency").status_code == 200
    assert (len(either.charges()), get_user_plan(user).slug) == (2, "agency")


@pytest.mark.django_db(transaction=True, serialized_rollback=True)
def test_a_key_answers_the_same_and_nobody_outside_is_asked_inside_a_transaction(either):
    user = User.objects.create_user("keys@example.com", "a long password")
    api = APIClient()
    api.credentials(HTTP_AUTHORIZATION=f"Bearer {start_session(user).access}")
    inside: list[bool] = []
    calls.on_call(lambda call: inside.append(connection.in_atomic_block))
    opened = twice(api, "subscribe", {"plan_id": plan_id("pro"), "provider": either.name})
    either.pay(opened.json()["checkout_url"])
    either.deliver()
    for verb, slug in (("upgrade", "agency"), ("cancel", "")):
        twice(api, verb, {"plan_id": plan_id(slug)} if slug else {})
    assert inside
    assert not any(inside)
    assert len(either.charges()) == 2


def twice(api, verb, body):
    first, second = [
        api.post(f"/api/billing/{verb}/", body, format="json", headers={"Idempotency-Key": f"{verb}-1"})
        for _ in range(2)
    ]
    assert first.status_code in {200, 201}, first.content
    assert (second.content, second["Idempotent-Replay"]) == (first.content, "true")
    return first
