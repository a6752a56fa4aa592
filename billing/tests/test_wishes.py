"""What takes several calls, and fails between them: who paid for a plan keeps it, and who cancelled is let go."""

from datetime import timedelta

import pytest
from django.db.models import F
from django.utils import timezone

from accounts.models import OutgoingMail, Plan, Subscription
from accounts.turns import ChangeUnderWay
from accounts.usage import get_user_subscription
from billing import counter, wishes
from billing.models import Wish
from billing.tests.buying import status_of
from core.errors import VendorUnavailable
from core.ids import uuid7

pytestmark = pytest.mark.django_db
# What the providers' sandboxes call the second call of each change.
UNDO = {"stripe": "schedules.release", "dodo": "subscriptions.unschedule"}
UPDATE = "subscriptions.update"


@pytest.fixture
def dearest(either):
    """A third plan, dearer than Agency."""
    price = 9900
    if either.name == "stripe":
        product = either.sandbox.books.add_price("price_dearest", price)
    else:
        product = either.sandbox.add_product(price)
    fields = Plan.objects.filter(slug="agency").values().get()
    named = {"id": uuid7(), "slug": "dearest", "name": "Dearest", "price": price, "products": {either.name: product}}
    return Plan.objects.create(**fields | named)


def work_a_minute_later():
    Subscription.objects.update(changing_until=None)
    return wishes.fulfil_all()


def state(user):
    live = get_user_subscription(user)
    return live.plan.slug, live.status, live.downgrade_to_plan.slug if live.downgrade_to_plan else ""


# An upgrade


def test_who_upgrades_while_a_downgrade_is_planned_keeps_the_plan_though_the_second_call_fails(
    api, user, either, dearest
):
    either.buy(api, "agency")
    either.ask(api, "upgrade", "pro")
    either.sandbox.fail(UNDO[either.name], times=-1, status=503)
    answer = either.ask(api, "upgrade", "dearest")
    assert (answer.status_code, answer.json()["plan"]["slug"], len(either.charges())) == (200, "dearest", 2)
    either.deliver()
    either.sandbox.reset()
    work_a_minute_later()
    either.deliver()
    assert (state(user), Wish.objects.exists()) == (("dearest", "ACTIVE", ""), False)
    either.renew(get_user_subscription(user))
    either.deliver()
    assert (status_of(user), len(either.charges())) == (("dearest", "ACTIVE"), 3)


def test_who_upgrades_what_was_cancelled_keeps_the_plan_though_the_second_call_fails(api, user, either):
    either.buy(api)
    either.ask(api, "cancel")
    away_after_the_charge(either)
    answer = either.ask(api, "upgrade", "agency")
    assert (answer.status_code, answer.json()["plan"]["slug"], answer.json()["status"]) == (200, "agency", "CANCELING")
    either.deliver()
    either.sandbox.reset()
    OutgoingMail.objects.all().delete()
    work_a_minute_later()
    either.deliver()
    assert (state(user), len(either.charges()), Wish.objects.exists()) == (("agency", "ACTIVE", ""), 2, False)
    assert [*OutgoingMail.objects.values_list("template", flat=True)] == ["goes_on"]


def away_after_the_charge(either):
    if either.name == "stripe":
        either.sandbox.fail(UPDATE)  # the charge itself is one, and nothing is wrong with it
    either.sandbox.fail(UPDATE, times=-1, status=503)


def test_a_worker_that_finds_the_provider_away_comes_again(api, user, either):
    either.buy(api)
    either.ask(api, "cancel")
    away_after_the_charge(either)
    either.ask(api, "upgrade", "agency")
    assert work_a_minute_later() == 0
    either.sandbox.reset()
    assert wishes.fulfil_all() == 0  # what was not answered is held for some seconds
    assert work_a_minute_later() == 1
    assert state(user) == ("agency", "ACTIVE", "")


def test_a_charge_that_was_not_made_undoes_nothing(api, user, either):
    either.buy(api)
    either.ask(api, "cancel")
    either.fail("change", status=503)
    assert either.ask(api, "upgrade", "agency").status_code == 503
    assert work_a_minute_later() == 0
    either.deliver()
    assert (state(user), Wish.objects.count()) == (("pro", "CANCELING", ""), 1)
    Wish.objects.update(created_at=F("created_at") - wishes.GIVEN_UP)
    work_a_minute_later()
    assert not Wish.objects.exists()


def test_a_charge_whose_answer_was_lost_takes_off_what_was_planned(api, user, either):
    either.buy(api)
    either.ask(api, "cancel")
    either.lose("change")
    assert either.ask(api, "upgrade", "agency").status_code == 503
    either.deliver()
    assert work_a_minute_later() == 1
    assert (state(user), len(either.charges())) == (("agency", "ACTIVE", ""), 2)


def test_a_declined_card_leaves_no_wish(api, either):
    either.buy(api)
    either.decline()
    assert either.ask(api, "upgrade", "agency").status_code == 402
    assert not Wish.objects.exists()


def test_what_is_confirmed_at_the_bank_goes_on(api, user, either):
    either.buy(api)
    either.ask(api, "cancel")
    either.ask_bank()
    either.confirm(either.ask(api, "upgrade", "agency").json()["details"]["confirm_url"])
    either.deliver()
    work_a_minute_later()
    assert state(user) == ("agency", "ACTIVE", "")


def test_whoever_cancels_meanwhile_is_not_made_to_go_on(api, user, either):
    either.buy(api)
    either.ask(api, "cancel")
    away_after_the_charge(either)
    either.ask(api, "upgrade", "agency")
    either.sandbox.reset()
    Subscription.objects.update(changing_until=None)
    assert either.ask(api, "cancel").json()["status"] == "CANCELING"
    assert (work_a_minute_later(), state(user)) == (0, ("agency", "CANCELING", ""))


def test_nobody_interferes_with_a_change_that_is_under_way(api, user, either):
    either.buy(api)
    live = get_user_subscription(user)
    wishes.wish(live, plan=live.plan)
    Subscription.objects.filter(pk=live.pk).update(changing_until=timezone.now() + timedelta(minutes=1))
    assert (wishes.fulfil_all(), Wish.objects.count()) == (0, 1)


# An end


def by_staff(api, user, either):
    with pytest.raises(VendorUnavailable):
        counter.cancel(get_user_subscription(user), now=False)


def by_the_user(api, user, either):
    assert either.ask(api, "cancel").status_code == 503


@pytest.mark.parametrize("cancel", [by_staff, by_the_user])
def test_a_cancellation_that_fails_half_way_is_brought_to_its_end(api, user, either, cancel):
    """Or nothing has happened, and the downgrade stands: nobody is charged for the dearer plan."""
    either.buy(api, "agency")
    either.ask(api, "upgrade", "pro")
    either.deliver()
    either.sandbox.fail(UPDATE, times=-1, status=503)
    cancel(api, user, either)
    either.sandbox.reset()
    either.deliver()
    work_a_minute_later()
    either.deliver()
    ends = {"stripe": ("agency", "CANCELING", ""), "dodo": ("agency", "ACTIVE", "pro")}
    assert (state(user), Wish.objects.exists()) == (ends[either.name], False)


@pytest.mark.parametrize("cancel", [by_staff, by_the_user])
def test_a_cancellation_that_a_provider_never_heard_of_leaves_the_downgrade(api, user, either, cancel):
    either.buy(api, "agency")
    either.ask(api, "upgrade", "pro")
    either.sandbox.fail("*", times=-1, status=503)
    cancel(api, user, either)
    either.sandbox.reset()
    work_a_minute_later()
    assert (state(user), Wish.objects.exists()) == (("agency", "ACTIVE", "pro"), False)


def test_a_downgrade_of_what_was_cancelled_fails_half_way_and_the_end_stands(api, user, either):
    either.buy(api, "agency")
    either.ask(api, "cancel")
    live = get_user_subscription(user)
    wishes.wish(live, plan=None)
    either.provider.resume(live.provider_id)  # and there the process died
    work_a_minute_later()
    assert state(user) == ("agency", "CANCELING", "")


def test_staff_and_the_user_do_not_cancel_at_once(api, user, either):
    either.buy(api)
    live = get_user_subscription(user)
    Subscription.objects.filter(pk=live.pk).update(changing_until=timezone.now() + timedelta(minutes=1))
    with pytest.raises(ChangeUnderWay):
        counter.cancel(live, now=False)
