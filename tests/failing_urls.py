"""A view that fails with everything it was told in its words, for tests only."""

from typing import Any

import structlog
from django.http import HttpRequest, HttpResponse
from django.urls import path
from django.views.decorators.csrf import csrf_exempt

from core import api

logger = structlog.get_logger("tests.failing")
handler500 = api.server_error


class CannotServe(Exception):
    """As careless as an exception can be."""


@csrf_exempt
def fail(request: HttpRequest) -> HttpResponse:
    told: dict[str, Any] = {"headers": dict(request.headers), "body": request.body, "query": request.GET}
    password = request.GET.get("password")
    logger.warning("about_to_fail", url=request.get_full_path(), **told)
    raise CannotServe(f"cannot serve {request.get_full_path()} with {told}, password={password}")


urlpatterns = [path("fail/", fail)]
