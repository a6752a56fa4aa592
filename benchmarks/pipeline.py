"""P5, P7, P8, P19, P23 and publishing: what carrying posts costs, and how fast the carriers are."""

import contextlib
import os
import random
import signal
import statistics
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path

from django.db import connection

from accounts.models import User
from analysis import pipeline, tasks
from analysis.models import PostAnalysis, PostAnalysisRequest
from benchmarks.carrier import NOOP, QUERY, RELAY
from benchmarks.carriers import ask_for, carrier, make_user, stopped, succeeded, until, until_quiet
from benchmarks.machine import cpu_of, with_children
from benchmarks.measure import Cost, Figure, Line, ratios, rounds
from core import queue, redis
from core.queue import enqueue

LINES = {
    "P5 many": Line("500 posts of 1 s, 50 in flight: wall / ideal", "x wall", target=1.08, red=1.08),
    "P5 request": Line("one request of ten posts: wall / its longest way", "x wall", target=1.05, red=1.05),
    "P7": Line("worker CPU of a post, one queue / a no-op task", "x CPU", target=3.0, red=3.0),
    "P7 handed over": Line("the same, over to processes and back", "x CPU", target=5.0, red=5.0),
    "P8": Line("tasks of one query a second / no-op tasks", "x rate", target=0.85, red=0.85, more_is_better=True),
    "P19": Line("kill -9 of a worker to its post moving / 1.5 leases + 2 s", "x wall", target=1, red=1),
    "P23": Line("memory of a worker over 20,000 tasks, after 4,000", "MB/10k", target=1, red=1),
    "publish": Line("the longest a request waits for a Redis that hangs", "s", target=1, red=1),
}
MANY, IN_FLIGHT, TEN = 500, 50, 10
POSTS, NOOPS, QUERIES = 300, 1000, 1000
MANY_SECONDS = {"collect": 0.4, "media": 0.2, "analyse": 0.4}
TEN_SECONDS = {"collect": 2.0, "media": 1.0, "transcribe": 1.0, "analyse": 4.0}
ONE_QUEUE = dict.fromkeys(("collect", "media", "captions", "analyse"), 0.0)
TWO_QUEUES = dict.fromkeys(("collect", "media", "transcribe", "analyse"), 0.0)
LEASE_SECONDS, SWEEP_SECONDS = 4.0, 2.0
FEW, SOAK = 5, 20_000


def measure(home: Path, wanted: set[str]) -> list[Figure]:
    measures = {"P5": _walls, "P7": _costs, "P8": _rates, "P19": _recoveries, "P23": _memory, "publish": _publishing}
    user = make_user()
    return [figure for name, act in measures.items() if name in wanted for figure in act(home, user)]


# P5


def _walls(home: Path, user: User) -> list[Figure]:
    with carrier(home, MANY_SECONDS, "io", threads=IN_FLIGHT) as pid:
        many = [_wall_of_many(user, pid) for _ in range(FEW)]
    with carrier(home, TEN_SECONDS, "io", threads=20), carrier(home, TEN_SECONDS, "cpu", processes=TEN):
        ten = [_wall_of_one(user) for _ in range(FEW)]
    return [
        Figure("P5 many", LINES["P5 many"], tuple(wall / (MANY / IN_FLIGHT) for wall in many), "1 s = 0.4 + 0.2 + 0.4"),
        Figure("P5 request", LINES["P5 request"], tuple(wall / 8 for wall in ten), "8 s = 2 + 1 + 1 elsewhere + 4"),
    ]


def _wall_of_many(user: User, pid: int) -> float:
    return _cost([pid], lambda: ask_for(user, MANY), until_quiet, units=1).wall


def _wall_of_one(user: User) -> float:
    start = time.monotonic()
    ask_for(user, TEN)
    until_quiet()
    return time.monotonic() - start


# P7 and P8


def _costs(home: Path, user: User) -> list[Figure]:
    figures = []
    for name, seconds, queues in (("P7", ONE_QUEUE, ["io"]), ("P7 handed over", TWO_QUEUES, ["io", "cpu"])):
        with contextlib.ExitStack() as stack:
            pids = [stack.enter_context(carrier(home, seconds, queue, threads=8)) for queue in queues[:1]]
            pids += [stack.enter_context(carrier(home, seconds, queue, processes=1)) for queue in queues[1:]]
            bare = stack.enter_context(carrier(home, {}, "default", threads=8, as_it_comes=True))
            sides = {"post": partial(_cost_of_posts, user, pids)}
            sides |= {"noop": partial(_cost_of_tasks, NOOP, NOOPS, pids)}
            # Told and not held against: what a task costs before 0033 makes it cheaper.
            sides |= {"Celery's noop": partial(_cost_of_tasks, NOOP, NOOPS, [bare], queue="default")}
            if len(queues) > 1:
                # What the way alone costs, with nothing carried: that is Celery's, and no post comes below it.
                sides |= {"bare way": partial(_cost_of_ways, pids)}
            _warm_up(sides)
            taken = rounds(sides, count=9)
        each = ", ".join(f"{side} {statistics.median(t[side].cpu for t in taken) * 1e3:.2f} ms" for side in sides)
        figures.append(Figure(name, LINES[name], ratios(taken, "post", "noop"), each))
    return figures


def _rates(home: Path, user: User) -> list[Figure]:
    with carrier(home, ONE_QUEUE, "io", threads=8) as pid:
        sides = {name: partial(_cost_of_tasks, name, QUERIES, [pid]) for name in (QUERY, NOOP)}
        _warm_up(sides)
        taken = rounds(sides)
    each = ", ".join(f"{side} {1 / statistics.median(t[side].wall for t in taken):.0f}/s" for side in sides)
    return [Figure("P8", LINES["P8"], ratios(taken, NOOP, QUERY, clock="wall"), each)]


def _warm_up(sides: Mapping[str, Callable[[], Cost]]) -> None:
    for act in sides.values():
        act()


def _cost_of_posts(user: User, pids: list[int]) -> Cost:
    return _cost(pids, lambda: ask_for(user, POSTS), until_quiet, units=POSTS)


def _cost_of_ways(pids: list[int]) -> Cost:
    before = succeeded(RELAY)
    send = lambda: [enqueue(RELAY, "cpu", "io", queue="io") for _ in range(POSTS)]  # noqa: E731
    return _cost(pids, send, lambda: until(lambda: succeeded(RELAY) - before >= 3 * POSTS), units=POSTS)


def _cost_of_tasks(name: str, tasks: int, pids: list[int], *, queue: str = "io") -> Cost:
    before = succeeded(name)
    send = lambda: [enqueue(name, queue=queue) for _ in range(tasks)]  # noqa: E731
    return _cost(pids, send, lambda: until(lambda: succeeded(name) - before >= tasks), units=tasks)


def _cost(pids: list[int], send: Callable[[], object], wait: Callable[[], None], *, units: int) -> Cost:
    """Everything is sent before the worker may begin: how fast we publish is another matter."""
    everybody = [each for pid in pids for each in with_children(pid)]
    with stopped(everybody):
        send()
        cpu, wall = cpu_of(everybody), time.perf_counter()
    wait()
    return Cost(cpu=(cpu_of(everybody) - cpu) / units, wall=(time.perf_counter() - wall) / units)


# P19, P23 and publishing


def _recoveries(home: Path, user: User) -> list[Figure]:
    """With a sweep every two seconds, as beat asks for it, and another worker that has nothing to do."""
    start = partial(carrier, home, {"collect": 600.0}, "io", threads=8, lease=LEASE_SECONDS)
    taken = []
    with _sweeper(), start() as rescuer:
        for _ in range(FEW):
            with start() as victim:
                taken.append(_seconds_without_holder(user, victim, rescuer))
    limit = 1.5 * LEASE_SECONDS + 2
    detail = f"leases of {LEASE_SECONDS:.0f} s, {max(taken):.1f} s at worst"
    return [Figure("P19", LINES["P19"], tuple(each / limit for each in taken), detail)]


def _seconds_without_holder(user: User, victim: int, rescuer: int) -> float:
    with stopped(with_children(rescuer)):
        post = PostAnalysis.objects.filter(request=ask_for(user, 1)[0])
        until(lambda: post.filter(fence=1).exists())
    # Somewhere between two signs of life.
    time.sleep(LEASE_SECONDS * random.random())
    start = time.monotonic()
    os.killpg(victim, signal.SIGKILL)
    until(lambda: post.filter(fence=2).exists())
    return time.monotonic() - start


@contextlib.contextmanager
def _sweeper() -> Iterator[None]:
    over = threading.Event()

    def sweep() -> None:
        while not over.wait(SWEEP_SECONDS):
            tasks.sweep()
        connection.close()

    thread = threading.Thread(target=sweep)
    thread.start()
    yield
    over.set()
    thread.join()


def _memory(home: Path, user: User) -> list[Figure]:
    """A quarter of the messages carries a post to its end, the others come too late, as copies do."""
    samples: list[tuple[int, float]] = []
    with carrier(home, ONE_QUEUE, "io", threads=8) as pid:
        for done in range(0, SOAK, SOAK // 20):
            _soak(user, SOAK // 20)
            samples.append((done + SOAK // 20, _megabytes(pid)))
    warm = [(done, size) for done, size in samples if done > SOAK // 5]
    slope, _ = statistics.linear_regression(*zip(*warm, strict=True))
    detail = f"{samples[0][1]:.0f} MB after {samples[0][0]}, {samples[-1][1]:.0f} MB after {samples[-1][0]}"
    return [Figure("P23", LINES["P23"], (slope * 10_000,), detail)]


def _soak(user: User, messages: int) -> None:
    before = succeeded(pipeline.TASK)
    asked = ask_for(user, messages // 4)
    for post in PostAnalysis.objects.filter(request__in=asked).values_list("pk", flat=True):
        for _ in range(3):
            enqueue(pipeline.TASK, post, "io", queue="io")
    until(lambda: succeeded(pipeline.TASK) - before >= messages)


def _megabytes(pid: int) -> float:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20


def _publishing(home: Path, user: User) -> list[Figure]:
    """Each time anew: who asks right after another finds that Redis is away, and does not wait."""
    process = int(redis.client().info("server")["process_id"])  # type: ignore[index]
    waits = []
    for _ in range(FEW):
        time.sleep(max(redis.REST_SECONDS, queue.REST_SECONDS) + 0.1)
        os.kill(process, signal.SIGSTOP)
        start = time.monotonic()
        ask_for(user, TEN)
        waits.append(time.monotonic() - start)
        os.kill(process, signal.SIGCONT)
    PostAnalysisRequest.objects.filter(user=user).delete()
    return [
        Figure(
            "publish", LINES["publish"], tuple(waits), "a request of ten posts, from the service's call to its answer"
        )
    ]
