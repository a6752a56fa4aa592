"""What waits in the broker: how much per queue, and since when."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import orjson
from django.conf import settings
from redis import Redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from config.tally import STAMP

# Messages that a worker took and has not finished, of all queues.
TAKEN = "unacked"


@dataclass(frozen=True, slots=True)
class Waiting:
    """One queue: its messages, and how long the one that is next has waited; None where that is not known."""

    messages: int
    oldest_seconds: float | None


def look() -> tuple[dict[str, Waiting], int]:
    """Every queue, and how many messages are being worked on; or a RedisError."""
    names = list(settings.CELERY_TASK_QUEUES)
    # Messages come in on the left and are taken from the right.
    commands = [("HLEN", TAKEN), *(("LLEN", name) for name in names), *(("LINDEX", name, -1) for name in names)]
    taken, *answers = _ask(commands)
    lengths, next_ones = answers[: len(names)], answers[len(names) :]
    waiting = {name: Waiting(length, _age(text)) for name, length, text in zip(names, lengths, next_ones, strict=True)}
    return waiting, taken


def count_waiting(queue: str) -> int:
    return int(_ask([("LLEN", queue)])[0])


def _ask(commands: Sequence[tuple[Any, ...]]) -> list[Any]:
    # A connection of its own: this is asked every few seconds, and the broker may be another server than core.redis's.
    retry = Retry(NoBackoff(), 0)
    patience = settings.REDIS_TIMEOUT_SECONDS
    with (
        Redis.from_url(_address(), socket_timeout=patience, socket_connect_timeout=patience, retry=retry) as client,
        client.pipeline(transaction=False) as pipe,
    ):
        for command in commands:
            pipe.execute_command(*command)
        return list(pipe.execute())


def _address() -> str:
    """The broker's address as redis-py writes a socket's."""
    return settings.CELERY_BROKER_URL.replace("redis+socket://", "unix://").replace("virtual_host=", "db=")


def _age(message: bytes | None) -> float | None:
    if message is None:
        return 0.0
    stamp = orjson.loads(message)["headers"].get(STAMP)
    return max(time.time() - stamp, 0.0) if stamp else None
