"""Granting a plan at the desk: asked first, kept with who did it, never over what is paid for."""

from datetime import UTC, datetime, timedelta

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission
from django.contrib.messages import get_messages
from django.test import Client
from django.utils import timezone

from accounts.models import Plan, Subscription, User
from accounts.usage import get_user_subscription

pytestmark = pytest.mark.django_db
PEOPLE = "/admin/accounts/user/"


@pytest.fixture
def pro():
    return Plan.objects.get(slug="pro")


@pytest.fixture
def day():
    return timezone.now().date() + timedelta(days=30)


def grant(client, user, **form):
    return client.post(PEOPLE, {"action": "grant_plan", "_selected_action": [str(user.pk)]} | form)


def said(answer):
    return [str(message) for message in get_messages(answer.wsgi_request)]


def test_it_asks_which_plan_and_until_when(desk, user, pro):
    page = grant(desk, user).content.decode()
    assert 'type="date"' in page
    assert pro.name in page
    assert get_user_subscription(user).plan.slug == "free"


def test_a_granted_plan_is_theirs_to_the_end_of_its_last_day(desk, staff, user, pro, day):
    answer = grant(desk, user, plan=pro.pk, last_day=f"{day}", confirmed="yes")
    assert answer.status_code == 302
    live = get_user_subscription(user)
    midnight = datetime(day.year, day.month, day.day, tzinfo=UTC) + timedelta(days=1)
    assert (live.plan, live.current_period_end, live.provider_id) == (pro, midnight, None)
    entry = LogEntry.objects.get(object_id=str(user.pk))
    assert (entry.user, entry.change_message) == (staff, f"Granted pro until the end of {day}.")


@pytest.mark.parametrize("days", [-1, 4000])
def test_a_day_that_makes_no_sense_is_asked_for_again(desk, user, pro, days):
    day = timezone.now().date() + timedelta(days=days)
    answer = grant(desk, user, plan=pro.pk, last_day=f"{day}", confirmed="yes")
    assert "A day from today on" in answer.content.decode()
    assert get_user_subscription(user).plan.slug == "free"


@pytest.mark.parametrize("action", ["grant_plan", "change_plan"])
def test_who_pays_for_a_plan_is_left_alone_and_that_is_said(desk, user, pro, day, action):
    Subscription.objects.filter(user=user).update(plan=pro, provider="stripe", provider_id="sub_1")
    form = {"plan": Plan.objects.get(slug="agency").pk, "last_day": f"{day}", "confirmed": "yes"}
    answer = desk.post(PEOPLE, {"action": action, "_selected_action": [str(user.pk)], **form})
    assert "pays for a plan" in " ".join(said(answer))
    assert get_user_subscription(user).plan == pro
    assert not LogEntry.objects.exists()


@pytest.mark.parametrize("action", ["grant_plan", "change_plan"])
def test_it_takes_a_permission_of_its_own(user, pro, day, action):
    clerk = User.objects.create_user("clerk@example.com", "a long password", is_staff=True)
    names = ["view_user", "change_user", "change_subscription"]
    clerk.user_permissions.set(Permission.objects.filter(codename__in=names))
    client = Client()
    client.force_login(clerk)
    form = {"action": action, "plan": pro.pk, "last_day": f"{day}", "confirmed": "yes"}
    grant(client, user, **form)
    assert get_user_subscription(user).plan.slug == "free"
    clerk.user_permissions.add(Permission.objects.get(codename="grant_subscription"))
    grant(client, user, **form)
    assert get_user_subscription(user).plan == pro
