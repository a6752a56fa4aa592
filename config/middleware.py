"""In development, a word about host names before everything else."""

from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.http.request import split_domain_port, validate_host


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
