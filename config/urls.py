"""Every address the service answers to."""

from collections.abc import Callable
from typing import Any

from django.contrib import admin
from django.http import HttpRequest, HttpResponseBase, JsonResponse
from django.urls import include, path, re_path
from django.views.generic import RedirectView
from drf_spectacular.utils import extend_schema
from drf_spectacular.views import SpectacularSwaggerView
from rest_framework.decorators import api_view, authentication_classes, permission_classes, schema, throttle_classes
from rest_framework.permissions import AllowAny

from analysis.views import PostsOfRequest
from analytics.views import Activity
from config import health
from core.api import no_such_endpoint
from core.schema import Description, SelfContained
from feedback.views import OwnFeedback
from social import files


def shape(*states: str, **more: Any) -> dict[str, Any]:
    """What a health check answers: its state, and more."""
    return {
        "type": "object",
        "required": ["status", *more],
        "properties": {"status": {"type": "string", "enum": states}, **more},
    }


def check(answer: Callable[[HttpRequest], JsonResponse], *shapes: dict[str, Any]) -> Callable[..., HttpResponseBase]:
    """A health check as an endpoint: for anybody, never counted, with a shape for 200 and perhaps one for 503."""
    for choose in (permission_classes([AllowAny]), authentication_classes([]), throttle_classes([])):
        choose(answer)
    view = api_view(["GET", "HEAD"])(schema(SelfContained())(answer))
    return extend_schema(responses=dict(zip((200, 503), shapes, strict=False)))(view)


AGE = {"type": ["number", "null"], "description": "Null where there was none yet."}
TIMED = shape("ok", "down", ms={"type": "number"})
WORKERS = shape("ok", "quiet", "unknown")
WORKERS["properties"]["seconds_since_last_task"] = {"type": "object", "additionalProperties": AGE}
BEAT = shape("ok", "quiet", "unknown")
BEAT["properties"]["seconds_since_last_tick"] = AGE
LOGS = shape("ok", "late", "unknown")
LOGS["properties"]["spool_bytes"] = {"type": "integer", "description": "What rows that are on their way occupy."}
LOGS["properties"]["seconds_waiting"] = {"type": "number", "description": "Of the oldest row that is not in its table."}
LOGS["properties"]["partitions_missing"] = {"type": "integer", "description": "Months that should be there by now."}
VENDOR: dict[str, Any] = {
    "type": "object",
    "required": ["state", "failures", "seconds_left", "reason"],
    "properties": {
        "state": {"type": "string", "enum": ["closed", "open", "half-open"]},
        "failures": {"type": "integer", "minimum": 0, "description": "In a row, within the last minute."},
        "seconds_left": {"type": "number", "minimum": 0, "description": "Until it is asked again."},
        "reason": {"type": "string", "description": "The code of the error that opened it."},
    },
}
VENDORS = {
    "type": "object",
    "additionalProperties": VENDOR,
    "description": "The breaker of each vendor: open while it is spared. Empty while Redis is away.",
}
READY = shape("ok", "down", database=TIMED)
PARTS = {"database": TIMED, "redis": TIMED, "workers": WORKERS, "beat": BEAT, "logs": LOGS, "vendors": VENDORS}
HEALTH = shape("ok", "degraded", "down", **PARTS)

# The busiest first: every request walks down this list.
urlpatterns = [
    path("api/accounts/me/activity/", Activity.as_view()),
    path("api/accounts/", include("accounts.urls")),
    path("api/analysis/", include("analysis.urls")),
    path("api/social/posts/analysis/<uuid:request_id>/", PostsOfRequest.as_view()),
    path("api/social/", include("social.urls")),
    path("media/<path:name>", files.show),
    path("api/billing/", include("billing.urls")),
    path("api/feedback/", OwnFeedback.as_view()),
    path("", RedirectView.as_view(url="/api/docs/")),
    path("admin/", admin.site.urls),
    path("health/", check(health.health, HEALTH, HEALTH)),
    path("health/live/", check(health.live, shape("ok"))),
    path("health/ready/", check(health.ready, READY, READY)),
    path("api/schema/", Description.as_view(), name="schema"),
    path("api/docs/", SpectacularSwaggerView.as_view(throttle_classes=[], metadata_class=None)),
    re_path(r"^api/", no_such_endpoint),
]

handler400 = "core.api.bad_request"
handler403 = "core.api.permission_denied"
handler404 = "core.api.not_found"
handler500 = "core.api.server_error"
