"""Live events, written to and read from a real Redis."""

import asyncio
import json
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import aclosing, contextmanager
from typing import Any
from uuid import uuid4

import pytest

from core import redis
from core.ids import uuid7
from core.streams import (
    LONGEST,
    START,
    Event,
    StreamGone,
    append,
    latest,
    read,
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


def test_whoever_leaves_at_whatever_moment_is_gone_at_once(name: str) -> None:
    append(name, "status", 1)

    async def leave_after(turns: int) -> None:
        reading = asyncio.ensure_future(collect(tail(name)))
        for _ in range(turns):
            await asyncio.sleep(0)
        reading.cancel()
        _, still_there = await asyncio.wait([reading], timeout=1)
        assert not still_there, f"left after {turns} turns"
        assert reading.cancelled()

    async def scenario() -> None:
        for turns in range(1, 40):
            await leave_after(turns)

    asyncio.run(scenario())
