"""What README promises: each of its commands prints what it says there."""

import os
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.readme import Step, steps
from tests.running import PATIENCE_SECONDS, ROOT, read_banner, running

OVER = "-- the command is over --"
# Of the tests' own surroundings; the reader's machine has none of these.
NOT_HERE = ("EMAIL_URL", "LOG_LEVEL", "DATABASE_URL", "REDIS_URL", "DEBUG")


class Terminal:
    """A shell that goes on from one command to the next, as the reader's does."""

    def __init__(self, shell: "subprocess.Popen[str]") -> None:
        assert shell.stdin
        assert shell.stdout
        self.write, self.lines = shell.stdin, shell.stdout

    def run(self, command: str) -> str:
        self.write.write(f"{command}\necho; echo '{OVER}'\n")
        self.write.flush()
        printed = iter(self.lines.readline, f"{OVER}\n")
        return "".join(printed)


@contextmanager
def terminal(home: Path) -> Iterator[Terminal]:
    # No command waits for ever, and none asks a proxy of this machine.
    (home / ".curlrc").write_text(f"max-time = {PATIENCE_SECONDS}\nnoproxy = *\n")
    environment = {name: value for name, value in os.environ.items() if name not in NOT_HERE}
    environment |= {"WHYRAL_HOME": str(home), "CURL_HOME": str(home), "COLUMNS": "80"}
    environment["PATH"] = f"{Path(sys.executable).parent}:{environment['PATH']}"
    with subprocess.Popen(
        ["bash"], cwd=ROOT, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as shell:
        yield Terminal(shell)


@pytest.fixture
def port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


@pytest.mark.skipif(not (shutil.which("curl") and shutil.which("bash")), reason="README's commands need curl and bash.")
def test_every_command_prints_what_readme_says(tmp_path, port):
    with running(tmp_path, port, EMAIL_URL="consolemail://") as product, terminal(tmp_path) as shell:
        read_banner(product)
        told: list[str] = []
        threading.Thread(target=lambda: told.extend(product.stdout), daemon=True).start()
        for step in steps():
            run_as_a_reader(step, shell, port)
    assert any("To: ana@example.com" in line for line in told)


def run_as_a_reader(step: Step, shell: Terminal, port: int) -> None:
    """Who asks too early asks again, but nobody signs up, or pays, twice."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    printed = shell.run(step.at(port))
    while step.only_asks and not step.is_as_printed(printed) and time.monotonic() < deadline:
        time.sleep(1)
        printed = shell.run(step.at(port))
    assert step.is_as_printed(printed), f"$ {step.command}\n{printed}\nand README has\n{step.output}"
