"""The start page: how the service is doing, read from the roll-ups alone, so that it opens as fast on a busy day."""

from collections.abc import Callable
from datetime import date, datetime, timedelta
from heapq import merge
from itertools import islice
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db.models import Count
from django.db.models.functions import TruncDate
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone

from accounts.models import User
from analysis.models import OPEN, PostAnalysisRequest, Status
from analytics import rollups
from config import spooled
from config.desk import money
from config.desk.cards import Card
from config.desk.charts import Chart, number
from config.heartbeat import LATE_AFTER_SECONDS, ages
from core import redis
from logs.models import AppLog

HOURS = 48
DAYS = 30
# Beyond two days the roll-ups by day are read, which are far fewer rows.
SLOW_DAYS = 7
SLOWEST = 10
# More than there are: what staff open is left out only after it was read.
ROUTES = 1000
LATEST = 8
# Of the spool, in percent: beyond this somebody should know.
MOST_FULL = 50
BAD_LEVELS = (AppLog.Level.ERROR, AppLog.Level.CRITICAL)


def fill(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    """Add to the page what this member of staff may see."""
    context |= {"cards": [], "charts": []}
    for permission, part in PARTS.items():
        if request.user.has_perm(permission):
            found = part(timezone.now())
            context["cards"] += found.pop("cards", [])
            context["charts"] += found.pop("charts", [])
            context |= found
    return context


def traffic(now: datetime) -> dict[str, Any]:
    # Down to the hour, and up to this one.
    since = now - timedelta(hours=HOURS - 1)
    hours, times = rollups.requests_by_hour(since), rollups.percentiles(since)
    slowest = _slowest(now - timedelta(days=SLOW_DAYS))
    return {
        "cards": _traffic_cards(hours[-24:], times[-24:]),
        "charts": [_requests_chart(hours), _latency_chart(hours, times)],
        "slowest": [{**row, "share": 100 * row["p95_ms"] / slowest[0]["p95_ms"]} for row in slowest if row["p95_ms"]],
        "shows_routes": True,
        "slow_days": SLOW_DAYS,
    }


def _slowest(since: datetime) -> list[dict[str, Any]]:
    routes = rollups.slowest_routes(since, limit=ROUTES)
    return [row for row in routes if not row["route"].lstrip("/").startswith("admin/")][:SLOWEST]


def _traffic_cards(hours: list[dict[str, Any]], times: list[dict[str, Any]]) -> list[Card]:
    requests, errors, refusals = (sum(row[name] for row in hours) for name in ("requests", "errors", "refusals"))
    slow = [row["p95_ms"] for row in times if row["requests"]]
    link = f"{reverse('admin:analytics_apiaccesslog_changelist')}?status="
    return [
        Card("Requests, 24 h", number(requests), f"{number(refusals)} refused (4xx)", link[: -len("?status=")]),
        Card("Errors, 24 h", number(errors), _share(errors, requests), f"{link}5", bad=errors > 0),
        Card("p95, worst hour", f"{max(slow):,.0f} ms" if slow else "-", "of the last 24"),
    ]


def _share(part: int, whole: int) -> str:
    return f"{100 * part / whole:.2f} % of requests" if whole else "no requests"


def _requests_chart(hours: list[dict[str, Any]]) -> Chart:
    well = [row["requests"] - row["errors"] - row["refusals"] for row in hours]
    refused, failed = ([row[name] for row in hours] for name in ("refusals", "errors"))
    return Chart(
        title=f"Requests an hour, {HOURS} h",
        labels=[f"{row['start']:%a %H:%M}" for row in hours],
        series={"answered": well, "refused (4xx)": refused, "errors (5xx)": failed},
        empty="Requests show here by the hour as soon as the first is answered.",
    )


def _latency_chart(hours: list[dict[str, Any]], times: list[dict[str, Any]]) -> Chart:
    seen = {row["start"]: row for row in times}
    return Chart(
        title=f"How long requests took, {HOURS} h",
        labels=[f"{row['start']:%a %H:%M}" for row in hours],
        series={
            name: [_rounded(seen.get(row["start"], {}).get(f"{name}_ms")) for row in hours]
            for name in ("p50", "p95", "p99")
        },
        empty="The median, p95 and p99 of each hour show here as soon as there are requests.",
        kind="line",
        unit="ms",
    )


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 1)


def people(now: datetime) -> dict[str, Any]:
    days = _days(now)
    # The ids sort by the time they were made, and are indexed.
    first = UUID(int=int(datetime.combine(days[0], datetime.min.time(), tzinfo=now.tzinfo).timestamp() * 1000) << 80)
    joined = User.objects.filter(pk__gte=first).annotate(day=TruncDate("created_at")).values_list("day")
    counted = dict(joined.annotate(n=Count("pk")).order_by("day"))
    per_day = [counted.get(day, 0) for day in days]
    link = reverse("admin:accounts_user_changelist")
    return {
        "cards": [Card("Sign-ups today", number(per_day[-1]), f"{number(sum(per_day))} in {DAYS} days", link)],
        "charts": [
            Chart(
                title=f"Sign-ups a day, {DAYS} days",
                labels=[f"{day:%d %b}" for day in days],
                series={"sign-ups": per_day},
                empty="Whoever signs up shows here by the day.",
            )
        ],
    }


def analyses(now: datetime) -> dict[str, Any]:
    # Of a day, each state by its index: a month of them would be as many rows as were asked for.
    asked = PostAnalysisRequest.objects.filter(created_at__gte=now - timedelta(hours=24))
    counted = {state: asked.filter(status=state).count() for state in Status.values}
    failed, going = counted[Status.FAILED], sum(counted[state] for state in OPEN)
    link = reverse("admin:analysis_postanalysisrequest_changelist")
    lead = f"{link}?status__exact={Status.FAILED}" if failed else link
    note = f"{number(failed)} failed, {number(going)} under way"
    return {"cards": [Card("Analyses, 24 h", number(sum(counted.values())), note, lead, bad=failed > 0)]}


def spending(now: datetime) -> dict[str, Any]:
    days, spent = _days(now), rollups.spend_by_day(now - timedelta(days=DAYS - 1))
    vendors = sorted({row["name"] for row in spent})
    dollars = {(row["day"], row["name"]): (row["cost_micros"] or 0) / 1_000_000 for row in spent}
    series = {vendor: [round(dollars.get((day, vendor), 0.0), 4) for day in days] for vendor in vendors}
    today = sum(values[-1] for values in series.values())
    unpriced = sum(row["unpriced"] or 0 for row in spent)
    note = (
        f"{unpriced:,} calls without a price" if unpriced else f"${sum(map(sum, series.values())):,.2f} in {DAYS} days"
    )
    link = reverse("admin:analytics_externalapicalllog_changelist")
    return {
        "cards": [Card("Vendor spend today", f"${today:,.2f}", note, link, bad=unpriced > 0)],
        "charts": [
            Chart(
                title=f"Vendor spend a day, {DAYS} days",
                labels=[f"{day:%d %b}" for day in days],
                series=series,
                empty="What each vendor costs shows here by the day, from the first call that has a price.",
                unit="$",
            )
        ],
    }


def _days(now: datetime) -> list[date]:
    return [now.date() - timedelta(days=back) for back in range(DAYS - 1, -1, -1)]


def troubles(now: datetime) -> dict[str, Any]:
    # One look at the index for each level: both at once would read the log until it has found enough.
    of_level = [AppLog.objects.filter(level=level).order_by("-created_at", "-id")[:LATEST] for level in BAD_LEVELS]
    newest = merge(*of_level, key=lambda line: line.created_at, reverse=True)
    return {"errors": list(islice(newest, LATEST)), "shows_errors": True}


def machine_room(now: datetime) -> dict[str, Any]:
    return {"cards": [_workers(), _spool()]}


def _workers() -> Card:
    try:
        seen = ages()
    except redis.RedisAway:
        return Card("Workers", "unknown", "Redis does not answer", bad=True)
    late = [name.removeprefix("worker:") for name, age in seen.items() if age is None or age > LATE_AFTER_SECONDS]
    return Card(
        "Workers", "quiet" if late else "ok", ", ".join(late) or "every queue and beat", "/health/", bad=bool(late)
    )


def _spool() -> Card:
    """Rows of logs that wait on this machine."""
    waiting, late = spooled.files(), spooled.oldest_seconds()
    share = 100 * waiting.bytes / settings.SPOOL_MAX_BYTES
    note = f"{share:.0f} % full; {'a shipper runs' if spooled.has_shipper() else 'no shipper runs here'}"
    return Card("Log rows wait", f"{late:,.0f} s", note, bad=late > LATE_AFTER_SECONDS or share > MOST_FULL)


PARTS: dict[str, Callable[[datetime], dict[str, Any]]] = {
    "analytics.view_apiaccesslog": traffic,
    "accounts.view_user": people,
    "billing.view_payment": money.at_a_glance,
    "billing.view_billingevent": money.deliveries,
    "analysis.view_postanalysisrequest": analyses,
    "analytics.view_externalapicalllog": spending,
    "logs.view_applog": troubles,
    "django_celery_results.view_taskresult": machine_room,
}
