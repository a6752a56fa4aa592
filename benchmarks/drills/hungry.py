"""Drill 5: posts that take all the memory there is, among good ones."""

import os
import resource
import signal
import threading
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from uuid import UUID

from analysis.models import PostAnalysis, StageRun
from benchmarks.drills import ground
from benchmarks.drills.drill import Outcome, Scene, conclude, conclude_connections, quiet, workers
from benchmarks.drills.fleet import PROCESSES, THREADS, DidNotHappen, Fleet, until
from benchmarks.drills.invariants import connections_of_workers
from benchmarks.drills.simulated import Plan
from benchmarks.machine import with_children

# Of address space, over what a worker has anyway; of memory, until the machine would have no more.
ROOM_MB, PATIENCE_MB = 3072, 500
# One for each thread and each process of the pool, for the sweeper, and for whoever renews leases at the moment.
MOST_CONNECTIONS = 8 + 2 + 1 + 2
# What may be more than before: two connections of each of ten hands, which come when they are needed and stay, and
# what an allocator keeps.
FILES_MORE, MEGABYTES_MORE = 20, 64


@dataclass(frozen=True)
class Held:
    """What workers hold of the machine."""

    connections: int
    files: int
    megabytes: int

    def fits(self, before: "Held") -> bool:
        files, megabytes = before.files + FILES_MORE, before.megabytes + MEGABYTES_MORE
        return self.connections <= MOST_CONNECTIONS and self.files <= files and self.megabytes <= megabytes


def memory_taken(scene: Scene) -> Outcome:
    """5: one post meets its worker's limit of memory, for another the kernel kills the worker, each time anew."""
    posts = scene.size(full=200, short=30)
    before = _held_after_good_posts(scene, posts)
    with ground.fresh(scene.home, "memory") as folder:
        ids = ground.publish(ground.make_user(), posts)
        refused, killed = ids[posts // 3], ids[posts // 2]
        plan = Plan(by_default=0.05, hungry={str(refused): ("transcribe", False), str(killed): ("transcribe", True)})
        with workers(scene, folder, plan, room_mb=ROOM_MB, threads=THREADS, processes=PROCESSES) as crew:
            with Kernel(crew) as kernel:
                quiet(crew, seconds=120)
            outcome = conclude(crew, failed=2)
            with suppress(DidNotHappen):
                until(lambda: _held(crew).fits(before), seconds=60, what="the end of what was held", pause=1.0)
            outcome.facts |= {"killed_by_kernel": len(kernel.killed), "before": asdict(before)}
            outcome.facts["after"] = asdict(after := _held(crew))
            outcome.require(after.fits(before), "I9 more is held than before")
            _require_found_out(outcome, {refused: ("internal", "failed"), killed: ("gave_up", "lost")})
            outcome.require(len(kernel.killed) == outcome.facts["attempts"][1], "somebody else was killed")
            conclude_connections(crew, outcome)
    return outcome


def _held_after_good_posts(scene: Scene, posts: int) -> Held:
    with ground.fresh(scene.home, "frugal") as folder:
        ground.publish(ground.make_user(), posts)
        plan = Plan(by_default=0.05)
        with workers(scene, folder, plan, room_mb=ROOM_MB, threads=THREADS, processes=PROCESSES) as crew:
            quiet(crew, seconds=120)
            return _held(crew)


def _require_found_out(outcome: Outcome, expected: dict[UUID, tuple[str, str]]) -> None:
    codes = [PostAnalysis.objects.get(pk=post).error_code for post in expected]
    runs = [StageRun.objects.filter(post_analysis=post, stage="transcribe") for post in expected]
    tries = [each.filter(outcome=how).count() for each, (_, how) in zip(runs, expected.values(), strict=True)]
    outcome.facts |= {"codes": codes, "attempts": tries}
    outcome.require(codes == [code for code, _ in expected.values()], "a hungry post was not found out")
    outcome.require(max(tries) <= 3, "a hungry post was tried again and again")


def _held(crew: Fleet) -> Held:
    processes = _processes(crew.running.values())
    return Held(
        connections_of_workers(),
        sum(_files(each) for each in processes),
        sum(_megabytes(each) for each in processes),
    )


def _processes(workers: Iterable[int]) -> list[int]:
    return [each for worker in workers for each in with_children(worker)]


def _files(process: int) -> int:
    with suppress(OSError):
        return len([*Path(f"/proc/{process}/fd").iterdir()])
    return 0


def _megabytes(process: int) -> int:
    """What is its own, and its share of what it has in common with others."""
    with suppress(OSError):
        for line in Path(f"/proc/{process}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) // 1024
    return 0


class Kernel:
    """Kills what takes too much, as a kernel does that has no memory left."""

    def __init__(self, crew: Fleet) -> None:
        self.crew, self.killed = crew, list[int]()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch)

    def __enter__(self) -> "Kernel":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._over.wait(0.05):
            for process in _processes([self.crew.running["processes"]]):
                if process not in self.killed and _resident(process) > PATIENCE_MB * 2**20:
                    os.kill(process, signal.SIGKILL)
                    self.killed.append(process)


def _resident(process: int) -> int:
    with suppress(OSError):
        return int(Path(f"/proc/{process}/statm").read_text().split()[1]) * resource.getpagesize()
    return 0
