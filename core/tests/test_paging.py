"""Walking through a list in pages."""

from datetime import datetime

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.models import User
from analytics.models import AuthenticationLog

ROWS = 53


@pytest.fixture
def rows(user):
    # Many share one moment: the id has to break the tie.
    moment = timezone.now()
    made = AuthenticationLog.objects.bulk_create(
        AuthenticationLog(user=user, event=str(number), success=True) for number in range(ROWS)
    )
    AuthenticationLog.objects.filter(event__in=[str(number) for number in range(10, 40)]).update(created_at=moment)
    other = User.objects.create_user("other@example.com")
    AuthenticationLog.objects.create(user=other, event="other", success=True)
    return made


def page(api, url="/api/accounts/me/activity/?page_size=10"):
    answer = api.get(url)
    assert answer.status_code == 200, answer.content
    return answer.json()


def test_going_forward_shows_every_row_once_newest_first(api, rows):
    seen, url = [], "/api/accounts/me/activity/?page_size=10"
    while url:
        answer = page(api, url)
        seen += [(datetime.fromisoformat(row["created_at"]), row["id"]) for row in answer["results"]]
        url = answer["next"]
    assert len(seen) == ROWS
    assert seen == sorted(seen, reverse=True)


def test_going_back_shows_the_same_pages(api, rows):
    forward, url = [], "/api/accounts/me/activity/?page_size=10"
    while url:
        forward.append(page(api, url))
        url = forward[-1]["next"]
    url = forward[-1]["previous"]
    for earlier in reversed(forward[:-1]):
        answer = page(api, url)
        assert answer["results"] == earlier["results"]
        url = answer["previous"]
    assert url is None


def test_a_page_that_fills_exactly_has_no_next(api, rows):
    assert page(api, f"/api/accounts/me/activity/?page_size={ROWS}")["next"] is None


def test_twenty_rows_where_nothing_is_asked(api, rows):
    assert len(page(api, "/api/accounts/me/activity/")["results"]) == 20


@pytest.mark.parametrize("size", ["0", "101", "-1", "x", "", "1e1", "٣", "0000000000000000020", "9" * 5000])
def test_a_size_that_is_none_is_refused(api, size):
    answer = api.get("/api/accounts/me/activity/", {"page_size": size})
    assert answer.status_code == 400
    assert list(answer.json()["details"]) == ["page_size"]


@pytest.mark.parametrize(
    "cursor",
    ["x", "é", "bm8", "WzBd", "WzAsMSwyXQ", "WzAsInllc3RlcmRheSIsIngiXQ", "W10", "MQ", "=", "AAAA" * 500, "\x00"],
)
def test_a_cursor_that_is_not_ours_is_refused(api, cursor):
    answer = api.get("/api/accounts/me/activity/", {"cursor": cursor})
    assert answer.status_code == 400
    assert list(answer.json()["details"]) == ["cursor"]


@pytest.mark.parametrize("size", [1, 50])
def test_a_list_takes_two_queries_whatever_its_size(api, rows, size):
    with CaptureQueriesContext(
        connection,
    ) as queries:
        page(api, f"/api/accounts/me/activity/?page_size={size}")
    assert len(queries) == 2


def test_the_next_page_is_found_in_the_index(api, rows):
    second = page(api)["next"]
    with CaptureQueriesContext(connection) as queries, connection.cursor() as cursor:
        page(api, second)
        # So few rows would sooner be read whole and sorted.
        cursor.execute("SET LOCAL enable_seqscan = off; SET LOCAL enable_sort = off")
        cursor.execute("EXPLAIN " + queries[-2]["sql"])
        plan = "\n".join(row[0] for row in cursor.fetchall())
    condition = plan[plan.index("Index Cond") :]
    assert "ROW(created_at, id) < ROW(" in condition
    assert "->  Sort" not in plan
