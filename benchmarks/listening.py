"""Many who listen to answers at the same time, in one thread: when each word came, and whether all of them did."""

import asyncio
import re
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

WORD = re.compile(rb'"(?:text|content)":\s?"([^"]*)"')
# Nobody waits longer for what should be there in a moment.
PATIENCE = 180.0


@dataclass(slots=True)
class Heard:
    """One answer as it came: what was said, and when, by this machine's clock."""

    asked_at: float
    words: list[tuple[float, bytes]] = field(default_factory=list)
    head: bytes = b""
    ended: bool = False

    @property
    def seconds_to_first(self) -> float:
        return self.words[0][0] - self.asked_at

    @property
    def text(self) -> str:
        return b"".join(word for _, word in self.words).decode()


class Listener(asyncio.Protocol):
    """One connection, one answer."""

    def __init__(self, request: bytes, done: "asyncio.Future[Heard]") -> None:
        self.request, self.done, self.rest = request, done, b""
        self.heard = Heard(time.monotonic())

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        transport.write(self.request)

    def data_received(self, data: bytes) -> None:
        now, data, heard = time.monotonic(), self.rest + data, self.heard
        if heard.ended:
            return
        heard.head = heard.head or data[:2000]
        # What comes with the end is the whole answer once more.
        data, end, _ = data.partition(b"event: done")
        heard.ended |= bool(end) or b"[DONE]" in data
        place = 0
        for word in WORD.finditer(data):
            heard.words.append((now, word[1]))
            place = word.end()
        self.rest = data[max(place, data.rfind(b"\n") + 1) :]

    def connection_lost(self, problem: Exception | None) -> None:
        if not self.done.done():
            self.done.set_result(self.heard)


async def listen(port: int, request: bytes) -> Heard:
    done = asyncio.get_running_loop().create_future()
    transport, _ = await asyncio.get_running_loop().create_connection(
        lambda: Listener(request, done), "127.0.0.1", port
    )
    try:
        return await asyncio.wait_for(done, PATIENCE)
    finally:
        transport.close()


def listen_to(
    port: int, requests: Iterable[bytes], *, a_second: float, meanwhile: Callable[[], None] = lambda: None
) -> list[Heard]:
    """Ask so many a second, whether or not the ones before are over; what was heard, in their order."""

    async def ask() -> list[Heard]:
        tasks, begin = [], asyncio.get_running_loop().time()
        for number, request in enumerate(requests):
            await asyncio.sleep(begin + number / a_second - asyncio.get_running_loop().time())
            tasks.append(asyncio.create_task(listen(port, request)))
        meanwhile()
        return await asyncio.gather(*tasks)

    return asyncio.run(ask())
