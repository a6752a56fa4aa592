"""The workers that are measured, and the posts they are given."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from itertools import count
from pathlib import Path
from uuid import UUID

from accounts.models import UNLIMITED, Plan, Subscription, User
from analysis.models import PostAnalysis
from analysis.services import request_analysis
from benchmarks.carrier import NOOP
from benchmarks.machine import SERVER_CORE, can_pin
from benchmarks.measure import NotMeasured
from benchmarks.servers import ROOT
from config import tally
from core import redis
from core.ids import uuid7
from core.queue import enqueue

EACH, PATIENCE = 10, 120.0
CARRIER = "import django; django.setup(); from benchmarks import carrier; carrier.main()"
_numbers = count(1_900_000_000_000_000_000)


@contextlib.contextmanager
def carrier(
    home: Path,
    seconds: Mapping[str, float],
    queue_name: str,
    *,
    threads: int = 0,
    processes: int = 0,
    lease: float = 30.0,
    as_it_comes: bool = False,
) -> Iterator[int]:
    """A worker of one queue; its process."""
    pool = ["--pool", "threads" if threads else "prefork", "--concurrency", str(threads or processes)]
    name, before = f"{queue_name}-{uuid7()}@bench", succeeded(NOOP)
    options = [
        "--queues",
        queue_name,
        "--hostname",
        name,
        "--loglevel",
        "WARNING",
        "--without-gossip",
        "--without-mingle",
    ]
    environment = {"CARRIER": json.dumps(seconds), "ANALYSIS_LEASE_SECONDS": str(lease), "PYTHONHASHSEED": "0"}
    environment |= {"AS_IT_COMES": "1"} if as_it_comes else {}
    with open(home / "carrier.log", "ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-c", CARRIER, "worker", *pool, *options], cwd=ROOT, env=os.environ | environment,
            stdout=log, stderr=log, start_new_session=True,
        )  # fmt: skip
    try:
        if can_pin():
            os.sched_setaffinity(process.pid, {SERVER_CORE})
        enqueue(NOOP, queue=queue_name)
        until(lambda: succeeded(NOOP) > before)
        yield process.pid
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


@contextlib.contextmanager
def stopped(processes: list[int]) -> Iterator[None]:
    for each in processes:
        os.kill(each, signal.SIGSTOP)
    yield
    for each in processes:
        os.kill(each, signal.SIGCONT)


def make_user() -> User:
    user = User.objects.create(email=f"{uuid7()}@bench.example")
    limits = {"max_handles": 0, "max_urls": EACH, "max_analyses_per_day": UNLIMITED, "max_questions_per_day": 0}
    plan = Plan.objects.create(slug=str(uuid7()), name="Bench", price=0, is_public=False, **limits)
    Subscription.objects.create(user=user, plan=plan)
    return user


def ask_for(user: User, posts: int) -> list[UUID]:
    """So many posts, ten a request; the requests."""
    sizes = [EACH] * (posts // EACH) + [posts % EACH] * bool(posts % EACH)
    return [request_analysis(user, _addresses(size)).pk for size in sizes]


def _addresses(posts: int) -> list[str]:
    return [f"https://x.com/i/status/{next(_numbers)}" for _ in range(posts)]


def until_quiet() -> None:
    until(lambda: not PostAnalysis.objects.filter(status__in=("PENDING", "PROCESSING")).exists())


def until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not holds():
        if time.monotonic() > deadline:
            raise NotMeasured("the workers did not come to an end")
        time.sleep(0.01)


def succeeded(name: str) -> int:
    return int(redis.client().hget(tally.KEY, f"succeeded|{name}") or 0)  # type: ignore[arg-type]
