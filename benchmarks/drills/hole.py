"""Drill 8: the way to Redis goes silent without any connection being closed."""

import os
import random
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import urlsplit

from accounts.models import User
from benchmarks.drills import ground
from benchmarks.drills.drill import Outcome, Scene, conclude, quiet, workers
from benchmarks.drills.fleet import PROCESSES, THREADS, DidNotHappen, Fleet, until
from benchmarks.drills.invariants import read_trace
from benchmarks.drills.simulated import Plan
from core import embedded

# After it, until every worker has begun with something new.
PATIENCE = 60.0
# A post may be in flight at faults that are none of its own.
PLAN = Plan(by_default=0.1, most_tries=30)


def broker_half_open(scene: Scene) -> Outcome:
    """8: the workers' way to Redis is a hole for a while; half of its connections never come back, none is closed."""
    silence, posts = 15.0 if scene.short else 120.0, scene.size(full=200, short=30)
    with ground.fresh(scene.home, "half-open") as folder, Way(_socket_of(scene.home), scene.chance()) as way:
        user, through = ground.make_user(), {"CELERY_BROKER_URL": f"{way.address}/1", "REDIS_URL": f"{way.address}/0"}
        with workers(
            scene, folder, PLAN, environment=through, one=THREADS, two=THREADS, three=PROCESSES, four=PROCESSES
        ) as crew:
            ground.publish(user, posts)
            until(ground.ended, seconds=60, what="the first end")
            with way.silent():
                crew.note_fault("Redis out of reach")
                ground.publish(user, posts)
                time.sleep(silence)
            deaf = _until_all_hear(crew, user)
            seconds = quiet(crew, seconds=120 + posts)
            outcome = conclude(crew)
    outcome.facts |= {"silent_seconds": silence, "forgotten": way.forgotten, "seconds_to_the_end": round(seconds, 1)}
    outcome.facts["heard_again_after"] = deaf
    outcome.require(way.forgotten > 0, "no connection was forgotten")
    outcome.require(max(deaf.values()) <= PATIENCE, f"a worker was deaf for longer than {PATIENCE:.0f} s")
    return outcome


def _socket_of(home: Path) -> str:
    return urlsplit(embedded.redis_url(home)).path


def _until_all_hear(crew: Fleet, user: User) -> dict[str, float]:
    """Seconds until each worker has begun with something that came after the silence."""
    start, heard = time.time(), dict[str, float]()

    def look() -> bool:
        ground.publish(user, 4)
        groups = {process: name for name, process in crew.running.items()}
        for step in read_trace(crew.folder):
            if step.point == "claimed" and step.at > start and (name := groups.get(_group_of(step.process))):
                heard.setdefault(name, round(step.at - start, 1))
        return heard.keys() == crew.workers.keys()

    with suppress(DidNotHappen):
        until(look, seconds=PATIENCE, what="a sign of every worker", pause=0.5)
    return {name: heard.get(name, 2 * PATIENCE) for name in crew.workers}


def _group_of(process: int) -> int:
    with suppress(ProcessLookupError):
        return os.getpgid(process)
    return 0


class Way:
    """Passes bytes between whoever connects and a unix socket, until it is a hole."""

    def __init__(self, target: str, chance: random.Random) -> None:
        self.target, self.chance = target, chance
        self.forgotten = 0  # connections whose bytes never arrive any more, though nobody is told
        self._open = threading.Event()
        self._open.set()
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self._ends: list[socket.socket] = []

    @property
    def address(self) -> str:
        return f"redis://127.0.0.1:{self._listener.getsockname()[1]}"

    def __enter__(self) -> "Way":
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._open.set()
        for each in (self._listener, *self._ends):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()

    @contextmanager
    def silent(self) -> Iterator[None]:
        self._open.clear()
        try:
            yield
        finally:
            self._open.set()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                near, _ = self._listener.accept()
                far = socket.socket(socket.AF_UNIX)
                far.connect(self.target)
                self._ends += [near, far]
                # A machine on the way forgets some of what it knew, and holds back what the others have sent.
                forgets = self.chance.random() < 0.5
                for one, other in ((near, far), (far, near)):
                    threading.Thread(target=self._pass, args=(one, other, forgets), daemon=True).start()

    def _pass(self, one: socket.socket, other: socket.socket, forgets: bool) -> None:
        with suppress(OSError):
            while part := one.recv(65536):
                if not self._open.is_set() and forgets:
                    self.forgotten += 1
                    return
                self._open.wait()
                other.sendall(part)
            with suppress(OSError):
                other.shutdown(socket.SHUT_WR)
