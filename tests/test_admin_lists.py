"""The admin's lists at size: pages by places, searches and filters by index, exports in batches."""

import csv
import io
import json
from datetime import UTC, datetime

import pytest
from django.contrib.admin.models import LogEntry
from django.db import connection
from django.urls import reverse
from django.utils import timezone

from accounts.models import User
from analytics.models import APIAccessLog
from core.admin.changelist import estimated_rows
from core.admin.look import Order, look
from logs.models import AppLog

pytestmark = pytest.mark.django_db
ROWS = 30_000
MADE = """
INSERT INTO analytics_apiaccesslog
    (id, created_at, method, route, status, duration_us, ip, user_agent, user_id, request_id, error_code)
SELECT gen_random_uuid(), %(end)s - n / 10 * interval '1 second', 'GET', '/api/accounts/me/',
    CASE WHEN n %% 100 = 0 THEN 500 WHEN n %% 50 = 0 THEN 404 ELSE 200 END,
    1000 + n, '192.0.2.1', 'Mozilla', CASE WHEN n %% 2000 = 0 THEN %(user)s::uuid END, 'request-' || n, ''
FROM generate_series(1, %(rows)s) n
"""


@pytest.fixture
def many(user):
    """Thirty thousand requests, ten in each second, one in two thousand of them the user's."""
    with connection.cursor() as cursor:
        cursor.execute(MADE, {"end": timezone.now(), "user": user.pk, "rows": ROWS})
        cursor.execute("ANALYZE analytics_apiaccesslog")


def list_of(model):
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")


def listed(client, model=APIAccessLog, query=""):
    return client.get(list_of(model) + query).context_data["cl"]


def lines(count, **more):
    now = timezone.now()
    rows = [AppLog(level="ERROR", category="API", logger="x", message=f"line {n}", **more) for n in range(count)]
    AppLog.objects.bulk_create(rows)
    # One moment for all: the ids alone tell them apart.
    AppLog.objects.update(created_at=now)


def walk(client, model, query, link):
    pages = [listed(client, model, query)]
    while getattr(pages[-1], link):
        pages.append(listed(client, model, getattr(pages[-1], link)))
    return pages


def test_pages_lead_through_every_row_once_and_back(desk):
    lines(123)
    there = walk(desk, AppLog, "?", "onwards")
    seen = [row.pk for page in there for row in page.result_list]
    assert [len(page.result_list) for page in there] == [50, 50, 23]
    assert seen == sorted((row.pk for row in AppLog.objects.all()), reverse=True)
    back = walk(desk, AppLog, there[-1].get_query_string() + there[-1].back[1:], "back")
    assert [row.pk for page in back[::-1] for row in page.result_list][:100] == seen[:100]


def test_a_page_keeps_the_filters(desk):
    lines(60)
    AppLog.objects.filter(message="line 7").update(level="WARNING")
    there = walk(desk, AppLog, "?level__exact=ERROR", "onwards")
    assert sum(len(page.result_list) for page in there) == 59


@pytest.mark.parametrize("place", ["x", "WzAsIngiXQ", "W10", "%00", "9" * 400, "WzAsMSwyLDNd"])
def test_a_place_that_makes_no_sense_is_the_beginning(desk, place):
    lines(3)
    assert len(listed(desk, AppLog, f"?p={place}").result_list) == 3


def test_a_look_reads_so_many_rows_and_goes_on_from_there(many):
    rows = APIAccessLog.objects.order_by("-created_at", "-id")
    order, place, looks = Order.of(rows), None, 0
    found: list[APIAccessLog] = []
    while place or not looks:
        seen = look(rows, rows.filter(duration_us__gte=30_000), order=order, start=place, size=50, read=10_000)
        found, place, looks = [*found, *seen.rows], seen.further, looks + 1
    assert sorted(row.duration_us for row in found) == [1000 + n for n in range(29_000, ROWS + 1)]
    assert looks > 20


def test_the_first_row_is_found_by_an_empty_look_that_was_cut_short(desk, many):
    page = listed(desk, query="?method=POST")
    assert (page.result_list, page.cut_short) == ([], False)


@pytest.mark.parametrize(
    ("term", "count"),
    [("request-77", 1), ("user@example.com", 15), ("USER@ex", 15), ("nobody@example.com", 0), ("request-", 0)],
)
def test_a_search_finds_its_rows(desk, many, term, count):
    assert len(listed(desk, query=f"?q={term}").result_list) == count


def test_a_user_id_finds_the_users_rows(desk, many, user):
    assert {row.user for row in listed(desk, query=f"?q={user.pk}").result_list} == {user}


def test_a_beginning_that_fits_several_shows_one_after_the_other(desk, many, user):
    other = User.objects.create_user("user2@example.com", "a long password")
    APIAccessLog.objects.filter(request_id__in=["request-1", "request-2"]).update(user=other)
    owners = [row.user for row in listed(desk, query="?q=user").result_list]
    assert (owners.count(user), owners.count(other)) == (15, 2)
    assert owners in ([other] * 2 + [user] * 15, [user] * 15 + [other] * 2)


@pytest.mark.parametrize(
    "query",
    ["", "?q=request-77", "?q=user@example.com", "?status=5", "?status=failed", "?created_at_from=2020-01-01T00:00"],
)
def test_a_page_is_read_by_an_index(desk, many, query):
    page = listed(desk, query=query)
    assert rows_read(page.order.applied(page.wanted)[:51]) <= 200


def test_a_deep_page_is_read_by_an_index(desk, many):
    page = listed(desk)
    deep = page.order.place_of(APIAccessLog.objects.order_by("-created_at", "-id")[25_000])
    assert rows_read(page.order.applied(page.order.beyond(page.wanted, deep))[:51]) <= 200


def rows_read(rows):
    """The most rows that any part of the plan has touched."""
    plan = json.loads(rows.explain(format="json", analyze=True))[0]["Plan"]
    return max(touched(plan))


def touched(plan):
    yield plan["Actual Rows"] * plan["Actual Loops"] + plan.get("Rows Removed by Filter", 0)
    for part in plan.get("Plans", []):
        yield from touched(part)


def test_the_number_of_rows_is_estimated(many):
    assert estimated_rows(APIAccessLog) == pytest.approx(ROWS, rel=0.1)


def exported(client, model, query=""):
    answer = client.get(f"{list_of(model)}export/{query}")
    return list(csv.DictReader(io.StringIO(b"".join(answer.streaming_content).decode())))


def test_an_export_has_every_row_of_the_list_and_no_other(desk, many):
    rows = exported(desk, APIAccessLog, "?status=5")
    assert {row["status"] for row in rows} == {"500"}
    assert len({row["id"] for row in rows}) == len(rows) == ROWS // 100


def test_an_export_reads_a_batch_at_a_time(desk, many, django_assert_num_queries):
    parts = desk.get(f"{list_of(APIAccessLog)}export/").streaming_content
    with django_assert_num_queries(2):
        assert len([next(parts) for _ in range(3)][2].splitlines()) == 1000


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r", "\n"])
def test_a_cell_is_no_formula(desk, start):
    lines(1)
    AppLog.objects.update(message=f'{start}cmd|" /C calc"!A0')
    assert exported(desk, AppLog)[0]["message"].startswith(f"'{start}")


def test_who_exported_is_kept_and_whom_they_looked_for_is_not(desk, staff):
    lines(1)
    exported(desk, AppLog, "?q=user@example.com")
    entry = LogEntry.objects.get()
    assert (entry.user, entry.change_message) == (staff, "Exported, narrowed by q.")


def test_from_and_until_bound_a_list(desk):
    lines(1)
    AppLog.objects.update(created_at=datetime(2026, 3, 1, 12, tzinfo=UTC))
    for query, count in {
        "created_at_from=2026-03-01T12:00&created_at_until=2026-03-01T12:01": 1,
        "created_at_from=2026-03-01T12:01": 0,
        "created_at_until=2026-03-01T12:00": 0,
        "created_at_from=nonsense": 1,
        "created_at_from=2026-99-99T12:00": 1,
    }.items():
        assert len(listed(desk, AppLog, f"?{query}").result_list) == count


def test_a_span_of_time_keeps_the_other_filters_and_begins_anew(desk):
    lines(60)
    first = listed(desk, AppLog, "?level__exact=ERROR")
    page = desk.get(list_of(AppLog) + first.onwards).content.decode()
    form = page[page.index("created_at_from") - 900 : page.index("created_at_from")]
    assert '<input type="hidden" name="level__exact" value="ERROR">' in form
    assert 'name="p"' not in form


def test_a_box_to_choose_a_colleague_completes_the_beginning_of_an_address(desk, staff):
    field = {"app_label": "feedback", "model_name": "feedback", "field_name": "assignee"}
    found = desk.get("/admin/autocomplete/", {"term": "Staff@", **field}).json()
    assert found == {"results": [{"id": str(staff.pk), "text": staff.email}], "pagination": {"more": False}}


def test_the_page_of_a_user_leads_to_what_is_theirs(desk, user):
    page = desk.get(reverse("admin:accounts_user_change", args=[user.pk])).content.decode()
    for model in ("analytics/apiaccesslog", "analytics/authenticationlog", "accounts/usersession"):
        assert f"/admin/{model}/?q={user.pk}" in page
