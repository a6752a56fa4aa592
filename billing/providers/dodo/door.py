"""Dodo's SDK on our terms: through our one door, with no retries of its own, and with its troubles in our words.

An httpx transport hands each request of the SDK to core.http, so its calls have the door's deadline, size bound,
address check and record. The door tries what only reads again; what writes is sent once, for Dodo knows no key that
would make a second try harmless: https://docs.dodopayments.com/api-reference/introduction
"""

import importlib
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import cache
from typing import Any

import httpx
from django.conf import settings

from core import http
from core.errors import NotConfigured, Problem, VendorAnswerInvalid, VendorRefused, VendorTimeout, VendorUnavailable

LONGEST_READ = 10.0
# These are the door's own business, or of no use to Dodo.
LEFT_OUT = {"host", "connection", "content-length", "accept-encoding", "x-stainless-raw-response"}
# What the SDK raises for a body that is not what it expects, or for what it cannot send, besides its own errors.
UNREADABLE = (ValueError, TypeError, AttributeError, LookupError, RecursionError)
CODE = re.compile(r"[A-Z0-9_]{1,80}")
# An id in a path: a prefix and some twenty letters and digits.
ID = re.compile(r"/[a-z]{2,4}_[^/]+")
REQUEST_TIMEOUT = 408


class DoorTransport(httpx.BaseTransport):
    """Stateless: what a call is follows from its address."""

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        # What moves money is waited for longer: its end is worth knowing.
        seconds = min(settings.DODO_SECONDS, LONGEST_READ) if request.method == "GET" else settings.DODO_SECONDS
        answer = http.request(
            vendor="dodo",
            operation=operation_of(request),
            method=request.method,
            url=str(request.url),
            headers={name: value for name, value in request.headers.items() if name not in LEFT_OUT},
            content=request.read() or None,
            timeout=seconds,
            read_timeout=seconds,
            reason=_reason,
        )
        return httpx.Response(answer.status, headers=answer.headers, content=answer.body)


def operation_of(request: httpx.Request) -> str:
    """As the record names it: "get.subscriptions", "post.subscriptions.change-plan"."""
    path = ID.sub("", request.url.path).strip("/").replace("/", ".")
    return f"{request.method.lower()}.{path}"[:60]


@cache
def client(key: str, url: str, live: bool) -> Any:
    """The SDK takes half a second and 38 MB to import: only who moves money pays for it."""
    sdk: Any = importlib.import_module("dodopayments")
    return sdk.DodoPayments(
        bearer_token=key,
        environment="live_mode" if live else "test_mode",
        base_url=url or None,
        max_retries=0,
        # No proxies from the environment: they would lead past the door.
        http_client=httpx.Client(transport=DoorTransport(), trust_env=False),
    )


@contextmanager
def asking() -> Iterator[Any]:
    """The SDK's client; within, whatever goes wrong is one of our errors."""
    key = settings.DODO_API_KEY
    if not key or not (key.isascii() and key.isprintable()):
        raise NotConfigured(details={"setting": "DODO_API_KEY"})
    dodo = client(key, settings.DODO_URL, settings.DODO_LIVE)
    sdk: Any = importlib.import_module("dodopayments")
    try:
        yield dodo
    except sdk.APIStatusError as error:
        raise refusal(error.status_code, error.body) from None
    except sdk.APIError as error:
        # The SDK wraps what its transport raises: the door's own error is inside.
        raise _inside(error) from None
    except UNREADABLE as error:
        raise VendorAnswerInvalid(details={"problem": type(error).__name__}) from None


def refusal(status: int, body: object) -> Problem:
    """An answer outside 2xx that the door let through."""
    details = {"status": status, "code": _code_of(body)}
    if status == REQUEST_TIMEOUT:
        return VendorTimeout(details=details)
    if status >= 500:
        return VendorUnavailable(details=details)
    return VendorRefused(details=details) if status >= 400 else VendorAnswerInvalid(details=details)


def _code_of(body: object) -> str:
    """All that is kept of a refusal: its sentences may quote who pays."""
    code = body.get("code") if isinstance(body, Mapping) else None
    return code if isinstance(code, str) and CODE.fullmatch(code) else ""


def _reason(answer: http.Answer) -> str:
    with suppress(VendorAnswerInvalid):
        return _code_of(answer.json())
    return ""


def is_missing(problem: Problem) -> bool:
    """Dodo says so itself: a 404 of a wrong address is no word on what it stands for."""
    return problem.details.get("status") == 404 and "NOT_FOUND" in problem.details.get("code", "")


def _inside(error: Exception) -> Problem:
    cause = error.__cause__
    return (
        cause if isinstance(cause, Problem) else VendorUnavailable(details={"problem": type(cause or error).__name__})
    )
