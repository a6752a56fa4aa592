"""The service as processes of their own, from the side of whoever kills it."""

import contextlib
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.drills.fleet import ROOT
from benchmarks.servers import DidNotStart, free_port, wait_until_it_answers

APPLICATION = "config.wsgi:application"
WSGI = ("--interface", "wsgi", "--blocking-threads", "8")


@dataclass
class Running:
    """A module that runs until it is killed, and all that it starts."""

    folder: Path
    words: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)
    process: "subprocess.Popen[bytes] | None" = None

    @property
    def log(self) -> Path:
        return self.folder / f"{self.words[0]}.log"

    def __enter__(self) -> "Running":
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    def start(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        environment = os.environ | dict(self.environment)
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", *self.words],
                cwd=ROOT, env=environment, stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip

    def kill(self) -> None:
        if self.process:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
            self.process = None


class Server(Running):
    """A server that is always found at the same port."""

    def __init__(
        self,
        folder: Path,
        *,
        serves: str = "config.wsgi:application",
        words: tuple[str, ...] = WSGI,
        **environment: str,
    ) -> None:
        self.port = free_port()
        address = ("--no-ws", "--host", "127.0.0.1", "--port", str(self.port))
        super().__init__(folder, ("granian", *words, *address, serves), environment)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> "Server":
        self.start()
        return self

    def start(self) -> None:
        super().start()
        if self.process:
            wait_until_it_answers(self.port, self.process, self.log)


class Supervised(Server):
    """One that is started again when it has ended: Granian gives up when the same worker dies twice within seconds."""

    def start(self) -> None:
        super().start()
        self.over = threading.Event()
        self.keeper = threading.Thread(target=self._keep, daemon=True)
        self.keeper.start()

    def kill(self) -> None:
        self.over.set()
        self.keeper.join()
        with contextlib.suppress(ProcessLookupError):
            super().kill()

    def _keep(self) -> None:
        while not self.over.wait(0.1):
            if self.process and self.process.poll() is not None:
                with contextlib.suppress(DidNotStart):
                    super().start()
