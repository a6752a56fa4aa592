"""The machine under the figures: what it is, how fast it is just now, and which core does what."""

import contextlib
import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

from django.db import connection

from benchmarks.measure import NotMeasured

SERVER_CORE, LOAD_CORE = 0, 1
PACKAGES = ("django", "djangorestframework", "granian", "orjson", "psycopg", "redis", "structlog")


def stay_on_load_core() -> None:
    """Keep this process, and with it PostgreSQL and Redis, which it starts, off the core of the server measured."""
    if can_pin():
        os.sched_setaffinity(0, {LOAD_CORE})


@contextlib.contextmanager
def on_server_core() -> Iterator[None]:
    """Work here as the server does: PostgreSQL and Redis stay on the other core."""
    if can_pin():
        os.sched_setaffinity(0, {SERVER_CORE})
    yield
    stay_on_load_core()


def can_pin() -> bool:
    return hasattr(os, "sched_setaffinity") and (os.cpu_count() or 1) > LOAD_CORE


def cpu_of(pids: list[int]) -> float:
    """CPU seconds of processes so far: the kernel's own clock of each, which /proc rounds to hundredths of a second."""
    if sys.platform != "linux":
        raise NotMeasured("the CPU clock of another process is read on Linux only")
    return sum(time.clock_gettime(~pid << 3 | 2) for pid in pids)


def with_children(pid: int) -> list[int]:
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError as error:
        raise NotMeasured("the children of a process are found in /proc, which is not here") from error
    return [pid, *(each for child in children for each in with_children(int(child)))]


def calibrate() -> float:
    """Milliseconds for a fixed piece of work. Twice the usual means a slow or busy machine: distrust the absolutes."""
    rows = [{"id": number, "name": f"row {number}", "ratio": number / 7, "tags": ["a", "b"]} for number in range(500)]
    times = []
    for _ in range(20):
        start = time.perf_counter()
        json.dumps(rows)
        times.append(time.perf_counter() - start)
    return sorted(times)[len(times) // 2] * 1000


def fsync_microseconds(folder: Path) -> float:
    """What a commit waits for at least, where the database lives."""
    path, times = folder / "fsync.tmp", []
    with open(path, "wb") as file:
        for _ in range(200):
            file.write(b"x" * 512)
            file.flush()
            start = time.perf_counter()
            os.fsync(file.fileno())
            times.append(time.perf_counter() - start)
    path.unlink()
    return sorted(times)[len(times) // 2] * 1e6


def facts(folder: Path) -> dict[str, object]:
    with connection.cursor() as cursor:
        cursor.execute("SHOW server_version")
        postgres = cursor.fetchone()[0]
    return {
        "cores": os.cpu_count(),
        "cpu": _cpu_model(),
        "system": platform.platform(),
        "python": platform.python_version(),
        "postgresql": postgres,
        "packages": {name: version(name) for name in PACKAGES},
        "revision": _revision(),
        "pinned": can_pin(),
        "fsync_us": round(fsync_microseconds(folder)),
    }


def _cpu_model() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "unknown")


def _revision() -> str:
    command = ["git", "describe", "--always", "--dirty"]
    answer = subprocess.run(command, capture_output=True, text=True, check=False, cwd=Path(__file__).parent)
    return answer.stdout.strip() or "unknown"
