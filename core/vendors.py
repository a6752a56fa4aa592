"""How a vendor is spared, by all our workers together: a rate budget, and a breaker that opens while it fails.

    twitterapi = Vendor("twitterapi")
    answer = twitterapi.request(operation="tweets", url=..., headers=...)     # core.http.request, spared
    with ytdlp.spared():                                                      # around anything else
        ...

Only so many are at a vendor at once (VENDOR_TURNS); whoever comes next waits for a turn.

Both live in Redis. Without it no vendor is called: one of them bans an address for good after 25 refusals in five
minutes. The breaker opens after FAILURES failures in a row within WINDOW seconds, for REST seconds; then one caller
may try, and its success closes it. A vendor that says when to come again opens it until then.
"""

import math
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from django.conf import settings

from core import http, redis
from core.errors import VendorBusy, VendorUnavailable
from core.throttling import TAKE, pace_of

FAILURES, WINDOW, REST = 5, 60, 30.0
# How long a turn is waited for where the caller has no deadline of its own, and when to come again after that.
TURN_WAIT, TURN_REST, LOOK_AGAIN = 10.0, 5.0, 0.05
# A shorter wait than this is waited for; a longer one belongs in the row of whoever asks.
SHORT_WAIT = 1.0

# Answers {milliseconds that the breaker stays open, microseconds to wait for the budget}: twice 0 lets the caller
# through. After the rest one caller is let through at a time.
ENTER = f"""
local function take(KEYS, ARGV) {TAKE} end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local until_ms = tonumber(redis.call('HGET', KEYS[1], 'until') or 0)
if now < until_ms then return {{until_ms - now, 0}} end
local rate = take({{KEYS[2]}}, {{ARGV[2], ARGV[3]}})
if rate[1] == 1 and until_ms > 0 then
    redis.call('HSET', KEYS[1], 'until', string.format('%.0f', now + tonumber(ARGV[1])), 'trial', 1)
end
return {{0, rate[3]}}
"""
# One more failure; opens for ARGV[3] at the limit, or at once where the rest is said.
FAIL = """
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local failures = redis.call('HINCRBY', KEYS[1], 'failures', 1)
local until_ms = tonumber(redis.call('HGET', KEYS[1], 'until') or 0)
if failures >= tonumber(ARGV[1]) or ARGV[4] == '1' or until_ms > 0 then
    until_ms = math.max(now + tonumber(ARGV[3]), until_ms)
    redis.call('HSET', KEYS[1], 'until', string.format('%.0f', until_ms), 'reason', ARGV[5])
    redis.call('HDEL', KEYS[1], 'trial')
end
redis.call('PEXPIRE', KEYS[1], math.max(tonumber(ARGV[2]), math.floor(2 * (until_ms - now))))
return failures
"""
# A call that began before the breaker opened says nothing of the vendor now: only the trial closes what is open.
SUCCEED = """
local held = redis.call('HMGET', KEYS[1], 'until', 'trial')
if not held[1] or held[2] then redis.call('DEL', KEYS[1]) end
return 0
"""
# One more at the vendor, unless it is full; who died with a turn in hand gives it back after ARGV[3] seconds.
TURN = """
local now = tonumber(redis.call('TIME')[1])
redis.call('ZREMRANGEBYSCORE', KEYS[1], 0, now)
if redis.call('ZCARD', KEYS[1]) >= tonumber(ARGV[2]) then return 0 end
redis.call('ZADD', KEYS[1], now + tonumber(ARGV[3]), ARGV[1])
redis.call('EXPIRE', KEYS[1], ARGV[3])
return 1
"""


@dataclass(frozen=True, slots=True)
class Vendor:
    """One vendor: VendorBusy, with `retry_after`, while its budget is used up or its breaker is open."""

    name: str

    def request(self, **call: Any) -> http.Answer:
        with self.spared():
            return http.request(vendor=self.name, **call)

    @contextmanager
    def spared(self, *, until: float | None = None) -> Iterator[None]:
        """`until`, by the monotonic clock, is how long a turn is waited for."""
        with self._turn(until or time.monotonic() + TURN_WAIT):
            yield from self._spared()

    def _spared(self) -> Iterator[None]:
        self._enter()
        try:
            yield
        except VendorUnavailable as problem:
            said = problem.retry_after if isinstance(problem, VendorBusy) else None
            self._fail(said or REST, at_once=said is not None, reason=problem.code)
            raise
        # Without Redis nobody is told that it went well, but what was answered, and paid for, stays answered.
        with suppress(VendorUnavailable):
            _evaluate(SUCCEED, [self._key])

    @contextmanager
    def _turn(self, until: float) -> Iterator[None]:
        mine = str(uuid4())
        try:
            while not self._has_turn(mine):
                if time.monotonic() > until:
                    raise VendorBusy(retry_after=TURN_REST, details={"turns": "taken"})
                time.sleep(LOOK_AGAIN)
            yield
        finally:
            with suppress(redis.RedisAway):
                redis.ask(lambda connection: connection.zrem(self.turns, mine))

    def _has_turn(self, mine: str) -> bool:
        at_once, longest = settings.VENDOR_TURNS[self.name]
        return bool(_evaluate(TURN, [self.turns], mine, at_once, longest))

    @property
    def turns(self) -> str:
        return f"turns:{self.name}"

    def open(self, seconds: float, reason: str) -> None:
        """Leave the vendor alone for so long: its key is refused, or its credit is gone."""
        self._fail(seconds, at_once=True, reason=reason)

    @property
    def _key(self) -> str:
        return f"breaker:{self.name}"

    def _enter(self) -> None:
        pace = pace_of(*settings.VENDOR_BUDGETS[self.name])
        keys = [self._key, f"rate:vendor:{self.name}"]
        while True:
            shut, wait = _evaluate(ENTER, keys, int(REST * 1000), *pace)
            if shut:
                raise VendorBusy(retry_after=shut / 1000, details={"breaker": "open"})
            if not wait:
                return
            if wait > SHORT_WAIT * 1e6:
                raise VendorBusy(retry_after=math.ceil(wait / 1e6), details={"budget": "used up"})
            time.sleep(LOOK_AGAIN)

    def _fail(self, rest: float, *, at_once: bool, reason: str) -> None:
        arguments = (FAILURES, WINDOW * 1000, int(rest * 1000), int(at_once), reason)
        _evaluate(FAIL, [self._key], *arguments)


def states() -> dict[str, dict[str, Any]]:
    """Each vendor's breaker: closed, open or half-open (its rest is over and nobody has tried yet)."""
    return {name: _state(name) for name in settings.VENDOR_BUDGETS}


def _state(name: str) -> dict[str, Any]:
    held: Any = redis.ask(lambda connection: connection.hgetall(f"breaker:{name}"))
    left = int(held.get("until", 0)) / 1000 - time.time()
    state = "closed" if "until" not in held else ("open" if left > 0 else "half-open")
    return {
        "state": state,
        "failures": int(held.get("failures", 0)),
        "seconds_left": max(0.0, round(left, 1)) if state == "open" else 0.0,
        "reason": held.get("reason", ""),
    }


def _evaluate(script: str, keys: Sequence[str], *arguments: str | float) -> Any:
    try:
        return redis.evaluate(script, keys, *arguments)
    except redis.RedisAway as away:
        raise VendorUnavailable(retry_after=redis.REST_SECONDS) from away
