"""How the outside services are doing: calls, failures and cost of a day, and whether a breaker keeps us from one."""

from datetime import timedelta
from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils import timezone

from analytics import rollups
from core import redis, vendors

HOURS = 24


def show(request: HttpRequest) -> HttpResponse:
    if not request.user.has_perm("analytics.view_externalapicalllog"):
        raise PermissionDenied
    states, known = _states()
    context = {
        **admin.site.each_context(request),
        "title": "Vendors",
        "rows": [_row(vendor, states.get(vendor["vendor"])) for vendor in _vendors(states)],
        "breakers_known": known,
        "hours": HOURS,
    }
    return TemplateResponse(request, "desk/vendors.html", context)


def _states() -> tuple[dict[str, dict[str, Any]], bool]:
    try:
        return vendors.states(), True
    except redis.RedisAway:
        return {}, False


def _vendors(states: dict[str, dict[str, Any]]) -> list[dict[str, Any]]:
    """Whoever was called, and whoever could have been."""
    called = {row["vendor"]: row for row in rollups.vendor_health(timezone.now() - timedelta(hours=HOURS))}
    nothing = {"calls": 0, "errors": 0, "mean_ms": None, "cost_micros": 0, "unpriced": 0, "worst": ""}
    return [called.get(name, {"vendor": name, **nothing}) for name in sorted({*called, *states})]


def _row(row: dict[str, Any], state: dict[str, Any] | None) -> dict[str, Any]:
    share = 100 * row["errors"] / row["calls"] if row["calls"] else 0.0
    breaker = state["state"] if state else "-"
    return {**row, "share": share, "cost": row["cost_micros"] / 1_000_000, "breaker": breaker, "state": state}
