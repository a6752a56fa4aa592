"""Browsers that listen to answers: they leave in mid-word, come back, and know what they have shown."""

import http.client
import json
import sys
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from uuid import UUID

from django.db import connection

from analysis.chat.models import ChatMessage

SLOW_BYTES, SLOW_SECONDS = 128, 0.05
# Before it asks again, as an EventSource does.
PAUSE = 0.2


@dataclass
class Browser:
    """Somebody who has asked one question, on whatever connection."""

    address: Callable[[], int]
    token: str
    session: UUID
    slow: bool = False
    text: str = ""
    ending: str = ""
    visits: int = 0
    wrong: list[str] = field(default_factory=list)

    @property
    def answer(self) -> ChatMessage | None:
        return ChatMessage.objects.filter(session=self.session, role="assistant").order_by("-id").first()

    def ask(self, cut: int | None = None) -> None:
        path = f"/api/analysis/chat/sessions/{self.session}/messages/stream/"
        self._visit("POST", path, cut, json.dumps({"content": "What do the comments ask for?"}))

    def go_on(self, answer: UUID, cut: int | None = None) -> None:
        self._visit("GET", f"/api/analysis/chat/messages/{answer}/stream/", cut)

    def listen(self, cuts: Iterable[int] = (), *, seconds: float = 90.0) -> None:
        """To the end, whatever happens on the way."""
        deadline, cuts = time.monotonic() + seconds, iter(cuts)
        while not self.ending and time.monotonic() < deadline:
            if answer := self.answer:
                self.go_on(answer.pk, next(cuts, None))
            else:
                self.ask(next(cuts, None))
            if not self.ending:
                time.sleep(PAUSE)

    def _visit(self, method: str, path: str, cut: int | None, body: str | None = None) -> None:
        self.visits += 1
        connection = http.client.HTTPConnection("127.0.0.1", self.address(), timeout=20)
        headers = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"}
        headers |= {"Last-Event-ID": str(len(self.text))} if self.text else {}
        try:
            connection.request(method, path, body, headers)
            self._hear(connection.getresponse(), cut or sys.maxsize)
        except (OSError, http.client.HTTPException):
            pass  # The connection is gone, in whatever way: what came over it has been shown.
        finally:
            connection.close()

    def _hear(self, response: http.client.HTTPResponse, most: int) -> None:
        """So many bytes at most; of what is cut in its middle nothing is shown."""
        rest = b""
        while most > 0 and (part := self._read(response)[:most]):
            most -= len(part)
            *blocks, rest = (rest + part).split(b"\n\n")
            for block in blocks:
                self._show(block.decode())

    def _read(self, response: http.client.HTTPResponse) -> bytes:
        if not self.slow:
            return response.read1(4096)
        time.sleep(SLOW_SECONDS)
        return response.read1(SLOW_BYTES)

    def _show(self, block: str) -> None:
        fields = dict(line.partition(": ")[::2] for line in block.split("\n") if not line.startswith(":"))
        name, data = fields.get("event", ""), json.loads(fields.get("data", "null"))
        if name == "token":
            if data["at"] != len(self.text) or fields["id"] != str(data["at"] + len(data["text"])):
                self.wrong.append(f"{fields} behind {len(self.text)} characters")
            self.text += data["text"]
        self.ending = name if name in ("done", "error") else self.ending


class Crowd:
    """Browsers, each on a thread of its own."""

    def __init__(self, browsers: Iterable[Browser], cuts: Callable[[], Iterable[int]] = lambda: ()) -> None:
        self.browsers = list(browsers)
        self._threads = [threading.Thread(target=_live, args=(each, cuts())) for each in self.browsers]
        for each in self._threads:
            each.start()

    def has_heard(self, characters: int) -> bool:
        return all(len(each.text) >= characters for each in self.browsers)

    def has_ended(self) -> bool:
        return not any(each.is_alive() for each in self._threads)


def _live(browser: Browser, cuts: Iterable[int]) -> None:
    try:
        browser.listen(cuts)
    finally:
        connection.close()
