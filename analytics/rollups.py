"""What the roll-ups tell, one cheap query each; triggers keep them (sql/0005_prices_and_rollups.sql)."""

from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any, Literal

from django.db import connection

from accounts.models import Subscription

Rows = list[dict[str, Any]]
# Hours are many; what reaches further back is told from the days.
HOURS_ARE_READ_FOR = timedelta(days=2)
LIVE = [str(status) for status in Subscription.LIVE]
# These have not begun, or never will.
NEVER_LIVE = [str(status) for status in (Subscription.Status.PENDING, Subscription.Status.FAILED)]


def requests_by_hour(since: datetime) -> Rows:
    return _ask("requests_by_hour", since=since)


def percentiles(since: datetime, *, period: Literal["hour", "day"] = "hour", route: str = "*") -> Rows:
    return _ask("percentiles", since=since, period=period, route=route)


def slowest_routes(since: datetime, *, limit: int = 10, least: int = 20) -> Rows:
    """Routes by their 95th percentile; those with fewer than `least` requests are left out."""
    period = "hour" if datetime.now(UTC) - since <= HOURS_ARE_READ_FOR else "day"
    return _ask("slowest_routes", since=since, period=period, limit=limit, least=least)


def spend_by_day(
    since: datetime, by: Literal["vendor", "operation", "model", "user"] = "vendor", *, limit: int = 20
) -> Rows:
    """What the `limit` dearest of a kind cost on each day."""
    return _ask("spend_by_user" if by == "user" else "spend_by_day", by=by, since=since, limit=limit)


def units_by_day(since: datetime) -> Rows:
    return _ask("units_by_day", since=since)


def cost_per_analysis(since: datetime) -> dict[str, Any]:
    return _ask("cost_per_analysis", since=since)[0]


def margin_per_plan(since: datetime) -> Rows:
    """What each plan brought in and what its users cost; days are priced as the twelfth part of a year goes."""
    return _ask("margin_per_plan", since=since, live=LIVE, never=NEVER_LIVE)


def request_totals() -> Rows:
    return _ask("request_totals")


def latency_totals() -> Rows:
    """How many requests took up to `le` seconds, and longer than the `le` below it."""
    return _ask("latency_totals")


def vendor_health(since: datetime) -> Rows:
    return _ask("vendor_health", since=since)


def vendor_totals() -> Rows:
    return _ask("vendor_totals")


def _ask(name: str, **values: Any) -> Rows:
    with connection.cursor() as cursor:
        cursor.execute(statement(name), values or None)
        columns = [column.name for column in cursor.description]
        return [dict(zip(columns, row, strict=True)) for row in cursor.fetchall()]


@cache
def statement(name: str) -> str:
    return (Path(__file__).parent / "sql" / f"{name}.sql").read_text()
