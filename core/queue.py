"""Handing ids to the workers without ever being held up by the broker."""

import threading
import time
from collections.abc import Callable
from functools import cache
from typing import Any, cast

import structlog
from celery import current_app
from kombu.connection import Connection
from kombu.exceptions import KombuError
from kombu.pools import ProducerPool, producers
from redis.exceptions import RedisError

from core.ids import uuid7

logger = structlog.get_logger(__name__)
REST_SECONDS = 1.0
# Characters of a task's arguments that a worker may show.
SHOWN = 1_000
# The workers' own connections wait longer: theirs block on purpose while a queue is empty.
QUICK_SECONDS = 0.4
QUICK = {"socket_timeout": QUICK_SECONDS, "socket_connect_timeout": QUICK_SECONDS, "max_retries": 1}

_lock = threading.Lock()
_away_until = 0.0


def enqueue(task: str, *ids: Any, queue: str | None = None) -> bool:
    """Send the task of this name, or answer False at once: the row is there, and a sweeper sends what was not sent.

    The routes say down which queue, where the caller does not.
    """
    args = [str(each) for each in ids]

    def send(producer: Any) -> None:
        # What `send_task` does of use here. The rest of it, which merges options, makes a result to wait for and has
        # Kombu declare the queue, takes half as long again, in front of whoever waits.
        # Whether its result is kept is for the worker to know.
        amqp, about = current_app.amqp, {"argsrepr": repr(args)[:SHOWN], "kwargsrepr": "{}", "ignore_result": None}
        message = amqp.create_task_message(str(uuid7()), task, args, **about)
        amqp.send_task_message(producer, task, message, queue=queue or _queue_of(task), declare=(), retry=False)

    return _reach(send, task=task)


@cache
def _queue_of(task: str) -> str:
    return str(current_app.amqp.router.route({}, task)["queue"].name)


def count_waiting(queue: str) -> int | None:
    """How many messages no worker has taken yet; None where the broker does not say."""
    counts: list[int] = []
    _reach(lambda producer: counts.append(int(producer.channel.client.llen(queue))), task="count_waiting")
    return counts[0] if counts else None


def _reach(act: Callable[[Any], None], *, task: str) -> bool:
    """Do it over a connection to the broker; not at all for a moment after one that failed."""
    global _away_until
    if time.monotonic() < _away_until:
        return False
    try:
        with _producers(current_app.conf.broker_write_url).acquire(block=True, timeout=0.5) as producer:  # type: ignore[no-untyped-call]
            act(producer)
    except (KombuError, RedisError, OSError) as error:
        _away_until = time.monotonic() + REST_SECONDS
        logger.warning("broker_away", task=task, error=type(error).__name__)
        return False
    return True


@cache
def _producers(url: str) -> ProducerPool:
    """Found once: a connection that is only described, to look its pool up by, costs a quarter of a publication."""
    with _lock:
        options = {**current_app.conf.broker_transport_options, **QUICK}
        connection = Connection(url, transport_options=options, connect_timeout=QUICK_SECONDS)  # type: ignore[no-untyped-call]
        return cast(ProducerPool, producers[connection])
