"""The one connection to Redis for limits, streams and heartbeats: bounded in time, and left alone while it is away."""

import threading
import time
from collections.abc import Callable
from typing import TypeVar

import structlog
from django.conf import settings
from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError
from redis.retry import Retry

logger = structlog.get_logger(__name__)
Answer = TypeVar("Answer")
REST_SECONDS = 1.0


class RedisAway(Exception):
    """Redis does not answer."""


_lock = threading.Lock()
_client: Redis | None = None
_away_until = 0.0


def client() -> Redis:
    """A client per process; redis-py's pool is safe across threads and forks."""
    global _client
    with _lock:
        if _client is None:
            # One retry: a connection that idled through a restart of Redis fails once, the next one works.
            _client = Redis.from_url(
                settings.REDIS_URL,
                socket_timeout=settings.REDIS_TIMEOUT_SECONDS,
                socket_connect_timeout=settings.REDIS_TIMEOUT_SECONDS,
                retry=Retry(NoBackoff(), 1),
                decode_responses=True,
            )
        return _client


def ask(question: Callable[[Redis], Answer]) -> Answer:
    """Put a question to Redis, or raise RedisAway at once while it is known not to answer."""
    global _away_until
    if time.monotonic() < _away_until:
        raise RedisAway
    try:
        return question(client())
    except (RedisConnectionError, RedisTimeoutError) as error:
        _away_until = time.monotonic() + REST_SECONDS
        logger.warning("redis_away", error=type(error).__name__)
        raise RedisAway from error
