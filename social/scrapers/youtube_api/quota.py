"""YouTube's daily quota, counted for all our workers before each call; its day ends at midnight in California."""

import math
from contextlib import suppress
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from django.conf import settings

from core import redis
from core.errors import VendorBusy, VendorUnavailable

PACIFIC = ZoneInfo("America/Los_Angeles")
# The key outlives its day, in case that a clock of ours is late.
KEPT_SECONDS = 2 * 86_400
SPEND = """
local used = redis.call('INCRBY', KEYS[1], ARGV[1])
redis.call('EXPIRE', KEYS[1], ARGV[3])
if used <= tonumber(ARGV[2]) then return 1 end
redis.call('DECRBY', KEYS[1], ARGV[1])
return 0
"""


def spend(units: int) -> None:
    """Count units of today's quota; VendorBusy until it is full again. What cannot be counted is not spent."""
    arguments = (_name(), units, settings.YOUTUBE_API_UNITS_PER_DAY, KEPT_SECONDS)
    try:
        allowed = redis.ask(lambda connection: connection.eval(SPEND, 1, *arguments))
    except redis.RedisAway:
        raise VendorUnavailable(retry_after=redis.REST_SECONDS) from None
    if not allowed:
        raise used_up()


def note_used_up() -> VendorBusy:
    """YouTube says so: others spend from the same quota, or it is smaller than we were told."""
    with suppress(redis.RedisAway):
        redis.ask(lambda link: link.set(_name(), settings.YOUTUBE_API_UNITS_PER_DAY, ex=KEPT_SECONDS))
    return used_up()


def used_up() -> VendorBusy:
    return VendorBusy(details={"problem": "quota_used_up"}, retry_after=seconds_left(datetime.now(PACIFIC)))


def seconds_left(now: datetime) -> float:
    """Until the day ends in California: 23 to 25 hours long, twice a year."""
    midnight = datetime.combine(now.date() + timedelta(days=1), datetime.min.time(), PACIFIC)
    return math.ceil(midnight.timestamp() - now.timestamp())


def _name() -> str:
    return f"youtube_api:units:{datetime.now(PACIFIC):%Y-%m-%d}"
