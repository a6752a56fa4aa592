"""Few are at BrightData at once, of all our workers: whoever is under way when the first 429 comes gets one as well."""

import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from uuid import uuid4

from core import errors, redis

# 25 answers of 429 in five minutes and our address is banned: these, and one after each rest, stay well below.
AT_ONCE = 5
KEY = "brightdata:turns"
LONGEST_TURN = 90  # seconds: longer than any request, for whoever died with a turn in hand
LOOK_AGAIN_SECONDS = 0.05
TAKE = """
local now = tonumber(redis.call('TIME')[1])
redis.call('ZREMRANGEBYSCORE', KEYS[1], 0, now)
if redis.call('ZCARD', KEYS[1]) >= tonumber(ARGV[2]) then return 0 end
redis.call('ZADD', KEYS[1], now + tonumber(ARGV[3]), ARGV[1])
redis.call('EXPIRE', KEYS[1], ARGV[3])
return 1
"""


@contextmanager
def turn(*, until: float) -> Iterator[None]:
    """Wait for a turn, and hold it; VendorTimeout where none comes until then, by the monotonic clock."""
    mine = str(uuid4())
    try:
        while time.monotonic() < until:
            if _taken(mine):
                yield
                return
            time.sleep(LOOK_AGAIN_SECONDS)
        raise errors.VendorTimeout
    finally:
        with suppress(redis.RedisAway):
            redis.ask(lambda connection: connection.zrem(KEY, mine))


def _taken(mine: str) -> bool:
    try:
        return bool(redis.ask(lambda connection: connection.eval(TAKE, 1, KEY, mine, AT_ONCE, LONGEST_TURN)))
    except redis.RedisAway as away:
        raise errors.VendorUnavailable(retry_after=redis.REST_SECONDS) from away
