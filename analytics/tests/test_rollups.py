"""The roll-ups are what counting every row would say, and the questions are answered from them."""

import random
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from accounts.models import Plan, Subscription
from analytics import rollups
from analytics.models import LatencyRollup, RequestRollup, SpendRollup, UnitRollup, VendorPrice, VendorRollup
from analytics.people import NOBODY
from analytics.recount import forget_old_hours, rebuild_rollups
from core.ids import uuid7
from logs.partitions import drop_old_partitions, ensure_partitions

ROLLUPS = (RequestRollup, LatencyRollup, VendorRollup, UnitRollup, SpendRollup)
NOW = datetime(2026, 11, 21, 12, 30, tzinfo=UTC)
USERS, ANALYSES = [uuid7() for _ in range(3)], [uuid7() for _ in range(3)]
REQUEST_COLUMNS = "id, created_at, method, route, status, duration_us"
CALL_COLUMNS = "id, created_at, vendor, operation, model, outcome, duration_ms, units, user_id, analysis_id"


def copy(table: str, columns: str, rows: list[tuple[Any, ...]]) -> None:
    with connection.cursor() as cursor, cursor.copy(f"COPY {table} ({columns}) FROM STDIN") as into:
        for row in rows:
            into.write_row(row)


def keep_requests(*rows: tuple[Any, ...]) -> None:
    copy("analytics_apiaccesslog", REQUEST_COLUMNS, [(uuid7(), *row) for row in rows])


def keep_calls(*rows: tuple[Any, ...]) -> None:
    copy("analytics_externalapicalllog", CALL_COLUMNS, [(uuid7(), *row) for row in rows])


def some_requests(chance: random.Random, size: int) -> list[tuple[Any, ...]]:
    return [
        (
            NOW - timedelta(seconds=chance.random() ** 3 * 70 * 86400),
            chance.choice(["GET", "POST"]),
            chance.choice(["/a/", "/b/<id>/", ""]),
            chance.choice([200, 200, 404, 500]),
            int(chance.lognormvariate(9, 2)),
        )
        for _ in range(size)
    ]


def some_calls(chance: random.Random, size: int) -> list[tuple[Any, ...]]:
    return [
        (
            NOW - timedelta(seconds=chance.random() ** 3 * 70 * 86400),
            chance.choice(["acme", "unpriced"]),
            chance.choice(["posts", "media"]),
            chance.choice(["", "m-1"]),
            chance.choice(["ok", "vendor_busy"]),
            chance.randrange(5000),
            chance.choice(['{"records": 3}', "{}", '{"records": 1, "input_tokens": 12}', "[]", '{"records": "many"}']),
            chance.choice([None, *USERS]),
            chance.choice([None, *ANALYSES]),
        )
        for _ in range(size)
    ]


def contents() -> dict[str, list[Any]]:
    return {model.__name__: sorted(map(repr, model.objects.values_list())) for model in ROLLUPS}


@pytest.fixture
def price(db) -> None:
    VendorPrice.objects.create(
        vendor="acme", unit="records", micros_per_million=2_000_000_000, valid_from=NOW - timedelta(days=900)
    )


@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.usefixtures("price")
def test_counting_as_rows_come_is_counting_them_all_again(seed):
    chance = random.Random(seed)
    for _ in range(12):
        keep_requests(*some_requests(chance, chance.randrange(40)))
        keep_calls(*some_calls(chance, chance.randrange(40)))
    kept = contents()
    assert all(kept.values())
    assert rebuild_rollups(now=NOW) > 60
    assert contents() == kept
    assert rebuild_rollups(NOW - timedelta(days=3), now=NOW) == 8
    assert contents() == kept


@pytest.mark.django_db
def test_the_triggers_count_what_a_plain_count_counts():
    rows = some_requests(random.Random(7), 500)
    keep_requests(*rows[:200])
    keep_requests(*rows[200:])
    counted = Counter((at.replace(minute=0, second=0, microsecond=0), *names) for at, *names, _ in rows)
    columns = ("start", "method", "route", "status", "requests")
    hours = RequestRollup.objects.filter(period="hour").exclude(route="*").values_list(*columns)
    assert {tuple(row[:4]): row[4] for row in hours} == counted
    for period in ("hour", "day", "total"):
        # All routes together are counted once more, but not in the total.
        times = 1 if period == "total" else 2
        kept = RequestRollup.objects.filter(period=period).values_list("requests", "micros")
        assert [sum(column) for column in zip(*kept, strict=True)] == [
            500 * times,
            sum(row[-1] for row in rows) * times,
        ]
        assert sum(LatencyRollup.objects.filter(period=period).values_list("requests", flat=True)) == 500 * times


@pytest.mark.usefixtures("price")
def test_the_spend_is_what_a_plain_sum_says():
    rows = some_calls(random.Random(8), 300)
    keep_calls(*rows[:100])
    keep_calls(*rows[100:])
    # At 2,000 micro-dollars a record; where anything else was used, or no price is known, the cost is unknown.
    costs = {("acme", '{"records": 3}'): 6000, ("acme", "{}"): 0, ("unpriced", "{}"): 0}
    known = [(row, costs.get((row[1], row[6]))) for row in rows]
    spent = sum(cost or 0 for _, cost in known)
    for period in ("hour", "day", "total"):
        kept = VendorRollup.objects.filter(period=period).values_list("calls", "cost_micros", "unpriced")
        unpriced = sum(cost is None for _, cost in known)
        assert [sum(column) for column in zip(*kept, strict=True)] == [300, spent, unpriced]
    for about, place in (("user", -2), ("analysis", -1)):
        by_subject: Counter[Any] = Counter()
        for row, cost in known:
            by_subject[row[place] or NOBODY] += cost or 0
        if about == "analysis":
            del by_subject[NOBODY]
        found: Counter[Any] = Counter()
        for subject, cost in SpendRollup.objects.filter(about=about).values_list("subject", "cost_micros"):
            found[subject] += cost
        assert found == by_subject


@pytest.mark.usefixtures("price")
def test_a_recount_mends_what_was_spoilt_and_leaves_what_has_been_dropped(settings):
    settings.LOG_TABLES = dict.fromkeys(settings.LOG_TABLES, 1)
    keep_requests((NOW - timedelta(days=100), "GET", "/old/", 200, 1000), (NOW, "GET", "/new/", 200, 1000))
    ensure_partitions(NOW)
    right = contents()
    assert "analytics_apiaccesslog_2026_08" in drop_old_partitions(NOW)
    assert contents() == right
    RequestRollup.objects.filter(route="/new/", period="day").update(requests=99)
    RequestRollup.objects.filter(period="total").delete()
    LatencyRollup.objects.filter(route="/new/").delete()
    rebuild_rollups(now=NOW)
    assert contents() == right


@pytest.mark.django_db
def test_hours_are_forgotten_and_days_are_kept():
    keep_requests((NOW - timedelta(days=91), "GET", "/a/", 200, 1), (NOW - timedelta(days=89), "GET", "/a/", 200, 1))
    assert forget_old_hours(NOW) == 4
    assert RequestRollup.objects.filter(period="hour", route="/a/").count() == 1
    assert RequestRollup.objects.filter(period="day", route="/a/").count() == 2


@pytest.mark.django_db(transaction=True, serialized_rollback=True)
def test_batches_at_once_wait_for_each_other_and_all_count():
    batches = [some_requests(random.Random(seed), 60) for seed in range(24)]

    def keep(rows: list[tuple[Any, ...]]) -> None:
        random.shuffle(rows)
        try:
            keep_requests(*rows)
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(keep, batches))
    assert sum(RequestRollup.objects.filter(period="total").values_list("requests", flat=True)) == 24 * 60


@pytest.mark.django_db
def test_a_row_longer_than_its_column_counts_all_the_same():
    keep_requests((NOW, "PROPPATCHANDMORE", "/" + "long" * 5000, 200, 10**18), (NOW, "GET", "/", 599, -5))
    keep_calls((NOW, "v" * 3000, "o" * 3000, "m" * 9000, "x" * 9000, 1, '{"a": 1e300, "b": {}}', None, None))
    assert len(rollups.request_totals()) == 2
    assert [row["calls"] for row in rollups.vendor_totals()] == [1]


# What is asked of them


@pytest.mark.django_db
def test_requests_by_hour_shows_the_empty_hours_too():
    now = timezone.now()
    keep_requests(*[(now, "GET", "/a/", status, 1000) for status in (200, 404, 500, 503)])
    hours = rollups.requests_by_hour(now - timedelta(hours=3))
    assert [row["requests"] for row in hours] == [0, 0, 0, 4]
    assert (hours[-1]["errors"], hours[-1]["refusals"]) == (2, 1)


@pytest.mark.parametrize("ago", [timedelta(hours=1), timedelta(days=20)])
@pytest.mark.django_db
def test_percentiles_are_at_most_a_tenth_off(ago):
    now, chance = timezone.now(), random.Random(5)
    durations = sorted(int(chance.lognormvariate(10, 1)) for _ in range(2000))
    keep_requests(*[(now, "GET", "/slow/", 200, duration) for duration in durations])
    keep_requests(*[(now, "GET", "/quick/", 200, 200) for _ in range(50)], (now, "GET", "/rare/", 200, 10**9))
    slowest, quick = rollups.slowest_routes(now - ago)
    (hour,) = rollups.percentiles(now - ago, route="/slow/", period="day")
    assert (slowest["route"], slowest["requests"], quick["route"]) == ("/slow/", 2000, "/quick/")
    for share in (50, 95, 99):
        exact = durations[share * 20 - 1] / 1000
        assert slowest[f"p{share}_ms"] == hour[f"p{share}_ms"] == pytest.approx(exact, rel=0.1)


@pytest.mark.usefixtures("price")
def test_what_was_spent_is_told_by_vendor_operation_model_and_user():
    now = timezone.now()
    spend = ("acme", "posts", "m-1", "ok", 5, '{"records": 3}')
    keep_calls((now, *spend, USERS[0], ANALYSES[0]), (now, *spend, USERS[0], ANALYSES[1]), (now, *spend, None, None))
    keep_calls((now, "acme", "media", "", "vendor_busy", 5, '{"bytes": 3}', None, ANALYSES[1]))
    found = {by: rollups.spend_by_day(now, by) for by in ("vendor", "operation", "model", "user")}
    assert {by: [row["name"] for row in rows] for by, rows in found.items()} == {
        "vendor": ["acme"],
        "operation": ["acme posts", "acme media"],
        "model": ["m-1", ""],
        "user": [USERS[0], None],
    }
    day = {"day": now.astimezone(UTC).date(), "calls": 4, "errors": 1, "cost_micros": 18_000, "unpriced": 1}
    assert found["vendor"] == [{**day, "name": "acme"}]
    assert [row["cost_micros"] for row in found["user"]] == [12_000, 6_000]
    assert rollups.cost_per_analysis(now) == {
        "analyses": 2, "mean_micros": 6000, "p50_micros": 6000, "p95_micros": 6000, "max_micros": 6000,
    }  # fmt: skip
    assert [(row["unit"], row["amount"]) for row in rollups.units_by_day(now)] == [("bytes", 3), ("records", 9)]


@pytest.mark.usefixtures("price")
def test_the_margin_of_a_plan_is_what_it_brings_less_what_its_users_cost(user):
    now = timezone.now()
    free, pro = (Plan.objects.get_or_create(slug=slug)[0] for slug in ("free", "pro"))
    moved = now - timedelta(days=10)
    Subscription.objects.filter(user=user).update(
        status="CANCELLED", created_at=now - timedelta(days=40), updated_at=moved
    )
    later = Subscription.objects.create(user=user, plan=pro)
    Subscription.objects.filter(pk=later.pk).update(created_at=moved)
    for days_ago, records in ((20, 1), (10, 2), (0, 3)):
        units = f'{{"records": {records}}}'
        keep_calls((now - timedelta(days=days_ago), "acme", "posts", "", "ok", 5, units, user.pk, None))
    keep_calls((now, "acme", "posts", "", "ok", 5, '{"records": 7}', None, None))
    margins = {row["plan"]: row for row in rollups.margin_per_plan(now - timedelta(days=30))}
    assert margins["free"]["spend_micros"] == 2_000
    revenue = round(11 * pro.price * 10_000 * 12 / 365)
    assert margins["pro"] == {
        "plan": "pro", "currency": "USD", "users": 1, "revenue_micros": revenue, "spend_micros": 10_000,
        "margin_micros": revenue - 10_000,
    }  # fmt: skip
    assert margins[None]["margin_micros"] == -14_000
    assert free.price == margins["free"]["revenue_micros"] == 0


@pytest.mark.usefixtures("price")
def test_a_subscription_that_is_touched_after_its_end_counts_no_call_twice(user):
    now = timezone.now()
    moved = now - timedelta(days=10)
    Subscription.objects.filter(user=user).update(
        status="CANCELLED", created_at=now - timedelta(days=40), updated_at=now
    )
    later = Subscription.objects.create(user=user, plan=Plan.objects.get(slug="pro"))
    Subscription.objects.filter(pk=later.pk).update(created_at=moved)
    keep_calls((now - timedelta(days=5), "acme", "posts", "", "ok", 5, '{"records": 1}', user.pk, None))
    spent = {row["plan"]: row["spend_micros"] for row in rollups.margin_per_plan(now - timedelta(days=30))}
    assert spent == {"free": 0, "pro": 2_000}
