"""What staff do to plans, units and sessions: through the verbs the API uses, asked first, kept with who did it."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission
from django.db import connection
from django.test import Client
from django.urls import reverse

from accounts.identity.local import start_session
from accounts.models import Plan, Subscription, UsageEntry, UsageKind, User, UserSession, UserUsage
from accounts.usage import change_plan, get_user_plan, increment_usage

pytestmark = pytest.mark.django_db
YES = {"confirmed": "yes"}


@pytest.fixture
def pro():
    return Plan.objects.exclude(slug="free").order_by("price").first()


@pytest.fixture
def clerk():
    """Staff who may look at everything of accounts and change nothing."""
    clerk = User.objects.create_user("clerk@example.com", "a long password", is_staff=True)
    views = Permission.objects.filter(content_type__app_label="accounts", codename__startswith="view_")
    clerk.user_permissions.set(views)
    client = Client()
    client.force_login(clerk)
    return client


def act(client, action, *rows, **form):
    ticked = {"action": action, "_selected_action": [str(row.pk) for row in rows]}
    meta = rows[0]._meta
    return client.post(reverse(f"admin:{meta.app_label}_{meta.model_name}_changelist"), ticked | form)


def spend(user):
    increment_usage(user, UsageKind.URL_LOOKUPS, platform="x", source="request:1", amount=3)
    return UsageEntry.objects.get()


def test_changing_a_plan_asks_which(desk, user, pro):
    answer = act(desk, "change_plan", user)
    assert answer.status_code == 200
    assert pro.name in answer.content.decode()
    assert get_user_plan(user).slug == "free"


def test_a_changed_plan_ends_the_old_one_and_says_who_did_it(desk, staff, user, pro):
    assert act(desk, "change_plan", user, plan=pro.pk, **YES).status_code == 302
    assert get_user_plan(user) == pro
    ended = Subscription.objects.get(user=user, plan__slug="free")
    assert (ended.status, ended.current_period_end is not None) == ("CANCELLED", True)
    entry = LogEntry.objects.get(object_id=str(user.pk))
    assert (entry.user, entry.change_message) == (staff, f"Plan changed to {pro.slug}.")


def test_the_plan_somebody_has_is_not_begun_again(user, pro):
    assert change_plan(user, pro)
    assert not change_plan(user, pro)
    assert Subscription.objects.filter(user=user).count() == 2


@pytest.mark.django_db(transaction=True, serialized_rollback=True)
def test_two_who_change_a_plan_at_once_leave_one_live(user, pro):
    plans = [pro, Plan.objects.get(slug="free")] * 4

    def change(plan):
        change_plan(user, plan)
        connection.close()

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(change, plans))
    assert Subscription.objects.filter(user=user, status__in=Subscription.LIVE).count() == 1


def test_giving_back_asks_first(desk, user):
    entry = spend(user)
    answer = act(desk, "give_back", entry)
    assert (answer.status_code, b"Yes, do it" in answer.content) == (200, True)
    assert UserUsage.objects.get().url_lookups == 3


def test_units_are_given_back_once(desk, staff, user):
    entry = spend(user)
    for _ in range(2):
        assert act(desk, "give_back", entry, **YES).status_code == 302
    assert UserUsage.objects.get().url_lookups == 0
    assert LogEntry.objects.get(object_id=str(entry.pk)).user == staff


def test_a_session_is_ended_from_the_list_of_sessions(desk, user):
    start_session(user)
    act(desk, "end", UserSession.objects.get())
    assert UserSession.objects.get().revoked_why == "ended_by_staff"


def test_whoever_may_only_look_changes_nothing(clerk, user, pro):
    entry, _ = spend(user), start_session(user)
    act(clerk, "change_plan", user, plan=pro.pk, **YES)
    act(clerk, "give_back", entry, **YES)
    act(clerk, "end", UserSession.objects.get())
    assert get_user_plan(user).slug == "free"
    assert UserUsage.objects.get().url_lookups == 3
    assert UserSession.objects.get().revoked_at is None


def test_the_sessions_of_a_superuser_are_for_superusers_to_end(clerk, staff):
    person = User.objects.get(email="clerk@example.com")
    person.user_permissions.add(Permission.objects.get(codename="change_usersession"))
    start_session(staff)
    act(clerk, "end", UserSession.objects.get())
    assert UserSession.objects.get().revoked_at is None


def test_an_action_is_for_the_rows_that_were_ticked(desk, user):
    other = User.objects.create_user("other@example.com", "a long password")
    act(desk, "deactivate", user, select_across="1")
    assert list(User.objects.filter(is_active=False)) == [user]
    assert User.objects.get(pk=other.pk).is_active
