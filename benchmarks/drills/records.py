"""Drill 31: what is recorded of requests and of vendors' calls, while those who record die and PostgreSQL is away."""

import random
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from itertools import cycle
from pathlib import Path

import httpx
from django.db import connection

from accounts.identity.local import start_session
from benchmarks.drills import ground
from benchmarks.drills.drill import Outcome, Scene, conclude, quiet, workers
from benchmarks.drills.fleet import PROCESSES, THREADS, DidNotHappen, Fleet, until
from benchmarks.drills.invariants import read_trace
from benchmarks.drills.served import Running, Server
from benchmarks.drills.simulated import Plan
from core.embedded import postgres
from core.ids import uuid7

SHIP = ("django", "ship_logs")
REQUESTS = "SELECT request_id, status FROM analytics_apiaccesslog WHERE request_id = ANY(%s)"
CALLS = """
SELECT analysis_id::text, count(*) FROM analytics_externalapicalllog
WHERE analysis_id = ANY(%s::uuid[]) GROUP BY analysis_id
"""


@dataclass
class Callers:
    """Those who ask one thing after the other, and remember what was answered."""

    url: str
    tokens: list[str]
    answered: dict[str, int] = field(default_factory=dict)
    unanswered: list[str] = field(default_factory=list)

    def __enter__(self) -> "Callers":
        self._over = threading.Event()
        self._threads = [threading.Thread(target=self._ask, args=(token,)) for token in self.tokens]
        for each in self._threads:
            each.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        for each in self._threads:
            each.join()

    def _ask(self, token: str) -> None:
        with httpx.Client(base_url=self.url, headers={"Authorization": f"Bearer {token}"}, timeout=30) as client:
            for path in cycle(("/api/accounts/me/", "/api/nothing/", "/api/analysis/requests/", "/api/nothing/")):
                if self._over.is_set():
                    return
                self._ask_once(client, path, str(uuid7()))

    def _ask_once(self, client: httpx.Client, path: str, request_id: str) -> None:
        try:
            answer = client.get(path, headers={"X-Request-ID": request_id})
        except httpx.HTTPError:
            self.unanswered.append(request_id)
            time.sleep(0.1)
        else:
            self.answered[request_id] = answer.status_code


def records_survive(scene: Scene) -> Outcome:
    """31: the API, workers and the shipper are killed under load, PostgreSQL is away: no record is lost or doubled."""
    posts, callers_at_once, chance = scene.size(full=100, short=20), 4 if scene.short else 8, scene.chance()
    with ground.fresh(scene.home, "records") as folder:
        user = ground.make_user()
        tokens = [start_session(user).access for _ in range(callers_at_once)]
        plan = Plan(by_default=0.1, most_tries=30)
        with (
            Running(folder, SHIP) as shipper,
            Server(folder, API_REQUESTS_PER_MINUTE="10000000") as api,
            workers(scene, folder, plan, one=THREADS, two=THREADS, three=PROCESSES, four=PROCESSES) as crew,
        ):
            with Callers(api.url, tokens) as callers:
                for turn in range(1 if scene.short else 8):
                    ground.publish(user, posts)
                    time.sleep(chance.uniform(1.0, 2.0))
                    _kill(turn, chance, crew, api, shipper)
                ground.publish(user, posts)
                _take_postgres_away(scene, crew, api)
            quiet(crew, seconds=120 + posts)
            outcome = conclude(crew)
            with_all = _wait_for_records(callers, folder)
    outcome.facts |= {"kept_after": with_all} | _requests(callers, outcome) | _calls(folder, outcome)
    return outcome


def _kill(turn: int, chance: random.Random, crew: Fleet, api: Server, shipper: Running) -> None:
    api.kill()
    crew.kill_any(chance)
    if turn % 2 == 0:
        shipper.kill()
        shipper.start()
    api.start()


def _take_postgres_away(scene: Scene, crew: Fleet, api: Server) -> None:
    away = 5.0 if scene.short else 60.0
    connection.close()
    postgres.stop_server(scene.home)
    crew.note_fault("PostgreSQL away")
    time.sleep(away / 2)
    # What was recorded and could not be shipped is all that is left of these.
    api.kill()
    api.start()
    time.sleep(away / 2)
    postgres.ensure(scene.home, durable=True)
    time.sleep(2.0)


def _wait_for_records(callers: Callers, folder: Path) -> float:
    with_calls = Counter(step.post for step in read_trace(folder) if step.point == "made")

    def are_there() -> bool:
        rows, calls = _rows(callers.answered), _calls_of(with_calls)
        return len(rows) >= len(callers.answered) and calls.total() >= with_calls.total()

    try:
        return round(until(are_there, seconds=60, what="the last record", pause=0.5), 1)
    except DidNotHappen:
        return 60.0


def _rows(ids: "dict[str, int] | list[str]") -> list[tuple[str, int]]:
    with connection.cursor() as cursor:
        cursor.execute(REQUESTS, [[*ids]])
        return cursor.fetchall()


def _calls_of(posts: "Counter[str]") -> "Counter[str]":
    with connection.cursor() as cursor:
        cursor.execute(CALLS, [[*posts]])
        return Counter(dict(cursor.fetchall()))


def _requests(callers: Callers, outcome: Outcome) -> dict[str, object]:
    rows, unanswered = _rows(callers.answered), Counter(each for each, _ in _rows(callers.unanswered))
    outcome.require(sorted(rows) == sorted(callers.answered.items()), "I6 an answer has not exactly its one row")
    outcome.require(max(unanswered.values(), default=0) <= 1, "I6 a request without an answer has two rows")
    return {
        "answers": dict(Counter(callers.answered.values())), "rows": len(rows), "unanswered": len(callers.unanswered),
        "rows_of_unanswered": unanswered.total(),
    }  # fmt: skip


def _calls(folder: Path, outcome: Outcome) -> dict[str, object]:
    """A call is recorded between two lines of the trace: who dies there leaves one without the other."""
    trace = read_trace(folder)
    begun, made = (Counter(step.post for step in trace if step.point == point) for point in ("calling", "made"))
    rows = _calls_of(begun)
    wrong = sum(not made[post] <= rows[post] <= begun[post] for post in begun)
    outcome.require(wrong == 0, f"I6 {wrong} posts have not one cost row for each call")
    return {"calls_begun": begun.total(), "calls_made": made.total(), "cost_rows": rows.total()}
