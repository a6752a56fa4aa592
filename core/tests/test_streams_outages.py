"""Live events while Redis restarts, hangs, forgets and comes back."""

import asyncio
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest
from pytest_django import Settings
from redis import Redis
from structlog.testing import capture_logs

from core import redis
from core.streams import (
    START,
    StreamGone,
    append,
    latest,
    read,
    tail,
)
from core.tests.test_streams import later, watch


@pytest.fixture
def name() -> str:
    return f"test:{uuid4()}"


# When Redis is not well


class OwnRedis:
    """A Redis of the test's own, that can be stopped and started."""

    def __init__(self, folder: Path, *, durable: bool) -> None:
        # A socket's address must be short, and pytest's folders are not.
        self.socket = f"/tmp/whyral-{os.getpid()}-{uuid4().hex[:8]}.sock"  # noqa: S108
        self.command = [
            str(shutil.which("redis-server", path=f"{Path(sys.executable).parent}:{os.environ['PATH']}")),
            *("--port", "0", "--unixsocket", self.socket, "--save", "", "--dir", str(folder), "--logfile", "redis.log"),
            *("--appendonly", "yes" if durable else "no", "--appendfsync", "always"),
        ]
        self.url = f"unix://{self.socket}?db=2"
        self.client = Redis.from_url(self.url, decode_responses=True)
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self.process = subprocess.Popen(self.command)
        for _ in range(200):
            if Path(self.socket).exists():
                return
            time.sleep(0.02)
        raise TimeoutError

    def stop(self) -> None:
        if self.process:
            self.process.kill()
            self.process.wait()
            Path(self.socket).unlink(missing_ok=True)
            self.process = None

    def signal(self, sign: signal.Signals) -> None:
        assert self.process
        self.process.send_signal(sign)

    def add(self, name: str, n: int, **fields: str) -> str:
        return str(self.client.xadd(f"stream:{name}", {"event": "token", "data": str(n)} | fields))


@pytest.fixture(params=[True])
def own(tmp_path: Path, settings: Settings, request: pytest.FixtureRequest) -> Iterator[OwnRedis]:
    server = OwnRedis(tmp_path, durable=request.param)
    settings.REDIS_URL = server.url
    server.start()
    yield server
    server.client.close()
    server.stop()


def test_it_never_holds_the_writer_up_when_redis_hangs(own: OwnRedis, name: str) -> None:
    append(name, "status", 1)
    own.signal(signal.SIGSTOP)
    started = time.monotonic()
    assert [append(name, "status", n) for n in range(200)] == [None] * 200
    assert latest(name) == START
    assert time.monotonic() - started < 1.5
    with pytest.raises(redis.RedisAway):
        read(name)
    own.signal(signal.SIGCONT)
    time.sleep(redis.REST_SECONDS)
    assert append(name, "status", 2)


def test_it_never_holds_the_writer_up_when_redis_is_gone(own: OwnRedis, name: str) -> None:
    own.stop()
    started = time.monotonic()
    assert [append(name, "status", n) for n in range(200)] == [None] * 200
    assert time.monotonic() - started < 0.5


def test_it_goes_on_after_a_restart_of_redis_where_it_was(own: OwnRedis, name: str) -> None:
    for n in range(3):
        own.add(name, n)
    steps = (own.stop, own.start, lambda: own.add(name, 3), lambda: own.add(name, 4, last="1"))
    with later(0.4, *steps):
        assert [each for each in watch(name, heartbeat=0.3) if each != "heartbeat"] == ["0", "1", "2", "3", "4"]


@pytest.mark.parametrize("own", [False], indirect=True)
def test_it_says_so_when_redis_comes_back_empty(own: OwnRedis, name: str) -> None:
    own.add(name, 0)
    with later(0.3, own.stop, own.start, lambda: own.add(name, 1)), pytest.raises(StreamGone):
        watch(name)


def test_it_keeps_the_browser_waiting_while_redis_is_away_but_not_for_ever_and_never_in_haste(
    own: OwnRedis, name: str
) -> None:
    own.stop()
    seen: list[str] = []

    async def scenario() -> None:
        async for event in tail(name, heartbeat=0.2, patience=1.5):
            seen.append("heartbeat" if event is None else event.data)

    used, started = time.process_time(), time.monotonic()
    with capture_logs() as logs, pytest.raises(StreamGone):
        asyncio.run(scenario())
    assert 1.5 <= time.monotonic() - started < 3
    assert len(seen) >= 4
    assert len([entry for entry in logs if entry["event"] == "tail_interrupted"]) < 20
    assert time.process_time() - used < 0.3


def test_it_sends_heartbeats_while_redis_hangs_and_goes_on_afterwards(own: OwnRedis, name: str) -> None:
    own.add(name, 0)

    def hang() -> None:
        own.signal(signal.SIGSTOP)
        time.sleep(3)
        own.signal(signal.SIGCONT)

    with later(0.2, hang, lambda: own.add(name, 1, last="1")):
        seen = watch(name, heartbeat=0.5)
    assert [each for each in seen if each != "heartbeat"] == ["0", "1"]
    assert seen.count("heartbeat") >= 2


def test_it_loses_and_repeats_nothing_when_its_connection_is_cut_again_and_again(own: OwnRedis, name: str) -> None:
    def write_and_cut() -> None:
        # One connection does both: it alone is spared.
        with own.client.client() as connection:
            for n in range(600):
                fields = {"event": "token", "data": str(n)} | ({"last": "1"} if n == 599 else {})
                connection.xadd(f"stream:{name}", fields)
                time.sleep(0.002)
                if n % 75 == 50:
                    connection.execute_command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")

    writer = threading.Thread(target=write_and_cut)
    writer.start()
    seen = watch(name)
    writer.join()
    assert seen == [str(n) for n in range(600)]
