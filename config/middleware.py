"""What stands before everything else: in development a word about host names, and a short way for webhooks."""

from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.core.handlers.exception import convert_exception_to_response
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.http.request import split_domain_port, validate_host
from django.http.response import HttpResponseBase
from django.urls import ResolverMatch, resolve

from analytics.middleware import APITrackingMiddleware
from billing.providers import PROVIDERS
from billing.webhooks import answer
from core.requests import RequestTrackingMiddleware

# Of those who send much, and many at once.
WEBHOOKS = {f"/api/billing/webhook/{provider}/": provider for provider in PROVIDERS}


class TunnelHostMiddleware:
    """Say in one sentence why a host name is refused, since a tunnel's name is new each day."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        host, _ = split_domain_port(request.META.get("HTTP_HOST", "localhost"))
        if validate_host(host, settings.ALLOWED_HOSTS):
            return self.get_response(request)
        message = "This host name is not served. If it is your tunnel's, add it to ALLOWED_HOSTS and start again."
        return JsonResponse({"error": message, "code": "host_refused", "details": {}, "request_id": ""}, status=400)


class WebhookMiddleware:
    """A short way for webhooks: an id, a record, the view. Who sends them, their signature says.

    The long way is about sessions, browsers and people, and takes longer than all that is done about a webhook.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response
        deliver: Any = convert_exception_to_response(Delivery())
        recorded: Any = APITrackingMiddleware(deliver)
        self.short_way = RequestTrackingMiddleware(recorded)

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if request.path_info in WEBHOOKS and request.method == "POST":
            return self.short_way(request)
        return self.get_response(request)


class Delivery:
    """The end of the short way, with addresses that are looked up once."""

    def __init__(self) -> None:
        self.found: dict[str, ResolverMatch] = {}

    def __call__(self, request: HttpRequest) -> HttpResponse:
        path = request.path_info
        if path not in self.found:
            self.found[path] = resolve(path)
        request.resolver_match = self.found[path]
        said = answer(WEBHOOKS[path], request)
        said.setdefault("Content-Length", str(len(said.content)))
        return said
