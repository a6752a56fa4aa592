"""Live events as a browser sees them, and what many of them cost."""

import asyncio
import json
import random
import threading
import time
from collections.abc import AsyncGenerator
from contextlib import aclosing
from pathlib import Path
from uuid import uuid4

import pytest

from core import redis
from core.streams import (
    HEARTBEAT,
    append,
    encode,
    latest,
    tail,
)
from core.tests.test_streams import watch


@pytest.fixture
def name() -> str:
    return f"test:{uuid4()}"


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
        self.name, self.size, self.ids, self.last = name, size, list[str](), f"{size - 1:04}"

    def write(self) -> None:
        for n in range(self.size):
            self.ids.append(f"{n:04}")
            if n % 7:  # one in seven is lost on the way to Redis, the last one too
                append(self.name, "status", n, event_id=self.ids[-1], last=n == self.size - 1)
            time.sleep(random.uniform(0, 0.004))

    def after(self, row_id: str) -> list[str]:
        return [each for each in list(self.ids) if each > row_id]


async def follow(rows: Rows, last_event_id: str) -> AsyncGenerator[str, None]:
    sent, position = last_event_id, latest(rows.name)
    for each in rows.after(sent):
        yield (sent := each)
    async with aclosing(tail(rows.name, after=position, heartbeat=0.05)) as events:
        while sent != rows.last:
            event = await anext(events)
            if event is None or event.event_id > sent:
                for each in rows.after(sent):
                    yield (sent := each)


def test_its_recipe_for_rows_shows_each_once_and_in_order_however_often_the_browser_drops(name: str) -> None:
    rows = Rows(name, 295)
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
    assert encode("token", "x") == b'event: token\ndata: "x"\n\n'
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
    assert encode("x\ny", 1, event_id="1\r\n1") == b"event: x y\nid: 1 1\ndata: 1\n\n"
