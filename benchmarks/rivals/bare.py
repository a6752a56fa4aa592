"""The bare Django views: the same rows and the same bytes, for a user taken from the path."""

from functools import cache
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django.conf import settings
from django.http import HttpRequest, JsonResponse
from django.urls import path

from accounts.models import Plan, Subscription
from analytics.models import AuthenticationLog
from core.paging import Cursor

COMPACT = {"separators": (",", ":"), "ensure_ascii": False}
ACTIVITY = ("id", "created_at", "event", "success", "reason", "ip", "user_agent")
PLAN = (
    "id", "slug", "name", "price", "currency", "interval", "max_handles", "max_urls", "max_analyses_per_day",
    "max_questions_per_day", "features",
)  # fmt: skip
SUBSCRIPTION = ("current_period_start", "current_period_end", "cancel_at_period_end", "created_at")
PROFILE = ("id", "email", "email_verified", "full_name", "company_name", "profile_image", "created_at")


def activity(request: HttpRequest, user: UUID) -> JsonResponse:
    rows = AuthenticationLog.objects.filter(user=user).order_by("-created_at", "-id").values(*ACTIVITY)
    found = list(rows[:50])
    answer = {"next": _next(user, found[-1]["created_at"], found[-1]["id"]), "previous": None, "results": found}
    return _answer(answer)


@cache
def _next(user: UUID, *values: Any) -> str:
    # The link costs a bare view next to nothing: it has no cursor to make, only the bytes to match.
    query = urlencode(
        {"page_size": 50, "cursor": Cursor([values[0].isoformat().replace("+00:00", "Z"), values[1]]).encode()}
    )
    return f"https://{settings.ALLOWED_HOSTS[0]}/api/accounts/me/activity/?{query}"


def subscription(request: HttpRequest, user: UUID) -> JsonResponse:
    live = Subscription.objects.select_related("plan").get(user=user, status="ACTIVE")
    return _answer(_subscription(live))


def profile(request: HttpRequest, user: UUID) -> JsonResponse:
    live = Subscription.objects.select_related("plan", "user").get(user=user, status="ACTIVE")
    answer = {name: getattr(live.user, name) for name in PROFILE}
    answer |= {"plan": _plan(live.plan), "subscription": _subscription(live)}
    return _answer(answer)


def _answer(body: dict[str, Any]) -> JsonResponse:
    response = JsonResponse(body, json_dumps_params=COMPACT)
    # CommonMiddleware would do it; without it the server sends chunks.
    response["Content-Length"] = len(response.content)
    return response


def _subscription(live: Subscription) -> dict[str, Any]:
    answer = {"id": live.pk, "plan": _plan(live.plan), "status": live.status, "downgrade_to_plan": None}
    return answer | {name: getattr(live, name) for name in SUBSCRIPTION}


def _plan(plan: Plan) -> dict[str, Any]:
    return {name: getattr(plan, name) for name in PLAN}


urlpatterns = [
    path("activity/<uuid:user>/", activity),
    path("subscription/<uuid:user>/", subscription),
    path("profile/<uuid:user>/", profile),
]
