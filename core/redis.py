"""The one connection to Redis for limits, streams and heartbeats: bounded in time, and left alone while it is away."""

import hashlib
import time
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any, TypeVar

import structlog
from django.conf import settings
from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import NoScriptError, OutOfMemoryError, ReadOnlyError, RedisError
from redis.exceptions import TimeoutError as RedisTimeoutError
from redis.retry import Retry

logger = structlog.get_logger(__name__)
Answer = TypeVar("Answer")
REST_SECONDS = 1.0


class RedisAway(Exception):
    """Redis does not answer."""


class _Link:
    """One server: its client, and until when it is left alone."""

    def __init__(self, url: str) -> None:
        self.away_until = 0.0
        # One retry: a connection that idled through a restart of Redis fails once, the next one works. Not for a
        # timeout: that would wait twice, and might count twice.
        self.client = Redis.from_url(
            url,
            socket_timeout=settings.REDIS_TIMEOUT_SECONDS,
            socket_connect_timeout=settings.REDIS_TIMEOUT_SECONDS,
            retry=Retry(NoBackoff(), 1, supported_errors=(RedisConnectionError,)),
            decode_responses=True,
        )


@cache
def _link(url: str) -> _Link:
    return _Link(url)


def client() -> Redis:
    """The process's client; redis-py's pool is safe across threads and forks."""
    return _link(settings.REDIS_URL).client


def ask(question: Callable[[Redis], Answer]) -> Answer:
    """Put a question to Redis, or raise RedisAway at once while it is known not to answer."""
    link = _link(settings.REDIS_URL)
    if time.monotonic() < link.away_until:
        raise RedisAway
    try:
        return question(link.client)
    except RedisError as error:
        if not _is_of_no_use(error):
            raise
        link.away_until = time.monotonic() + REST_SECONDS
        logger.warning("redis_away", error=type(error).__name__)
        raise RedisAway from error


def evaluate(script: str, keys: Sequence[str], *arguments: str | float) -> Any:
    """Run a script by its digest: who is to know it by heart was told its text once."""
    words = (len(keys), *keys, *arguments)
    return ask(lambda connection: _evaluate(connection, script, words))


def _evaluate(connection: Redis, script: str, words: tuple[Any, ...]) -> Any:
    try:
        return connection.evalsha(_digest(script), *words)
    except NoScriptError:
        # Redis was restarted, or sees it for the first time: EVAL leaves it there.
        return connection.eval(script, *words)


@cache
def _digest(script: str) -> str:
    return hashlib.sha1(script.encode(), usedforsecurity=False).hexdigest()


def _is_of_no_use(error: RedisError) -> bool:
    """Gone, hung, loading, full or read-only; anything else is a mistake of ours."""
    # Inside a script the reason is only in the words.
    words = ("OOM command", "READONLY", "MISCONF")
    states = (RedisConnectionError, RedisTimeoutError, OutOfMemoryError, ReadOnlyError)
    return isinstance(error, states) or any(word in str(error) for word in words)
