"""Drills 6, 7 and 9 to 11: Redis and PostgreSQL wiped, hung, restarted, locked and full, in the middle of the work."""

import contextlib
import os
import shutil
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
from django.db import connection

from accounts.models import User
from benchmarks.drills import ground
from benchmarks.drills.drill import Outcome, Scene, conclude, quiet, workers
from benchmarks.drills.fleet import PROCESSES, THREADS, Fleet, until
from benchmarks.drills.simulated import Plan
from core import embedded, redis
from core.embedded import postgres
from core.embedded import redis as embedded_redis

# A post may be in flight at several faults that are none of its own.
PLAN = Plan(by_default=0.1, most_tries=30)


def _in_the_middle(scene: Scene, name: str, act: Callable[[Fleet, User], dict[str, Any]], *, posts: int) -> Outcome:
    with ground.fresh(scene.home, name) as folder:
        user = ground.make_user()
        with workers(scene, folder, PLAN, one=THREADS, two=THREADS, three=PROCESSES, four=PROCESSES) as crew:
            ground.publish(user, posts)
            until(ground.ended, seconds=60, what="the first end")
            seen = act(crew, user)
            seen["seconds_to_the_end"] = round(quiet(crew, seconds=120 + posts), 1)
            outcome = conclude(crew)
            outcome.facts |= seen
    return outcome


def redis_wiped(scene: Scene) -> Outcome:
    """6: Redis loses everything, three times: emptied twice, killed without its file once."""

    def wipe(crew: Fleet, _: User) -> dict[str, Any]:
        left = []
        for each in (_empty, lambda: _kill_redis(scene.home), _empty):
            left.append(ground.still_open())
            each()
            crew.note_fault("Redis wiped")
            # On a quick machine the short form is over in two seconds.
            time.sleep(0.2 if scene.short else 1.0)
        return {"open_when_wiped": left}

    outcome = _in_the_middle(scene, "wiped", wipe, posts=scene.size(full=400, short=300))
    outcome.require(min(outcome.facts["open_when_wiped"]) > 0, "it was all over before the last wipe")
    return outcome


def _empty() -> None:
    redis.client().flushall()


def _kill_redis(home: Path) -> None:
    end_redis(home)
    time.sleep(0.3)
    start_redis(home)


def end_redis(home: Path) -> None:
    """At once, with all it knew."""
    os.kill(redis.client().info("server")["process_id"], signal.SIGKILL)
    shutil.rmtree(home / "redis" / "appendonlydir", ignore_errors=True)
    (home / "redis" / "appendonly.aof").unlink(missing_ok=True)


def start_redis(home: Path) -> None:
    embedded_redis.ensure(home, durable=True)
    redis.client().connection_pool.disconnect()


def redis_hung(scene: Scene) -> Outcome:
    """7: Redis hangs while requests keep coming; none of them waits for it longer than a second."""
    # In short a machine that has other things to do is told from one that waits for as long as Redis hangs.
    seconds, requests, slowest = (5, 20, 3.0) if scene.short else (30, 200, 1.0)

    def hang(crew: Fleet, user: User) -> dict[str, Any]:
        process = redis.client().info("server")["process_id"]
        os.kill(process, signal.SIGSTOP)
        crew.note_fault("Redis hung")
        try:
            start, waits = time.monotonic(), sorted(_ask_in_threads(user, requests))
            time.sleep(max(0.0, seconds - (time.monotonic() - start)))
        finally:
            os.kill(process, signal.SIGCONT)
        median, longest = waits[len(waits) // 2], waits[-1]
        return {"requests": len(waits), "median_wait": round(median, 3), "longest_wait": round(longest, 3)}

    outcome = _in_the_middle(scene, "hung", hang, posts=40)
    outcome.require(outcome.facts["longest_wait"] <= slowest, "a request waited for Redis for too long")
    outcome.require(outcome.facts["requests"] == requests, "a request failed")
    return outcome


def _ask_in_threads(user: User, requests: int, threads: int = 4) -> list[float]:
    waits: list[float] = []

    def ask() -> None:
        for _ in range(requests // threads):
            start = time.monotonic()
            ground.ask_for(user, 2)
            waits.append(time.monotonic() - start)
        connection.close()

    running = [threading.Thread(target=ask) for _ in range(threads)]
    for each in running:
        each.start()
    for each in running:
        each.join()
    return waits


def postgres_restarted(scene: Scene) -> Outcome:
    """9: PostgreSQL is killed and started again, under load."""
    times = 2 if scene.short else 5

    def restart(crew: Fleet, _: User) -> dict[str, Any]:
        left = []
        for _ in range(times):
            left.append(ground.still_open())
            connection.close()
            os.kill(int((scene.home / "postgres" / "postmaster.pid").read_text().splitlines()[0]), signal.SIGQUIT)
            crew.note_fault("PostgreSQL restarted")
            time.sleep(0.5)
            postgres.ensure(scene.home, durable=True)
            time.sleep(0.5 if scene.short else 1.5)
        return {"open_when_restarted": left}

    outcome = _in_the_middle(scene, "restarted", restart, posts=scene.size(full=500, short=350))
    outcome.require(min(outcome.facts["open_when_restarted"]) > 0, "it was all over before the last restart")
    return outcome


def table_locked(scene: Scene) -> Outcome:
    """10: the table of posts is locked for longer than anybody waits for a lock."""

    def lock(crew: Fleet, _: User) -> dict[str, Any]:
        with psycopg.connect(embedded.database_url(scene.home)) as locking:
            locking.execute("LOCK TABLE analysis_postanalysis IN ACCESS EXCLUSIVE MODE")
            crew.note_fault("locked")
            time.sleep(7 if scene.short else 20)
        return {}

    return _in_the_middle(scene, "locked", lock, posts=scene.size(full=300, short=40))


def connections_exhausted(scene: Scene) -> Outcome:
    """11: whoever loses its connection gets no other for a while."""

    def exhaust(crew: Fleet, _: User) -> dict[str, Any]:
        with _all_connections(scene.home) as taken:
            crew.note_fault("no connections")
            time.sleep(5 if scene.short else 60)
        return {"connections_taken": taken}

    return _in_the_middle(scene, "exhausted", exhaust, posts=scene.size(full=300, short=40))


@contextlib.contextmanager
def _all_connections(home: Path) -> Iterator[int]:
    held = [psycopg.connect(embedded.database_url(home), autocommit=True)]
    connection.close()
    with contextlib.suppress(psycopg.OperationalError):
        while True:
            held[0].execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'worker'")
            held.append(psycopg.connect(embedded.database_url(home)))
    yield len(held)
    for each in held:
        each.close()
