"""The access log: a row for each request, written down before its answer goes out, or the request is not served."""

import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, cast

import structlog
from django.conf import settings
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.utils.functional import SimpleLazyObject

from core.api import problem_page
from core.redaction import redacted
from core.requests import address_of
from core.spool import Spool, SpoolFull, escaped

# Probes and scrapes come every few seconds, for ever, and tell nothing.
UNRECORDED = {"/health/", "/health/live/", "/health/ready/", "/metrics"}
WAIT_SECONDS, LOOK_SECONDS = 1.0, 0.05
# How many threads may wait for room at once; the others must stay free to answer probes.
WAITERS = 2
# Counted by: a caller who makes methods up makes no rows in the roll-ups.
METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT"}
# As the common proxies write it down.
LEFT = 499
NULL = escaped(None)
# Of headers that callers make as long as they like: kept in memory, and searched for secrets.
LOOKED_AT = 400
COLUMNS = (
    "id", "created_at", "method", "route", "status", "duration_us", "ip", "user_agent", "user_id", "request_id",
    "error_code",
)  # fmt: skip
SPOOL = Spool("analytics_apiaccesslog", COLUMNS)

logger = structlog.get_logger(__name__)


class APITrackingMiddleware:
    """Keep a record of each request. Sync, like what stands before it: a change of mode would cost a thread."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response
        self.waiters = threading.Semaphore(WAITERS)

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if request.path_info in UNRECORDED or request.path_info.startswith(settings.STATIC_URL):
            return self.get_response(request)
        if not SPOOL.has_room() and not self._room_comes():
            return _refuse(request)
        start = time.perf_counter_ns()
        try:
            response = self.get_response(request)
        except BaseException:
            # Django answers errors itself: this is a caller who left before there was an answer.
            record(request, start, LEFT, "")
            raise
        if response.streaming:
            _watch(Visit(request, start, response.status_code), cast(StreamingHttpResponse, response))
        else:
            status = response.status_code
            record(request, start, status, getattr(response, "error_code", "") if status >= 400 else "")
        return response

    def _room_comes(self) -> bool:
        if not self.waiters.acquire(blocking=False):
            return False
        try:
            until = time.monotonic() + WAIT_SECONDS
            while time.monotonic() < until:
                time.sleep(LOOK_SECONDS)
                if SPOOL.has_room():
                    return True
            return False
        finally:
            self.waiters.release()


def _refuse(request: HttpRequest) -> HttpResponse:
    response = problem_page(SpoolFull(), request)
    response["Retry-After"] = "1"
    return response


def record(request: HttpRequest, start: int, status: int, error_code: str) -> None:
    # What repeats comes from memory, and no number is formatted, which is slow where nobody else has just done it:
    # every request pays for this.
    moment, match, meta = time.time_ns(), request.resolver_match, request.META
    digits = str(moment)
    second, begins = _second(digits[:10])
    line = "\t".join((
        # A UUID version 7 like all others, but without chance: no process writes two rows in one nanosecond, and no
        # two processes have the same mark. Decimal digits are hexadecimal ones too.
        f"{begins}7{digits[10:13]}8{digits[13:19]}{SPOOL.mark}",
        f"{second}.{digits[10:16]}Z",
        request.method if request.method in METHODS else "OTHER",
        _plain(match.route) if match else "",
        str(status),
        str((time.perf_counter_ns() - start) // 1000),
        _caller(
            meta.get("HTTP_X_FORWARDED_FOR", "")[-LOOKED_AT:], meta.get("REMOTE_ADDR", ""),
            meta.get("HTTP_USER_AGENT", "")[:LOOKED_AT], settings.TRUSTED_PROXIES,
        ),
        _user_id(request),
        request.request_id,  # type: ignore[attr-defined]
        _plain(error_code) if error_code else "",
    ))  # fmt: skip
    try:
        SPOOL.write(f"{line}\n".encode("utf-8", "replace"))
    except SpoolFull:
        # It has been served and the answer is true; the log on stdout is then the only place left.
        logger.error("request_not_recorded", **dict(zip(COLUMNS, line.split("\t"), strict=True)))


@lru_cache(maxsize=4096)
def _caller(forwarded_for: str, remote: str, user_agent: str, proxies: int) -> str:
    """The address and the browser, as fields."""
    return f"{address_of(forwarded_for, remote, proxies) or NULL}\t{escaped(str(redacted(user_agent))[:300])}"


@lru_cache(maxsize=4)
def _second(seconds: str) -> tuple[str, str]:
    """As a time, and as the beginning of the ids of its rows."""
    return datetime.fromtimestamp(int(seconds), UTC).strftime("%Y-%m-%dT%H:%M:%S"), f"{int(seconds) * 1000:012x}"


@lru_cache(maxsize=1024)
def _plain(text: str) -> str:
    return escaped(text[:200])


def _user_id(request: HttpRequest) -> str:
    """Whom the request was found to come from. Where nobody has asked for a session's user, nobody is asked here."""
    if known := request.__dict__.get("signed_in_as"):
        return str(known)
    # None yet where something has answered before sessions were come to.
    user = getattr(request, "user", None)
    if type(user) is SimpleLazyObject:
        user = getattr(request, "_cached_user", None)
    return user.id.bytes.hex() if user is not None and user.id else NULL


class Visit:
    """A request whose answer is still on its way out."""

    def __init__(self, request: HttpRequest, start: int, status: int) -> None:
        self.request, self.start, self.status = request, start, status
        self.error_code, self.ended = "", False

    def fail(self) -> None:
        self.status, self.error_code = 500, "internal"
        self.end()

    def end(self) -> None:
        if not self.ended:
            self.ended = True
            record(self.request, self.start, self.status, self.error_code)


class Parts:
    """A stream's parts, watched to the end; servers call `close` where it does not come to it."""

    def __init__(self, visit: Visit, parts: Iterator[bytes]) -> None:
        self.visit, self.parts, self.close = visit, parts, visit.end

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        try:
            return next(self.parts)
        except StopIteration:
            self.visit.end()
            raise
        except Exception:
            self.visit.fail()
            raise


class AsyncParts:
    """The same of an asynchronous stream."""

    def __init__(self, visit: Visit, parts: AsyncIterator[bytes]) -> None:
        self.visit, self.parts, self.close = visit, parts, visit.end

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        try:
            return await anext(self.parts)
        except Exception as error:
            self.visit.end() if isinstance(error, StopAsyncIteration) else self.visit.fail()
            raise
        except BaseException:
            # Cancelled: whoever listened has left.
            self.visit.end()
            raise


def _watch(visit: Visit, response: StreamingHttpResponse) -> None:
    content: Any = response.streaming_content
    if response.is_async:
        response.streaming_content = AsyncParts(visit, aiter(content))
    else:
        response.streaming_content = Parts(visit, iter(content))
