"""A plan that staff give: nobody pays for it, it ends at its time, and it is never given over a paid one."""

from datetime import timedelta

import pytest
from django.utils import timezone

from accounts.models import OutgoingMail, Plan, Subscription
from accounts.subscriptions import AlreadySubscribed, grant
from accounts.usage import change_plan, get_user_plan, get_user_subscription
from billing.upkeep import end_all_lapsed

pytestmark = pytest.mark.django_db
SOON = timedelta(days=30)


@pytest.fixture
def pro():
    return Plan.objects.get(slug="pro")


@pytest.fixture
def paid(user, pro):
    Subscription.objects.filter(user=user).delete()
    return Subscription.objects.create(user=user, plan=pro, provider="stripe", provider_id="sub_1")


def test_a_grant_holds_at_once_and_says_until_when(user, pro):
    until = timezone.now() + SOON
    granted = grant(user, pro, until=until)
    live = get_user_subscription(user)
    assert (live.pk, live.plan, live.status, live.current_period_end) == (granted.pk, pro, "ACTIVE", until)
    assert Subscription.objects.get(user=user, plan__slug="free").ended_at


def test_granted_again_it_ends_at_the_new_time(user, pro):
    first = grant(user, pro, until=timezone.now() + SOON)
    until = timezone.now() + 2 * SOON
    assert grant(user, pro, until=until).pk == first.pk
    assert get_user_subscription(user).current_period_end == until


def test_a_grant_ends_at_its_time_and_then_comes_free(user, pro):
    granted = grant(user, pro, until=timezone.now() + SOON)
    assert end_all_lapsed() == 0
    Subscription.objects.filter(pk=granted.pk).update(current_period_end=timezone.now() - timedelta(seconds=1))
    assert [end_all_lapsed(), end_all_lapsed()] == [1, 0]
    ended = Subscription.objects.get(pk=granted.pk)
    assert (get_user_plan(user).slug, ended.status, ended.ended_at is not None) == ("free", "CANCELLED", True)
    assert OutgoingMail.objects.filter(user=user, template="subscription_ended").count() == 1


def test_a_grant_over_what_is_paid_for_is_refused(user, pro, paid):
    with pytest.raises(AlreadySubscribed):
        grant(user, pro, until=timezone.now() + SOON)
    assert get_user_subscription(user).pk == paid.pk


def test_staff_do_not_end_here_what_is_still_paid_for_there(user, paid):
    assert not change_plan(user, Plan.objects.get(slug="agency"))
    assert get_user_subscription(user).pk == paid.pk
