"""What is known of a request before any view sees it: its id, and the address it came from."""

import re
from collections.abc import Callable
from ipaddress import IPv6Network, ip_address

import structlog
from django.conf import settings
from django.http import HttpRequest, HttpResponse

from core.ids import uuid7
from core.redaction import redacted

SANE_ID = re.compile(r"[A-Za-z0-9._-]{8,64}", re.ASCII)
# What proxies and programs make: nothing to think about.
PLAIN_ID = re.compile(r"[0-9a-f-]{32,36}", re.ASCII)


class RequestTrackingMiddleware:
    """Give each request an id that logs, tasks and vendor calls carry on, and the answer its counters."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        offered = request.META.get("HTTP_X_REQUEST_ID", "")
        request_id = offered if offered and _is_sane(offered) else str(uuid7())
        request.request_id = request_id  # type: ignore[attr-defined]
        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(request_id=request_id)
        response = self.get_response(request)
        response["X-Request-ID"] = request_id
        for name, value in getattr(request, "rate_headers", {}).items():
            response[name] = value
        return response


def _is_sane(offered: str) -> bool:
    # It is written into every log, so it must not be somebody's key.
    return bool(PLAIN_ID.fullmatch(offered) or (SANE_ID.fullmatch(offered) and redacted(offered) == offered))


def client_address(request: HttpRequest) -> str:
    """The caller's address: the entry our own outermost proxy added, since a caller can forge all before it."""
    proxies = settings.TRUSTED_PROXIES
    return address_of(request.META.get("HTTP_X_FORWARDED_FOR", ""), request.META.get("REMOTE_ADDR", ""), proxies)


def client_network(request: HttpRequest) -> str:
    """What attempts are counted under: one household has a whole /64 of IPv6 addresses to choose from."""
    address = client_address(request)
    return str(IPv6Network(f"{address}/64", strict=False)) if ":" in address else address


def address_of(forwarded_for: str, remote: str, proxies: int) -> str:
    forwarded = [part.strip() for part in forwarded_for.split(",") if part.strip()]
    if proxies and len(forwarded) >= proxies:
        return _address_in(forwarded[-proxies]) or _address_in(remote)
    return _address_in(remote)


def _address_in(text: str) -> str:
    """The address without a port, which some proxies add, or nothing where there is none."""
    host = text.partition("]")[0].lstrip("[") if text.startswith("[") else text
    host = host.partition(":")[0] if host.count(":") == 1 else host
    try:
        address = ip_address(host)
    except ValueError:
        return ""
    return str(getattr(address, "ipv4_mapped", None) or address)
