"""The desk's own pages: the thread of a request, the start page, the search box, what beat does."""

import json

import pytest
from django.contrib import admin
from django.contrib.auth.models import Permission
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone
from django_celery_beat.models import IntervalSchedule, PeriodicTask
from django_celery_results.models import TaskResult

from accounts.models import User
from analysis.models import PostAnalysisRequest
from analytics.models import APIAccessLog, AuthenticationLog, ExternalAPICallLog
from config.desk import thread
from config.desk.look import NAVIGATION
from config.desk.start import PARTS
from core import vendors
from logs.models import AppLog

pytestmark = pytest.mark.django_db
ID = "0193f1c4-77aa-7c3e-9d10-4be0c51ac0de"
EVIL = "<script>alert(1)</script>"


@pytest.fixture
def clerk():
    """Staff who may see nothing but what the test allows."""
    return User.objects.create_user("clerk@example.com", "a long password", is_staff=True)


def as_(person, *codenames):
    person.user_permissions.set(Permission.objects.filter(codename__in=codenames))
    client = Client()
    client.force_login(User.objects.get(pk=person.pk))
    return client


@pytest.fixture
def happened(user):
    """One of each kind, in an order that is not that of the kinds."""
    seen = {"user": user, "request_id": ID}
    AuthenticationLog.objects.create(event="token_refresh", success=True, **seen)
    ExternalAPICallLog.objects.create(
        vendor="gemini", operation="generate", outcome=EVIL, duration_ms=0, units={"input_tokens": 5}, **seen
    )
    PostAnalysisRequest.objects.create(
        platform="x", post_urls=[], display_name=EVIL, status="FAILED", total_posts=1, open_posts=0, **seen
    )
    TaskResult.objects.create(task_id="task-1", task_name="analysis.run", status="FAILURE", traceback=EVIL)
    AppLog.objects.create(
        level="ERROR", category="API", logger="x", message=EVIL, metadata={EVIL: EVIL}, request_id=ID, task_id="task-1"
    )
    APIAccessLog.objects.create(method="POST", route=f"/{EVIL}/", status=202, duration_us=60_000_000, **seen)


def show(client, request_id=ID):
    return client.get(reverse("admin:thread", args=[request_id]))


def test_a_thread_has_every_row_in_the_order_of_time(desk, happened):
    entries = show(desk).context_data["entries"]
    # The request is written down last and came in first.
    assert [entry.kind for entry in entries] == ["Request", "Sign-in", "Vendor call", "Analysis", "Task", "Log line"]


def test_a_thread_leads_to_each_row_and_to_the_user(desk, happened, user):
    answer = show(desk)
    page = answer.content.decode()
    assert reverse("admin:accounts_user_change", args=[user.pk]) in page
    for entry in answer.context_data["entries"]:
        assert f'href="{entry.link}"' in page
        assert desk.get(entry.link).status_code == 200


def test_a_thread_shows_markup_as_text(desk, happened):
    page = show(desk).content.decode()
    assert "<script>alert" not in page
    assert page.count("&lt;script&gt;alert(1)") >= 6


def test_a_thread_shows_what_one_may_see(clerk, happened):
    entries = show(as_(clerk, "view_applog")).context_data["entries"]
    assert [entry.kind for entry in entries] == ["Log line"]
    assert "user@example.com" not in show(as_(clerk, "view_apiaccesslog")).content.decode()
    assert show(as_(clerk)).context_data["entries"] == []


def test_a_thread_is_for_staff(user):
    client = Client()
    client.force_login(user)
    assert show(client).status_code == 302


def test_a_thread_is_bounded(desk):
    line = {"level": "INFO", "category": "API", "logger": "x", "request_id": ID}
    AppLog.objects.bulk_create([AppLog(message=str(number), **line) for number in range(250)])
    answer = show(desk)
    assert len(answer.context_data["entries"]) == thread.MOST
    assert "There may be more rows of the kind “Log line”" in answer.content.decode()


@pytest.mark.parametrize("model", thread.KINDS, ids=lambda model: model._meta.label)
def test_a_thread_is_found_by_index(model, happened):
    """With a scan of the table forbidden, the planner has nothing but an index, or the plan shows the scan."""
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
    plan = thread.rows_of(model, ID).explain()
    assert "Seq Scan" not in plan
    assert "Index" in plan


def test_an_unknown_id_is_told_from_one_that_cannot_be(desk):
    assert "Nothing that you may see carries this id" in show(desk, "unknown-id").content.decode()
    assert show(desk, "no id!").status_code == 404
    assert "is no request id" in desk.get("/admin/thread/", {"id": EVIL}).content.decode()


def test_the_box_leads_to_the_thread(desk):
    answer = desk.get("/admin/thread/", {"id": f" {ID} "})
    assert (answer.status_code, answer["Location"]) == (302, f"/admin/thread/{ID}/")
    assert desk.get("/admin/thread/").status_code == 200


@pytest.mark.parametrize("model", [APIAccessLog, AuthenticationLog, ExternalAPICallLog, AppLog])
def test_every_list_of_logs_leads_to_threads(desk, happened, model):
    listed = desk.get(reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist"))
    assert f'href="/admin/thread/{ID}/"' in listed.content.decode()


def test_the_search_box_finds_people_and_threads(desk, clerk, user):
    def found(client, term):
        return client.get("/admin/search/", {"s": term, "extended": "1"}).content.decode()

    assert reverse("admin:accounts_user_change", args=[user.pk]) in found(desk, "User@ex")
    assert f"/admin/thread/{ID}/" in found(desk, ID)
    assert "user@example.com" not in found(as_(clerk), "user@ex")


def test_an_empty_start_page_says_what_will_show_here(desk):
    page = desk.get("/admin/").content.decode()
    for sentence in ("as soon as the first is answered", "What each vendor costs", "No errors."):
        assert sentence in page


def test_the_start_page_shows_what_happened(desk, happened):
    APIAccessLog.objects.create(method="GET", route="/a/", status=503, duration_us=1000, request_id=ID)
    answer = desk.get("/admin/")
    cards = {card.title: card for card in answer.context_data["cards"]}
    charts = {chart.title: json.loads(chart.data) for chart in answer.context_data["charts"]}
    assert (cards["Requests, 24 h"].value, cards["Errors, 24 h"].value, cards["Errors, 24 h"].bad) == ("2", "1", True)
    analysed = cards["Analyses, 24 h"]
    assert (analysed.value, analysed.note, analysed.bad) == ("1", "1 failed, 0 under way", True)
    assert [line["data"][-1] for line in charts["Requests an hour, 48 h"]["datasets"]] == [1, 0, 1]
    assert charts["Sign-ups a day, 30 days"]["datasets"][0]["data"][-1] == 2
    assert EVIL not in answer.content.decode()
    assert len(charts["Sign-ups a day, 30 days"]["labels"]) == 30


def test_the_start_page_reads_no_log_table_but_for_the_latest_errors(desk, happened):
    with CaptureQueriesContext(connection) as seen:
        desk.get("/admin/")
    read = [query["sql"] for query in seen if any(log in query["sql"] for log in ("accesslog", "calllog", "applog"))]
    assert all("LIMIT 8" in sql for sql in read)
    assert len(read) == 2


@pytest.mark.parametrize("permission", PARTS)
def test_the_start_page_shows_what_one_may_see(clerk, happened, permission):
    context = as_(clerk, permission.partition(".")[2]).get("/admin/").context_data
    assert context["cards"] or context["charts"] or "errors" in context
    empty = as_(clerk).get("/admin/").context_data
    assert (empty["cards"], empty["charts"], "errors" in empty, "slowest" in empty) == ([], [], False, False)


def test_the_start_page_opens_without_redis(desk, settings):
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    cards = {card.title: card for card in desk.get("/admin/").context_data["cards"]}
    assert cards["Workers"].value == "unknown"


def test_every_list_is_on_the_way_around(desk):
    """A model that is registered is found in the sidebar."""
    linked = {str(item["link"]) for group in NAVIGATION for item in group["items"]}
    lists = {
        reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist") for model in admin.site._registry
    }
    assert lists <= linked


def test_a_task_is_paused_and_goes_on(desk):
    every = IntervalSchedule.objects.create(every=1, period="hours")
    task = PeriodicTask.objects.create(name="a task", task="config.heartbeat", interval=every)
    page = reverse("admin:django_celery_beat_periodictask_changelist")
    for action, enabled in (("pause", False), ("go_on", True)):
        desk.post(page, {"action": action, "_selected_action": [task.pk]})
        assert PeriodicTask.objects.get(pk=task.pk).enabled is enabled


def test_only_who_may_change_the_schedule_does(clerk):
    every = IntervalSchedule.objects.create(every=1, period="hours")
    task = PeriodicTask.objects.create(
        name="a task", task="config.heartbeat", interval=every, last_run_at=timezone.now()
    )
    client = as_(clerk, "view_periodictask")
    page = reverse("admin:django_celery_beat_periodictask_changelist")
    client.post(page, {"action": "pause", "_selected_action": [task.pk]})
    assert PeriodicTask.objects.get(pk=task.pk).enabled


def test_the_slowest_routes_are_not_those_of_staff(desk):
    row = {"method": "GET", "status": 200, "request_id": ID}
    for route, duration in (("admin/accounts/user/", 9_000_000), ("api/posts/", 1000)):
        APIAccessLog.objects.bulk_create([APIAccessLog(route=route, duration_us=duration, **row) for _ in range(20)])
    assert [found["route"] for found in desk.get("/admin/").context_data["slowest"]] == ["api/posts/"]


@pytest.mark.parametrize(("level", "bad"), [("INFO", False), ("WARNING", True), ("ERROR", True)])
def test_a_thread_marks_what_needs_a_look(desk, level, bad):
    AppLog.objects.create(level=level, category="API", logger="x", message="x", request_id=ID)
    assert [entry.bad for entry in show(desk).context_data["entries"]] == [bad]


def test_the_page_of_vendors_tells_calls_failures_cost_and_breakers(desk, clerk):
    for outcome in ("ok", "ok", "vendor_timeout"):
        ExternalAPICallLog.objects.create(
            vendor="twitterapi", operation="tweets", outcome=outcome, duration_ms=100, units={"credits": 1_000_000}
        )
    vendors.Vendor("brightdata").open(60, "vendor_refused")
    page = desk.get(reverse("admin:vendors"))
    rows = {row["vendor"]: row for row in page.context_data["rows"]}
    told = rows["twitterapi"]
    assert (told["calls"], told["errors"], told["worst"], told["mean_ms"]) == (3, 1, "vendor_timeout", 100)
    assert (told["breaker"], rows["brightdata"]["breaker"], rows["youtube_api"]["calls"]) == ("closed", "open", 0)
    assert "(vendor_refused)" in page.content.decode()
    assert as_(clerk).get(reverse("admin:vendors")).status_code == 403


def test_the_page_of_vendors_opens_without_redis(desk, settings):
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    assert "Redis does not answer" in desk.get(reverse("admin:vendors")).content.decode()
