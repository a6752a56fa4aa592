"""The workers of a drill, from the side of whoever kills them."""

import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID

from benchmarks.drills.simulated import Plan

ROOT = Path(__file__).resolve().parents[2]
# Loaded before anything of ours can be imported.
NURSERY = "import django; django.setup(); from benchmarks.drills import nursery; nursery.main()"
LEASE_SECONDS, SWEEP_SECONDS = 2.0, 0.5
THREADS = ("--queues", "io,default", "--pool", "threads", "--concurrency", "8")
PROCESSES = ("--queues", "cpu", "--pool", "prefork", "--concurrency", "2")
ALL_IN_PROCESSES = ("--queues", "io,cpu,default", "--pool", "prefork", "--concurrency", "8")


class DidNotHappen(Exception):
    """What a drill waits for did not come true."""


@dataclass(frozen=True)
class Fault:
    """Something that was done, to one worker or to everybody, and what was in flight there at the time."""

    at: float
    what: str
    process: int = 0


@dataclass
class Fleet:
    """Workers by name, each started anew by us when it dies, as a supervisor does."""

    folder: Path
    nursery: "subprocess.Popen[str]"
    workers: dict[str, tuple[str, ...]] = field(default_factory=dict)
    running: dict[str, int] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)
    restarted: list[str] = field(default_factory=list)  # because they died by themselves
    soft_seconds: float = 2.0
    room_mb: int = 0  # of memory, if there is a limit
    environment: dict[str, str] = field(default_factory=dict)

    def start(self, name: str, *words: str) -> None:
        self.workers[name] = words
        options = ["--without-gossip", "--without-mingle", "--loglevel", "WARNING", "--hostname", f"{name}@drill"]
        self.running[name] = self._order(
            words=["worker", *words, *options], soft=self.soft_seconds, room_mb=self.room_mb
        )

    def start_sweeper(self) -> None:
        self.running["sweeper"] = self._order(sweep=SWEEP_SECONDS)

    def let_one_die_after_commit(self, user_id: UUID) -> None:
        """Somebody takes a request, and is gone before any message is sent."""
        process = self._order(die=str(user_id))
        until(lambda: not is_alive(process), seconds=30, what="the end of whoever took the request")

    def restart_dead(self) -> None:
        dead = [name for name, process in self.running.items() if not is_alive(process)]
        for name in dead:
            self.restarted.append(name)
            self.start(name, *self.workers[name])

    def kill(self, name: str) -> None:
        """The worker and the processes of its pool, at once."""
        process = self.running[name]
        self.faults.append(Fault(time.time(), "kill -9", process))
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process, signal.SIGKILL)
        until(lambda: not is_alive(process), seconds=10, what=f"the end of {name}")

    def kill_any(self, chance: random.Random) -> None:
        name = chance.choice(sorted(self.workers))
        self.kill(name)
        self.start(name, *self.workers[name])

    def note_fault(self, what: str) -> None:
        self.faults.append(Fault(time.time(), what))

    def stop(self) -> None:
        for process in self.running.values():
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process, signal.SIGKILL)
        self.running.clear()

    def _order(self, **order: Any) -> int:
        environment = {**self.environment, "DRILL_FOLDER": str(self.folder)}
        order |= {"environment": environment, "log": str(self.folder / "workers.log")}
        assert self.nursery.stdin
        assert self.nursery.stdout
        self.nursery.stdin.write(json.dumps(order) + "\n")
        self.nursery.stdin.flush()
        return int(self.nursery.stdout.readline())


@contextlib.contextmanager
def nursery(log: Path) -> Iterator["subprocess.Popen[str]"]:
    with open(log, "wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-c", NURSERY], cwd=ROOT, text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=output,
        )  # fmt: skip
    try:
        assert process.stdout
        if process.stdout.readline() != "ready\n":
            raise DidNotHappen(f"the nursery did not start: {log.read_text()[-2000:]}")
        yield process
    finally:
        process.kill()
        process.communicate()


@contextlib.contextmanager
def fleet(nursery: "subprocess.Popen[str]", folder: Path, plan: Plan) -> Iterator[Fleet]:
    folder.mkdir(parents=True, exist_ok=True)
    plan.keep(folder)
    all_of_them = Fleet(folder, nursery)
    try:
        yield all_of_them
    finally:
        all_of_them.stop()


def is_alive(process: int) -> bool:
    """One that has ended and was not waited for yet is not."""
    try:
        os.kill(process, 0)
        state = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:  # no such folder on this system, or gone in this moment: the next look will tell
        return True
    except ProcessLookupError:
        return False
    return state != "Z"


def until(holds: Callable[[], Any], *, seconds: float, what: str, pause: float = 0.05) -> float:
    """Wait for it; how long it took."""
    start = time.monotonic()
    while not holds():
        if time.monotonic() - start > seconds:
            raise DidNotHappen(f"{what} did not come within {seconds:.0f} s")
        time.sleep(pause)
    return time.monotonic() - start
