"""What stands before everything else: in development a word about host names, and a short way for webhooks."""

from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.http.request import split_domain_port, validate_host
from django.http.response import HttpResponseBase
from django.urls import ResolverMatch, resolve

# Of those who send much, and many at once.
WEBHOOKS = frozenset({"/api/billing/webhook/dodo/", "/api/billing/webhook/stripe/"})


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
    """The end of the way for webhooks, which have an id and a record by now. Who sends them, their signature says.

    What follows is about sessions, browsers and people, and takes half as long again as all that is done about one.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response
        self.found: dict[str, ResolverMatch] = {}

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        path = request.path_info
        if path not in WEBHOOKS or request.method != "POST":
            return self.get_response(request)
        if path not in self.found:
            self.found[path] = resolve(path)
        request.resolver_match = match = self.found[path]
        answer: HttpResponseBase = match.func(request)
        return answer
