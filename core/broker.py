"""Celery's way to Redis, with one client for each channel.

Kombu makes a client for every word to Redis: for each message sent, taken and acknowledged. To make one takes 90 us,
and it holds nothing but the pool, which is the same for all of them.
"""

from typing import Any

from kombu.transport import TRANSPORT_ALIASES
from kombu.transport import redis as kombu_redis
from redis import Redis


class Channel(kombu_redis.Channel):
    """Speaks through one client as long as its pool is the same: a fork, or an end, takes the pool away."""

    _word: Redis | None = None

    def _create_client(self, asynchronous: bool = False) -> Any:
        # The other kind keeps a connection for itself, and Kombu keeps it.
        if asynchronous:
            return super()._create_client(asynchronous=True)  # type: ignore[no-untyped-call]
        if self._word is None or self._word.connection_pool is not self.pool:
            self._word = super()._create_client()  # type: ignore[no-untyped-call]
        return self._word


class Transport(kombu_redis.Transport):
    """Kombu's own, with that channel."""

    Channel = Channel


TRANSPORT_ALIASES.update(dict.fromkeys(("redis", "rediss"), f"{__name__}:Transport"))
