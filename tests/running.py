"""The service as `make run` starts it, and a person who uses it over HTTP."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

import httpx

ROOT = Path(__file__).resolve().parents[1]
PATIENCE_SECONDS = 60


@contextmanager
def running(home: Path, port: int, **settings: str) -> Iterator[subprocess.Popen[str]]:
    environment = {name: value for name, value in os.environ.items() if name != "MAKELEVEL"}
    environment |= {"WHYRAL_HOME": str(home), "PORT": str(port), **settings}
    command = [sys.executable, "-m", "config.run"]
    with subprocess.Popen(
        command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        try:
            yield process
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(PATIENCE_SECONDS)


def read_banner(process: subprocess.Popen[str]) -> str:
    lines: list[str] = []
    for line in process.stdout or ():
        lines.append(line)
        if "Ctrl-C stops everything" in line:
            return "".join(lines)
    raise AssertionError("".join(lines))


def until(holds: Callable[[], object]) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not holds():
        assert time.monotonic() < deadline, "it did not come true in time"
        time.sleep(0.2)


class Person:
    """Somebody who has just signed up there."""

    def __init__(self, port: int) -> None:
        self.api = httpx.Client(base_url=f"http://127.0.0.1:{port}/api", timeout=PATIENCE_SECONDS, trust_env=False)
        form = {"email": f"ana-{time.time_ns()}@example.com", "password": "a long enough password"}
        self.api.headers["authorization"] = f"Bearer {self.posted('accounts/signup/', **form)['access']}"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.api.close()

    def read(self, path: str) -> Any:
        answer = self.api.get(path)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def posted(self, path: str, **form: str) -> Any:
        answer = self.api.post(path, json=form)
        assert answer.is_success, answer.text
        return answer.json()

    def checkout(self, slug: str) -> str:
        """The address of the page on which it is paid."""
        plan_id = next(each["id"] for each in self.read("accounts/plans/")["results"] if each["slug"] == slug)
        return str(self.posted("billing/subscribe/", plan_id=plan_id)["checkout_url"])

    def is_on(self, slug: str) -> bool:
        subscription = self.read("accounts/subscription/")
        return (subscription["plan"]["slug"], subscription["status"]) == (slug, "ACTIVE")

    def limits(self) -> dict[str, int]:
        return dict(self.read("accounts/usage/limits/")["limits"])

    def paid(self) -> list[tuple[str, int]]:
        return [(each["status"], each["amount"]) for each in self.read("billing/payments/")["results"]]
