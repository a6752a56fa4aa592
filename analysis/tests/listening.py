"""A real ASGI server over the test's database, and a browser that listens to a stream of it."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import httpx
from django.db import connection


@dataclass(frozen=True, slots=True)
class Event:
    """One event, as a browser's EventSource hands it on."""

    name: str
    id: str
    data: Any


class Listener(threading.Thread):
    """Opens a stream and reads it to its end, or until it has read enough."""

    def __init__(self, url: str, *, enough: int = 10_000, **headers: str) -> None:
        super().__init__(daemon=True)
        self.url, self.enough = url, enough
        self.sent = {name.replace("_", "-"): value for name, value in headers.items()}
        self.events = list[Event]()
        self.status, self.headers, self.raw, self.ended = 0, httpx.Headers(), "", False
        self.start()

    def run(self) -> None:
        with httpx.stream("GET", self.url, headers=self.sent, timeout=30) as answer:
            self.headers, self.status = answer.headers, answer.status_code
            fields: dict[str, str] = {}
            for line in answer.iter_lines():
                self.raw += f"{line}\n"
                if line and not line.startswith(":"):
                    name, _, value = line.partition(": ")
                    fields[name] = value
                elif fields:
                    self.events.append(Event(fields["event"], fields.get("id", ""), json.loads(fields["data"])))
                    fields = {}
                    if len(self.events) >= self.enough:
                        return
        self.ended = True

    def heard(self, seconds: float = 20) -> list[Event]:
        """All of it, when it has come to its end."""
        self.join(seconds)
        assert not self.is_alive(), f"it still listens, after {[event.name for event in self.events]}"
        return self.events


def until(holds: Callable[[], Any], seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "it did not come true in time"
        time.sleep(0.02)


def _answers(url: str) -> bool:
    try:
        return httpx.get(url, timeout=2).status_code == 200
    except httpx.HTTPError:
        return False


@contextmanager
def served(**environment: str) -> Iterator[str]:
    """The whole service in one process, as `make run` serves it."""
    name, host = connection.settings_dict["NAME"], connection.settings_dict["HOST"].replace("/", "%2F")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    server = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "granian",
            "--interface",
            "asgi",
            "--no-ws",
            "--port",
            str(port),
            "config.asgi:application",
        ],
        env={**os.environ, "DATABASE_URL": f"postgresql://postgres@{host}/{name}", **environment},
        start_new_session=True,
    )
    try:
        until(lambda: _answers(f"http://127.0.0.1:{port}/health/ready/"), 40)
        yield f"http://127.0.0.1:{port}"
    finally:
        os.killpg(server.pid, signal.SIGKILL)
        server.wait()
