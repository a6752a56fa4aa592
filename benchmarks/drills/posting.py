"""Drills 7 and 13 over HTTP: requests for analyses while Redis hangs, and of an API that dies of them."""

import os
import signal
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import cycle

import httpx
from django.db import connection

from accounts.identity.local import start_session
from accounts.models import IdempotentAnswer
from analysis.models import PostAnalysisRequest
from benchmarks.drills import ground
from benchmarks.drills.drill import Outcome, Scene, conclude, quiet, workers
from benchmarks.drills.fleet import ALL_IN_PROCESSES, THREADS
from benchmarks.drills.served import WSGI, Server, Supervised
from benchmarks.drills.simulated import Plan
from core import redis
from core.ids import uuid7
from core.queue import count_waiting

# Tells the API of `dying` to die of it.
DIE = {"X-Drill-Dies": "yes"}
POSTS = 2
# Anybody may ask twenty times in an hour: each of these twice, and some once more, which came to a dying process.
REQUESTS_EACH = 5
SLOWEST = 1.5
# How long a client waits for an answer before it asks anew, as it does after these.
PATIENCE, LATER = 10.0, (0, 409, 503)
DYING = "benchmarks.drills.dying:application"
WORKERS = (*WSGI, "--workers", "2", "--respawn-failed-workers", "--respawn-interval", "0.01")


@dataclass(frozen=True)
class Answer:
    """What came back, and how long it took; status 0 where nothing did."""

    status: int
    seconds: float
    id: str = ""
    is_replay: bool = False


@dataclass(frozen=True)
class Command:
    """A request for some posts that can be sent again."""

    token: str
    urls: list[str]
    key: str

    def send(self, url: str, **headers: str) -> Answer:
        start = time.monotonic()
        headers |= {"Authorization": f"Bearer {self.token}", "Idempotency-Key": self.key}
        try:
            answer = httpx.post(
                f"{url}/api/analysis/analyze/", json={"post_urls": self.urls}, headers=headers, timeout=PATIENCE
            )
        except httpx.HTTPError:
            return Answer(0, time.monotonic() - start)
        known = answer.json().get("id", "") if answer.status_code == 202 else ""
        return Answer(answer.status_code, time.monotonic() - start, known, "Idempotent-Replay" in answer.headers)

    def insist(self, url: str, *, seconds: float = 120.0) -> Answer:
        """Until there is an answer that does not ask to be asked again."""
        deadline = time.monotonic() + seconds
        while (answer := self.send(url)).status in LATER and time.monotonic() < deadline:
            time.sleep(0.1)
        return answer


def commands(count: int) -> list[Command]:
    tokens = [start_session(ground.make_user()).access for _ in range(-(-count // REQUESTS_EACH))]
    return [Command(token, ground.addresses(POSTS), str(uuid7())) for token, _ in zip(cycle(tokens), range(count))]


def redis_hung(scene: Scene) -> Outcome:
    """7: Redis hangs while analyses are asked for over HTTP: each is taken, or refused without a trace, at once."""
    # In short a machine that has other things to do is told from one that waits for as long as Redis hangs.
    seconds, count, slowest = (8.0, 16, 6.0) if scene.short else (30.0, 200, SLOWEST)
    with ground.fresh(scene.home, "hung-api") as folder:
        asked = commands(count)
        with workers(scene, folder, Plan(by_default=0.05), threads=THREADS, processes=ALL_IN_PROCESSES) as crew:
            with Server(folder) as api:
                warm = [each.send(api.url) for each in commands(8 if scene.short else 16)]
                answers = _while_redis_hangs(lambda at: asked[at].send(api.url), count, seconds)
            quiet(crew, seconds=120)
            outcome = conclude(crew)
    waits = sorted(answer.seconds for answer in answers)
    statuses, last = Counter(answer.status for answer in answers), waits[int(len(waits) * 0.99)]
    taken = PostAnalysisRequest.objects.count() - len(warm)
    outcome.facts |= {"answers": dict(statuses), "median_wait": round(waits[len(waits) // 2], 3)}
    outcome.facts |= {"p99_wait": round(last, 3), "longest_wait": round(waits[-1], 3), "taken": taken}
    before = sorted(answer.seconds for answer in warm)[len(warm) // 2]
    outcome.facts["median_wait_before"] = round(before, 3)
    outcome.require({answer.status for answer in warm} == {202}, "not every request was taken before Redis hung")
    outcome.require({*statuses} <= {202, 503}, "neither taken nor cleanly refused")
    outcome.require(taken == statuses[202], "what was refused is there, or what was taken is not")
    outcome.require(last <= slowest, "one in a hundred waited for too long")
    return outcome


def _while_redis_hangs(act: Callable[[int], Answer], count: int, seconds: float) -> list[Answer]:
    """Evenly over the time, whether or not the ones before are answered."""
    process = redis.client().info("server")["process_id"]
    os.kill(process, signal.SIGSTOP)
    start = time.monotonic()

    def in_turn(at: int) -> Answer:
        time.sleep(max(0.0, start + seconds * at / count - time.monotonic()))
        return act(at)

    try:
        with ThreadPoolExecutor(32) as threads:
            answers = [*threads.map(in_turn, range(count))]
        time.sleep(max(0.0, start + seconds - time.monotonic()))
    finally:
        os.kill(process, signal.SIGCONT)
    return answers


def api_dies_after_commit(scene: Scene) -> Outcome:
    """13: the API dies of each request after COMMIT, before any message is sent; the client sends it again."""
    count = scene.size(full=100, short=6)
    with ground.fresh(scene.home, "commit-api") as folder:
        asked = commands(count)
        with (
            Supervised(folder, serves=DYING, words=WORKERS) as api,
            ThreadPoolExecutor(3) as clients,
        ):
            first = [*clients.map(lambda each: _die(each, api.url), asked)]
            again = [*clients.map(lambda each: each.insist(api.url), asked)]
        sent = count_waiting("io")
        with workers(scene, folder, Plan(by_default=0.02), all=ALL_IN_PROCESSES) as crew:
            quiet(crew, seconds=60 + count)
            outcome = conclude(crew)
    outcome.facts |= {"requests": count, "died": first.count(0), "replayed": sum(each.is_replay for each in again)}
    outcome.facts["answers"] = dict(Counter(each.status for each in again))
    outcome.facts |= {"messages_sent": sent, "kept": PostAnalysisRequest.objects.count()}
    outcome.require(first == [0] * count, "the API answered, though it was to die")
    outcome.require({each.status for each in again} == {202}, "a request that was sent again was not taken")
    outcome.require(len({each.id for each in again}) == count, "two requests were answered by one")
    outcome.require(outcome.facts["replayed"] == outcome.facts["kept"] == count, "a request is missing or there twice")
    outcome.require(sent == 0, "a message was sent after all")
    return outcome


def _die(command: Command, url: str) -> int:
    """Send it until it has been committed and not answered; 0 then, or the status of the answer there was."""
    deadline, status = time.monotonic() + 120, 0
    while not status and time.monotonic() < deadline:
        status = command.send(url, **DIE).status
        if IdempotentAnswer.objects.filter(key=command.key).exists():
            break
        # It came to a process that was just dying of another one.
        time.sleep(0.1)
    connection.close()
    return status
