"""PostgreSQL and Redis for a machine that has neither: run from their Python wheels, with their data in one folder.

Any number of processes may use the servers of a folder at once (`make run`, a `manage.py` command beside it). The
first one in starts them, the last one out stops them, and what a killed process left running is taken over as it is.
"""

import contextlib
import fcntl
from collections.abc import Iterator
from pathlib import Path

from core.embedded import postgres, redis
from core.embedded.places import EmbeddedServerProblem, broker_url, database_url, make_socket_folder, redis_url

__all__ = ["EmbeddedServerProblem", "broker_url", "database_url", "redis_url", "servers"]


@contextlib.contextmanager
def servers(home: Path, *, durable: bool = True) -> Iterator[None]:
    """Hold both servers up for as long as the block runs; `durable=False` trades crash safety for speed (tests)."""
    home.mkdir(parents=True, exist_ok=True)
    with open(home / "users.lock", "w") as users:
        try:
            with _alone(home):
                fcntl.flock(users, fcntl.LOCK_SH)
                make_socket_folder(home)
                redis.ensure(home, durable)
                postgres.ensure(home, durable)
            yield
        finally:
            with _alone(home):
                _stop_if_last(home, users.fileno())


@contextlib.contextmanager
def _alone(home: Path) -> Iterator[None]:
    # flock belongs to the open file, so the kernel lets go of it when the process dies: no lock can be stale.
    with open(home / "start.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _stop_if_last(home: Path, users: int) -> None:
    fcntl.flock(users, fcntl.LOCK_UN)
    try:
        fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return
    postgres.stop_server(home)
    redis.stop_server(home)
