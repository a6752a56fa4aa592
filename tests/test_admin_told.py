"""What the admin tells: true numbers, whole rows, plans beside people, words that fit how many there are."""

from datetime import timedelta

import pytest
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.auth.models import Permission
from django.contrib.messages import get_messages
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone
from django_celery_beat.models import IntervalSchedule, PeriodicTask

from accounts.models import OutgoingMail, Plan, UsageEntry, UsageKind, User
from accounts.usage import change_plan, increment_usage
from analytics.models import APIAccessLog, AuthenticationLog, ExternalAPICallLog, VendorPrice
from logs.models import AppLog, RejectedLine

pytestmark = pytest.mark.django_db
ID = "0193f1c4-77aa-7c3e-9d10-4be0c51ac0de"
PRICE = {"vendor": "gemini", "unit": "tokens", "micros_per_million": 100_000, "tier_from": 0}


def page(model, name="changelist", *args):
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_{name}", args=args)


def seen(client, *place):
    return client.get(page(*place)).content.decode()


def act(client, action, *rows, **form):
    ticked = {"action": action, "_selected_action": [str(row.pk) for row in rows]}
    return client.post(page(type(rows[0])), ticked | form)


def said(answer):
    return [str(message) for message in get_messages(answer.wsgi_request)]


def test_a_history_has_as_many_entries_as_were_made(desk, staff, user):
    LogEntry.objects.log_actions(staff.pk, [user], CHANGE, "Once.")
    history = desk.get(page(User, "history", user.pk))
    assert history.context_data["action_list"].paginator.count == 1
    assert history.context_data["pagination_required"] is False
    assert "1000 entries" not in " ".join(history.content.decode().split())


def logged(user):
    rows = {"user": user, "request_id": ID}
    yield APIAccessLog.objects.create(method="GET", route="a/", status=200, duration_us=11_500, **rows)
    yield AuthenticationLog.objects.create(event="login", success=True, **rows)
    yield ExternalAPICallLog.objects.create(vendor="gemini", operation="x", outcome="ok", duration_ms=1250, **rows)
    yield AppLog.objects.create(level="ERROR", category="API", logger="x", message="x", request_id=ID)


def test_a_logged_row_tells_first_when_and_leads_to_its_thread(desk, user):
    for row in logged(user):
        answer = desk.get(page(type(row), "change", row.pk))
        names = [name for _, fieldset in answer.context_data["adminform"].fieldsets for name in fieldset["fields"]]
        assert names[0] == "created_at"
        assert not {"request_id", "duration_us", "duration_ms"} & set(names)
        assert f'<a href="/admin/thread/{ID}/"' in answer.content.decode()


def test_a_logged_row_tells_how_long_it_took_as_its_list_does(desk, user):
    request, _, call, _ = logged(user)
    assert "11.5\N{NO-BREAK SPACE}ms" in seen(desk, APIAccessLog, "change", request.pk)
    assert "1,250\N{NO-BREAK SPACE}ms" in seen(desk, ExternalAPICallLog, "change", call.pk)


def a_price(begins):
    return VendorPrice.objects.create(valid_from=timezone.now() + begins, **PRICE)


def test_a_price_can_be_ended_and_nothing_else(desk):
    price = a_price(timedelta(days=-1))
    form = {**PRICE, "micros_per_million": 7, "valid_until_0": "2030-01-01", "valid_until_1": "00:00:00"}
    answer = desk.post(page(VendorPrice, "change", price.pk), form)
    after = VendorPrice.objects.get(pk=price.pk)
    assert (answer.status_code, after.micros_per_million, after.valid_until.year) == (302, 100_000, 2030)


@pytest.mark.parametrize(("begins", "status", "left"), [(-1, 403, True), (1, 302, False)])
def test_a_price_can_be_deleted_until_it_begins(desk, begins, status, left):
    price = a_price(timedelta(days=begins))
    assert desk.post(page(VendorPrice, "delete", price.pk), {"post": "yes"}).status_code == status
    assert VendorPrice.objects.filter(pk=price.pk).exists() is left
    act(desk, "delete_selected", price, post="yes")
    assert VendorPrice.objects.filter(pk=price.pk).exists() is left


def test_a_new_price_is_entered_whole_and_its_unit_is_told(desk):
    assert "100000 is $0.10 for a million units" in seen(desk, VendorPrice, "add")
    form = {**PRICE, "valid_from_0": "2030-01-01", "valid_from_1": "00:00:00"}
    assert desk.post(page(VendorPrice, "add"), form).status_code == 302
    assert VendorPrice.objects.get(vendor="gemini", unit="tokens").micros_per_million == 100_000


def test_a_plan_is_told_in_the_list_of_people_on_their_page_and_before_it_is_changed(desk, user):
    pro = Plan.objects.get(slug="pro")
    change_plan(user, pro)
    assert pro.name in seen(desk, User)
    assert pro.name in seen(desk, User, "change", user.pk)
    assert f"user@example.com ({pro.name})" in act(desk, "change_plan", user).content.decode()


def test_the_plans_of_many_people_take_no_more_queries(desk):
    counts = []
    for number in range(3):
        change_plan(User.objects.create_user(f"{number}@example.com", "a long password"), Plan.objects.get(slug="pro"))
        with CaptureQueriesContext(connection) as queries:
            desk.get(page(User))
        counts.append(len(queries))
    assert counts[1] == counts[2]


def test_one_of_a_thing_is_not_told_as_several(desk, user):
    other, pro = User.objects.create_user("other@example.com", "a long password"), Plan.objects.get(slug="pro")
    form = {"plan": pro.pk, "confirmed": "yes"}
    assert said(act(desk, "change_plan", user, **form)) == [f"1 account is on {pro} now."]
    increment_usage(user, UsageKind.URL_LOOKUPS, platform="x", source="request:1", amount=1)
    assert "1 unit of 1 entry given back." in said(act(desk, "give_back", UsageEntry.objects.get(), confirmed="yes"))
    assert "0 sessions of 2 accounts ended." in said(act(desk, "end_sessions", user, other))


def test_an_empty_list_offers_nothing_that_cannot_be_done(desk):
    assert "Nothing here." in seen(desk, OutgoingMail)
    assert "None: every row arrived." in seen(desk, RejectedLine)
    assert "Create a new item" not in seen(desk, OutgoingMail) + seen(desk, RejectedLine)
    found_none = desk.get(page(RejectedLine), {"q": "x"}).content.decode()
    assert "Nothing like that here." in found_none
    assert "every row arrived" not in found_none


def test_what_staff_did_and_mails_are_called_so_everywhere(desk, user):
    assert desk.get(page(LogEntry)).context_data["title"] == "What staff did"
    person, listed = seen(desk, User, "change", user.pk), seen(desk, LogEntry)
    assert "Log entries" not in person + listed
    assert "Mails owed" not in person
    assert "Mail owed" not in person


def test_a_scheduled_task_tells_what_is_used_of_it(desk):
    every = IntervalSchedule.objects.create(every=1, period="hours")
    task = PeriodicTask.objects.create(name="a task", task="config.heartbeat", interval=every)
    answer = desk.get(page(PeriodicTask, "change", task.pk))
    names = [name for _, fieldset in answer.context_data["adminform"].fieldsets for name in fieldset["fields"]]
    assert names == ["name", "task", "when", "enabled", "last_run_at", "total_run_count"]
    assert "every few minutes" in seen(desk, PeriodicTask)


@pytest.mark.parametrize("query", ["level__exact=%00", "level=%00", "q=%00", "e=%00"])
def test_what_no_text_can_hold_breaks_no_list(desk, query):
    AppLog.objects.create(level="ERROR", category="API", logger="a", message="b")
    assert desk.get(f"{page(AppLog)}?{query}", follow=True).status_code == 200


def test_staff_may_not_become_a_colleague(staff, user):
    may = Permission.objects.filter(codename__in=["view_user", "change_user"])
    ana, ben = (User.objects.create_user(f"{name}@example.com", "a long password") for name in ("ana", "ben"))
    for one in (ana, ben):
        User.objects.filter(pk=one.pk).update(is_staff=True)
        one.user_permissions.set(may)
    client = Client()
    client.force_login(User.objects.get(pk=ana.pk))
    form = {"password1": "another long password", "password2": "another long password"}
    statuses = [client.post(f"/admin/accounts/user/{pk}/password/", form).status_code for pk in (ben.pk, user.pk)]
    assert statuses == [403, 302]
