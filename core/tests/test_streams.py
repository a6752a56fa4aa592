"""Live events, against a real Redis that restarts, hangs, forgets and comes back."""

import asyncio
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator
from contextlib import aclosing, contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from asgiref.sync import sync_to_async
from django.core.asgi import get_asgi_application
from django.db import connection
from django.http import HttpRequest, StreamingHttpResponse
from django.urls import path
from pytest_django import Settings
from redis import Redis
from structlog.testing import capture_logs

from core import redis
from core.ids import uuid7
from core.streams import (
    HEARTBEAT,
    LONGEST,
    START,
    Event,
    StreamGone,
    append,
    encode,
    entry_id,
    latest,
    read,
    respond_with,
    tail,
)


@pytest.fixture
def name() -> str:
    return f"test:{uuid4()}"


async def collect(events: AsyncIterator[Event | None], count: int = 1000) -> list[str]:
    found = []
    async for event in events:
        found.append(event.data if event else "heartbeat")
        if len(found) == count:
            break
    return found


def watch(name: str, count: int = 1000, **options: Any) -> list[str]:
    async def scenario() -> list[str]:
        async with aclosing(tail(name, **options)) as events:
            return await collect(events, count)

    return asyncio.run(asyncio.wait_for(scenario(), 30))


@contextmanager
def later(seconds: float, *steps: Callable[[], Any]) -> Iterator[None]:
    def run() -> None:
        for step in steps:
            time.sleep(seconds)
            step()

    thread = threading.Thread(target=run)
    thread.start()
    yield
    thread.join()


# Writing


def test_it_keeps_events_in_order_and_for_a_while(name: str) -> None:
    first = append(name, "status", {"n": 1}, event_id="row-1")
    second = append(name, "done", {"n": 2}, last=True)
    assert first is not None
    assert second is not None
    assert read(name) == [Event(first, "status", '{"n":1}', "row-1"), Event(second, "done", '{"n":2}', "", True)]
    assert read(name, after=first) == read(name)[1:]
    assert latest(name) == second
    assert 0 < redis.client().ttl(f"stream:{name}") <= 3600


def test_it_prolongs_a_stream_with_each_event(name: str) -> None:
    append(name, "status", 1)
    redis.client().expire(f"stream:{name}", 5)
    append(name, "status", 2)
    assert redis.client().ttl(f"stream:{name}") > 3000


def test_it_does_not_grow_without_bound(name: str) -> None:
    for n in range(LONGEST + 300):
        append(name, "token", n)
    assert LONGEST <= len(read(name)) < LONGEST + 200
    assert read(name)[-1].data == str(LONGEST + 299)


def test_it_knows_nothing_of_a_stream_that_is_not_there(name: str) -> None:
    assert read(name) == []
    assert latest(name) == START


def test_it_writes_what_a_model_may_say(name: str) -> None:
    said = ["half a pair \ud83d", 2**70, {"id": uuid7()}, "nul \x00", "line\nend\r\n\u2028"]
    assert all(append(name, "token", words) for words in said)
    assert json.loads(read(name)[0].data) == said[0]
    assert json.loads(read(name)[4].data) == said[4]


def test_it_never_breaks_the_writer_when_redis_cannot_take_the_event(name: str) -> None:
    redis.client().set(f"stream:{name}", "not a stream")
    assert append(name, "status", 1) is None


# Reading


def test_it_gives_what_was_and_what_comes_and_ends_with_the_last_event(name: str) -> None:
    append(name, "token", 1)
    with later(0.1, lambda: append(name, "token", 2), lambda: append(name, "done", 3, last=True)):
        assert watch(name) == ["1", "2", "3"]


def test_it_goes_on_behind_any_entry(name: str) -> None:
    ids = [append(name, "token", n, last=n == 250) for n in range(251)]
    for seen in (0, 99, 100, 200, 249):
        assert watch(name, after=str(ids[seen])) == [str(n) for n in range(seen + 1, 251)]


def test_it_ends_at_once_for_who_has_seen_the_last_event(name: str) -> None:
    append(name, "token", 1)
    last = append(name, "done", 2, last=True)
    assert watch(name, after=str(last)) == []


def test_it_brings_an_event_at_once(name: str) -> None:
    async def scenario() -> list[float]:
        delays = []
        async with aclosing(tail(name)) as events:
            for _ in range(20):
                waiting = asyncio.create_task(anext(events))
                await asyncio.sleep(0.02)
                sent = time.monotonic()
                await asyncio.to_thread(append, name, "token", 1)
                await waiting
                delays.append(time.monotonic() - sent)
        return delays

    assert sorted(asyncio.run(scenario()))[10] < 0.05


def test_it_sends_heartbeats_while_nothing_happens(name: str) -> None:
    append(name, "status", 1)
    started = time.monotonic()
    assert watch(name, 4, heartbeat=0.2) == ["1", "heartbeat", "heartbeat", "heartbeat"]
    assert 0.6 <= time.monotonic() - started < 1.2


def test_it_sends_heartbeats_also_while_much_happens(name: str) -> None:
    append(name, "status", 0)
    with later(0.05, *[lambda: append(name, "status", 1)] * 10):
        assert "heartbeat" in watch(name, 8, heartbeat=0.2)


def test_it_waits_for_a_stream_that_is_about_to_begin(name: str) -> None:
    with later(0.3, lambda: append(name, "done", 1, last=True)):
        assert watch(name, patience=5) == ["1"]


def test_it_does_not_wait_for_ever_for_a_stream_that_never_begins(name: str) -> None:
    started = time.monotonic()
    with pytest.raises(StreamGone):
        watch(name, heartbeat=0.1, patience=0.5)
    assert 0.5 <= time.monotonic() - started < 1.5


def test_it_says_so_when_a_stream_is_forgotten_under_its_reader(name: str) -> None:
    append(name, "status", 1)
    with later(0.3, lambda: redis.client().delete(f"stream:{name}")), pytest.raises(StreamGone):
        watch(name, heartbeat=0.2)


@pytest.mark.parametrize("lost", ["trimmed", "forgotten", "never there"])
def test_it_says_so_when_it_cannot_go_on_without_a_gap(name: str, lost: str) -> None:
    seen = append(name, "token", 1)
    append(name, "token", 2)
    if lost == "trimmed":
        redis.client().xtrim(f"stream:{name}", maxlen=1, approximate=False)
    if lost == "forgotten":
        redis.client().delete(f"stream:{name}")
    with pytest.raises(StreamGone):
        watch(name, after="9999999999999-0" if lost == "never there" else str(seen))


@pytest.mark.parametrize(
    ("header", "place"),
    [("1700000000000-0", "1700000000000-0"), (None, START), ("", START), ("$", START), ("1-", START),
     ("(1-1", START), ("1-1 ", START), ("1" * 30 + "-1", START), ("1-1\n", START), (str(uuid4()), START)],
)  # fmt: skip
def test_it_reads_only_its_own_ids_from_a_header(header: str | None, place: str) -> None:
    assert entry_id(header) == place


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
        return str(self.client.xadd(f"stream:{name}", {"event": "token", "data": str(n)} | fields))  # type: ignore[arg-type]


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
    stop = threading.Event()

    def write() -> None:
        for n in range(600):
            own.add(name, n, **({"last": "1"} if n == 599 else {}))
            time.sleep(0.002)

    def cut() -> None:
        while not stop.wait(0.15):
            own.client.execute_command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")

    threads = [threading.Thread(target=work) for work in (write, cut)]
    for thread in threads:
        thread.start()
    seen = watch(name)
    stop.set()
    for thread in threads:
        thread.join()
    assert seen == [str(n) for n in range(600)]


# Many at once


def test_it_leaves_nothing_behind_when_its_readers_leave(name: str) -> None:
    append(name, "status", 1)
    before = (clients(), open_files())

    async def scenario() -> None:
        tails = [tail(name) for _ in range(100)]
        await asyncio.gather(*(anext(each) for each in tails))
        waiting = [asyncio.ensure_future(anext(each)) for each in tails[:50]]
        await asyncio.sleep(0.1)
        assert clients() == before[0] + 100
        for reader in waiting:
            reader.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
        for each in tails[50:]:
            await each.aclose()
        await asyncio.sleep(0.05)
        assert open_files() == before[1] + loop_files

    loop_files = files_of_a_loop()
    asyncio.run(scenario())
    assert (clients(), open_files()) == before


def clients() -> int:
    time.sleep(0.05)
    return len(redis.client().client_list())


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def files_of_a_loop() -> int:
    async def count() -> int:
        return open_files()

    return asyncio.run(count()) - open_files()


def test_it_works_in_every_event_loop(name: str) -> None:
    append(name, "done", 1, last=True)
    assert [watch(name) for _ in range(3)] == [["1"]] * 3


# Rows and events together: what the module promises to whoever follows its recipe


class Rows:
    """A table, and those who write it."""

    def __init__(self, name: str, size: int) -> None:
        self.name, self.size, self.ids = name, size, list[str]()

    def write(self) -> None:
        for n in range(self.size):
            self.ids.append(f"{n:04}")
            if n % 7:  # one in seven is lost on the way to Redis
                append(self.name, "status", n, event_id=self.ids[-1], last=n == self.size - 1)
            time.sleep(random.uniform(0, 0.004))

    def after(self, row_id: str) -> list[str]:
        return [each for each in list(self.ids) if each > row_id]


async def follow(rows: Rows, last_event_id: str) -> AsyncGenerator[str, None]:
    sent = last_event_id
    position = latest(rows.name)
    for each in rows.after(sent):
        sent = each
        yield sent
    async for event in tail(rows.name, after=position, heartbeat=0.05):
        if event is None or event.last:
            for each in rows.after(sent):
                sent = each
                yield sent
        elif event.event_id > sent and rows.after(sent)[0] == event.event_id:
            sent = event.event_id
            yield sent


def test_its_recipe_for_rows_shows_each_once_and_in_order_however_often_the_browser_drops(name: str) -> None:
    rows = Rows(name, 300)
    writer = threading.Thread(target=rows.write)
    writer.start()
    seen: list[str] = []

    async def browse() -> None:
        while len(seen) < rows.size:
            async with aclosing(follow(rows, seen[-1] if seen else "")) as ids:
                patience = random.randint(1, 40)
                async for each in ids:
                    seen.append(each)
                    patience -= 1
                    if not patience:
                        break

    asyncio.run(asyncio.wait_for(browse(), 30))
    writer.join()
    assert seen == rows.ids


# Over HTTP


def test_it_encodes_an_event_for_the_browser() -> None:
    assert encode("status", {"a": 1}, event_id="7") == b'event: status\nid: 7\ndata: {"a":1}\n\n'
    assert Event("5-1", "token", '"x"').encode() == b'event: token\nid: 5-1\ndata: "x"\n\n'
    assert Event("5-1", "token", '"x"', "row").encode() == b'event: token\nid: row\ndata: "x"\n\n'
    assert HEARTBEAT.startswith(b":")
    assert HEARTBEAT.endswith(b"\n\n")


@pytest.mark.parametrize(
    "text", ["a\nb", "a\r\nb", "a\rb", "data: x\n\nevent: forged", "\u2028 \u2029 \x85 \x0b", "\ud83d"]
)
def test_it_cannot_be_made_to_say_something_else(text: str) -> None:
    answer = encode("token", {"text": text}, event_id=text).decode()
    assert answer.count("\n") == 4
    assert "\r" not in answer
    assert [line.partition(":")[0] for line in answer.splitlines()[:1]] == ["event"]
    data = next(line for line in answer.split("\n") if line.startswith("data: "))
    assert json.loads(data.removeprefix("data: ")) == {"text": text}
    assert Event("1-1", "x\ny", "one\ntwo").encode() == b"event: x y\nid: 1-1\ndata: one\ndata: two\n\n"


async def events_of(name: str) -> AsyncGenerator[bytes, None]:
    async for event in tail(name, heartbeat=0.1, patience=0.3):
        yield event.encode() if event else HEARTBEAT


async def events_view(request: HttpRequest, name: str) -> StreamingHttpResponse:
    await sync_to_async(ask_database)()
    return respond_with(events_of(name))


def ask_database() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()")
        return int(cursor.fetchone()[0])


urlpatterns = [path("events/<str:name>/", events_view)]


class Browser:
    """Opens one address through the whole ASGI application, and reads until told to leave."""

    def __init__(self, name: str) -> None:
        self.scope = {
            "type": "http", "method": "GET", "path": f"/events/{name}/", "query_string": b"",
            "headers": [(b"host", b"localhost")], "asgi": {"version": "3.0"}, "http_version": "1.1", "scheme": "http",
        }  # fmt: skip
        self.status, self.headers, self.body = 0, dict[bytes, bytes](), b""
        self.began, self.left, self.asked = asyncio.Event(), asyncio.Event(), False

    async def visit(self) -> None:
        await get_asgi_application()(self.scope, self.receive, self.send)

    async def receive(self) -> dict[str, Any]:
        if self.asked:
            await self.left.wait()
            return {"type": "http.disconnect"}
        self.asked = True
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(self, message: Any) -> None:
        if message["type"] == "http.response.start":
            self.status, self.headers = message["status"], dict(message["headers"])
        self.body += message.get("body", b"")
        if b"row-1" in self.body:
            self.began.set()


@pytest.mark.urls(__name__)
@pytest.mark.django_db(transaction=True, serialized_rollback=True)
def test_it_streams_to_the_browser_and_holds_neither_a_thread_nor_the_database(name: str) -> None:
    append(name, "status", 1, event_id="row-1")
    threads, sessions, redis_clients = threading.active_count(), ask_database(), clients()

    async def scenario() -> None:
        browsers = [Browser(name) for _ in range(8)]
        visits = [asyncio.create_task(browser.visit()) for browser in browsers]
        await asyncio.wait_for(asyncio.gather(*(browser.began.wait() for browser in browsers)), 5)
        assert threading.active_count() <= threads
        assert ask_in_thread() == sessions + 1
        for browser in browsers[:4]:
            browser.left.set()
        await asyncio.wait_for(asyncio.gather(*visits[:4]), 2)
        assert clients() == redis_clients + 4
        append(name, "done", 2, last=True)
        await asyncio.wait_for(asyncio.gather(*visits[4:]), 2)
        for browser in browsers[4:]:
            assert browser.body.replace(HEARTBEAT, b"").startswith(
                b"event: status\nid: row-1\ndata: 1\n\nevent: done\n"
            )
            assert browser.status == 200
            assert browser.headers[b"Content-Type"] == b"text/event-stream"
            assert browser.headers[b"Cache-Control"] == b"no-store"
            assert browser.headers[b"X-Accel-Buffering"] == b"no"

    asyncio.run(scenario())
    assert clients() == redis_clients


def ask_in_thread() -> int:
    found = []

    def run() -> None:
        found.append(ask_database())
        connection.close()

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    return found[0]


@pytest.mark.urls(__name__)
@pytest.mark.django_db(transaction=True, serialized_rollback=True)
def test_it_ends_the_answer_when_the_stream_is_gone(name: str) -> None:
    async def scenario() -> bytes:
        browser = Browser(name)
        await asyncio.wait_for(browser.visit(), 5)
        return browser.body

    assert asyncio.run(scenario()).replace(HEARTBEAT, b"") == b""
