"""How plain requests are answered: by Django's own handler, and deliveries of webhooks by a short way."""

from collections.abc import Callable, Iterable
from typing import Any

from django.core.handlers.exception import convert_exception_to_response
from django.core.handlers.wsgi import WSGIHandler, WSGIRequest
from django.http import HttpRequest, HttpResponse
from django.urls import ResolverMatch, resolve

from analytics.middleware import APITrackingMiddleware
from billing.providers import PROVIDERS
from billing.webhooks import answer
from core.requests import RequestTrackingMiddleware
from core.streams import close_connections

# Of those who send much, and many at once.
WEBHOOKS = {f"/api/billing/webhook/{provider}/": provider for provider in PROVIDERS}
# Both as WSGI has them.
Environ = dict[str, Any]
Start = Callable[..., Any]


class Plain(WSGIHandler):
    """Django's handler, and beside it a short way for webhooks: an id, a record, the view.

    The long way is about sessions, browsers and people, and takes longer than all that is done about a webhook. Who
    sends them, their signature says.
    """

    def __init__(self) -> None:
        super().__init__()
        deliver: Any = convert_exception_to_response(Delivery())
        recorded: Any = APITrackingMiddleware(deliver)
        self.short_way = RequestTrackingMiddleware(recorded)

    def __call__(self, environ: Environ, start_response: Start) -> Any:
        if environ.get("PATH_INFO") in WEBHOOKS and environ["REQUEST_METHOD"] == "POST":
            return self._take(environ, start_response)
        return super().__call__(environ, start_response)

    def _take(self, environ: Environ, start_response: Start) -> Iterable[bytes]:
        try:
            said = self.short_way(WSGIRequest(environ))
        finally:
            # Nobody is told that a request begins or ends here, which is when Django does this.
            close_connections()
        start_response(f"{said.status_code} {said.reason_phrase}", [*said.items()])
        return [said.content]


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
