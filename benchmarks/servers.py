"""The servers measured: the service as a deployment runs it, and each rival under the same server and threads."""

import contextlib
import http.client
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from benchmarks.load import Client
from benchmarks.machine import SERVER_CORE, can_pin, cpu_of, with_children

ROOT = Path(__file__).resolve().parent.parent
THREADS = 4
START_SECONDS = 30.0
RIVAL = "benchmarks.rivals.wsgi:application"
SETTINGS = {
    "ours": "config.settings",
    "bare": "benchmarks.rivals.bare_settings",
    "textbook": "benchmarks.rivals.textbook_settings",
}
TARGETS = {"ours": "config.wsgi:application", "bare": RIVAL, "textbook": RIVAL}


class DidNotStart(Exception):
    """A server measured did not come up."""


@dataclass(slots=True)
class Server:
    """One running server and a client for it."""

    client: Client
    pids: list[int]
    port: int

    def cpu(self) -> float:
        return cpu_of(self.pids)


@contextlib.contextmanager
def running(home: Path) -> Iterator[dict[str, Server]]:
    with contextlib.ExitStack() as stack:
        yield {name: stack.enter_context(only(name, home)) for name in SETTINGS}


@contextlib.contextmanager
def only(name: str, home: Path, *, threads: int = THREADS, **environment: str) -> Iterator[Server]:
    port = free_port()
    words = ["--interface", "wsgi", "--workers", "1", "--blocking-threads", str(threads), TARGETS[name]]
    environment |= {"DJANGO_SETTINGS_MODULE": SETTINGS[name]}
    with granian(name, port, words, home, core=SERVER_CORE, **environment) as pid:
        client = Client(port)
        yield Server(client=client, pids=with_children(pid), port=port)
        client.close()


@contextlib.contextmanager
def granian(
    name: str, port: int, words: list[str], home: Path, *, core: int = SERVER_CORE, **environment: str
) -> Iterator[int]:
    """A server that answers."""
    command = ["granian", "--host", "127.0.0.1", "--port", str(port), "--log-level", "warning", *words]
    with running_process(name, command, home, core=core, **environment) as process:
        wait_until_it_answers(port, process, home / f"{name}.log")
        yield process.pid


@contextlib.contextmanager
def running_process(
    name: str, words: list[str], home: Path, *, core: int = SERVER_CORE, **environment: str
) -> Iterator["subprocess.Popen[bytes]"]:
    """A module that runs on a core of its own until the block ends."""
    environment = os.environ | {"PYTHONHASHSEED": "0", **environment}
    with open(home / f"{name}.log", "wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", *words], cwd=ROOT, env=environment, stdout=output, stderr=output
        )
    try:
        if can_pin():
            os.sched_setaffinity(process.pid, {core})
        yield process
    finally:
        process.terminate()
        process.wait(timeout=START_SECONDS)


def wait_until_it_answers(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        request = http.client.HTTPConnection("127.0.0.1", port, timeout=START_SECONDS)
        with contextlib.suppress(OSError, http.client.HTTPException), contextlib.closing(request):
            request.request("GET", "/")
            request.getresponse()
            return
        time.sleep(0.05)
    raise DidNotStart(log.read_text(errors="replace")[-2000:])


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])
