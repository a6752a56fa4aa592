"""How often somebody may ask: counted in one step in Redis, so exact across threads, processes and machines.

Each limit is a cell of the generic cell rate algorithm: it refills evenly, so `limit` requests may come at once and
then one each `seconds / limit`. Redis keeps the time, so clocks of ours that disagree do not matter.
"""

import hashlib
import math
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import structlog
from django.conf import settings
from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle

from core import redis
from core.errors import LimitsUnavailable, TooMany
from core.requests import client_network

logger = structlog.get_logger(__name__)

# In microseconds, written in full: Redis rounds a plain number to 14 digits, which a time has used up before its
# milliseconds. Answers {allowed, until the cell is full again, to wait}.
TAKE = """
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local emission, window = tonumber(ARGV[1]), tonumber(ARGV[2])
local full_at = math.max(tonumber(redis.call('GET', KEYS[1]) or 0), now)
local after = full_at + emission
if after - now > window then return {0, full_at - now, math.ceil(after - now - window)} end
redis.call('SET', KEYS[1], string.format('%.0f', after), 'PX', math.ceil((after - now) / 1000) + 1)
return {1, math.ceil(after - now), 0}
"""


@dataclass(frozen=True, slots=True)
class Rate:
    """Where a caller stands after asking."""

    allowed: bool
    limit: int
    remaining: int
    reset_seconds: int
    wait_seconds: int

    def headers(self) -> dict[str, str]:
        return {
            "RateLimit-Limit": str(self.limit),
            "RateLimit-Remaining": str(self.remaining),
            "RateLimit-Reset": str(self.reset_seconds),
        }


def take(scope: str, key: str) -> Rate:
    """Count one request of `key` against the limit named `scope`."""
    limit, seconds = settings.THROTTLES[scope]
    emission, window = pace_of(limit, seconds)
    allowed, until_full, wait = redis.evaluate(TAKE, [f"rate:{scope}:{key}"], emission, window)
    remaining = max(0, math.floor((window - until_full) / emission))
    return Rate(bool(allowed), limit, remaining, math.ceil(until_full / 1e6), math.ceil(wait / 1e6))


def pace_of(limit: int, seconds: float) -> tuple[float, float]:
    """What TAKE wants to know of a limit: microseconds from one to the next, and until all of it is there again."""
    return seconds * 1_000_000 / limit, seconds * 1_000_000


def require(scope: str, key: str) -> None:
    """Count one attempt that guards a password or a mailbox, or refuse it."""
    rate = count(scope, key)
    if not rate.allowed:
        # Not each of them: whoever goes on knocking would fill the log.
        if is_news("lock", scope, key):
            logger.warning("attempts_limited", scope=scope, key=digest(key))
        raise TooMany(retry_after=rate.wait_seconds)


def count(scope: str, key: str) -> Rate:
    """Count one attempt: without Redis it is refused, not waved through."""
    try:
        return take(scope, digest(key))
    except redis.RedisAway as away:
        raise LimitsUnavailable(retry_after=redis.REST_SECONDS) from away


def forget(*cells: tuple[str, str]) -> None:
    """Give back all that was counted under these scopes and keys."""
    names = [f"rate:{scope}:{digest(key)}" for scope, key in cells]
    with suppress(redis.RedisAway):
        redis.ask(lambda connection: connection.delete(*names))


def is_news(what: str, scope: str, key: str) -> bool:
    """Whether this is said for the first time within the limit's window, whichever process says it."""
    name, (_, seconds) = f"told:{what}:{scope}:{digest(key)}", settings.THROTTLES[scope]
    try:
        return bool(redis.ask(lambda connection: connection.set(name, 1, nx=True, px=math.ceil(seconds * 1000))))
    except redis.RedisAway:
        return False


def digest(key: str) -> str:
    # E-mail addresses do not belong in Redis.
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()[:32]


class ApiThrottle(BaseThrottle):
    """The general limit: per user, per address for strangers. Open without Redis: it protects our machines only."""

    scope = "api"

    def allow_request(self, request: Request, view: Any) -> bool:
        try:
            self.rate = take(self.scope, _identity(request))
        except redis.RedisAway:
            return True
        request._request.rate_headers = self.rate.headers()  # type: ignore[attr-defined]
        return self.rate.allowed

    def wait(self) -> float:
        return self.rate.wait_seconds


def _identity(request: Request) -> str:
    if request.user and request.user.is_authenticated:
        return f"u{request.user.pk}"
    return f"a{client_network(request._request)}"
