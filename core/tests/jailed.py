"""What the tests of the jail do inside it."""

import ctypes
import os
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from core import jail


def act(job: dict[str, Any]) -> Any:
    return ACTS[job["act"]](job)


def refuse(job: dict[str, Any]) -> None:
    raise jail.Refusal("media_too_large", limit=7)


def connect(job: dict[str, Any]) -> str:
    try:
        socket.create_connection((job["host"], job["port"]), timeout=2).close()
    except OSError as problem:
        return type(problem).__name__
    return "connected"


def leave_a_child(job: dict[str, Any]) -> int:
    return subprocess.Popen(["sleep", "60"]).pid


def write(job: dict[str, Any]) -> str:
    try:
        with open(job["path"], "wb") as file:
            for _ in range(100):
                file.write(b"x" * 100_000)
    except OSError as problem:
        return str(problem.errno)
    return "written"


def flood(job: dict[str, Any]) -> None:
    while True:
        print("x" * 10_000, file=sys.stderr)  # noqa: T201


ACTS = {
    "echo": lambda job: job,
    "refuse": refuse,
    "fail": lambda job: 1 / 0,
    "crash": lambda job: os.abort(),
    "segfault": lambda job: ctypes.string_at(0),
    "sleep": lambda job: time.sleep(60),
    "spin": lambda job: sum(range(10**12)),
    "hog": lambda job: len(bytearray(4 * 2**30)),
    "print": lambda job: print("not an answer"),  # noqa: T201
    "flood": flood,
    "large": lambda job: "x" * 40_000_000,
    "environment": lambda job: dict(os.environ),
    "read": lambda job: Path(job["path"]).read_text(),
    "connect": connect,
    "write": write,
    "leave_a_child": leave_a_child,
}

if __name__ == "__main__":
    jail.serve(act)
