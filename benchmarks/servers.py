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

    def cpu(self) -> float:
        return cpu_of(self.pids)


@contextlib.contextmanager
def running(home: Path) -> Iterator[dict[str, Server]]:
    with contextlib.ExitStack() as stack:
        yield {name: stack.enter_context(only(name, home)) for name in SETTINGS}


@contextlib.contextmanager
def only(name: str, home: Path) -> Iterator[Server]:
    port, log = _free_port(), home / f"{name}.log"
    command = [sys.executable, "-m", "granian", "--interface", "wsgi", "--host", "127.0.0.1", "--port", str(port)]
    command += ["--workers", "1", "--blocking-threads", str(THREADS), "--log-level", "warning"]
    environment = os.environ | {"DJANGO_SETTINGS_MODULE": SETTINGS[name], "PYTHONHASHSEED": "0"}
    with open(log, "wb") as output:
        process = subprocess.Popen([*command, TARGETS[name]], cwd=ROOT, env=environment, stdout=output, stderr=output)
    try:
        if can_pin():
            os.sched_setaffinity(process.pid, {SERVER_CORE})
        _wait_until_it_answers(port, process, log)
        client = Client(port)
        yield Server(client=client, pids=with_children(process.pid))
        client.close()
    finally:
        process.terminate()
        process.wait(timeout=START_SECONDS)


def _wait_until_it_answers(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        request = http.client.HTTPConnection("127.0.0.1", port, timeout=START_SECONDS)
        with contextlib.suppress(OSError, http.client.HTTPException), contextlib.closing(request):
            request.request("GET", "/")
            request.getresponse()
            return
        time.sleep(0.05)
    raise DidNotStart(log.read_text(errors="replace")[-2000:])


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])
