"""Drills 20 and 23, and ten thousand events: what providers send more than once, and workers that die of it."""

import contextlib
import random
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from benchmarks.drills.drill import Outcome, Scene, workers
from benchmarks.drills.fleet import Fleet, until
from benchmarks.drills.posting import DIE, DYING, WORKERS
from benchmarks.drills.senders import send, send_all, send_at_once
from benchmarks.drills.served import Server, Supervised
from benchmarks.drills.simulated import EVENT, EVENT_POINTS, Plan
from benchmarks.drills.till import Till, Told, open_till
from billing.models import BillingEvent
from core.queue import count_waiting

MONEY = ("--queues", "default", "--pool", "threads", "--concurrency", "8")
SENDERS = 16


@contextlib.contextmanager
def _folder(scene: Scene, name: str) -> Iterator[Path]:
    folder = scene.home / f"{name}-{time.time_ns() % 1_000_000}"
    folder.mkdir()
    yield folder


def _sell(till: Till, events: int, *, renewals: int = 0) -> list[Told]:
    """At least so many events, of people who have bought here and there."""
    told: list[Told] = []
    while len(told) < events:
        for provider in ("dodo", "stripe"):
            till.sell(provider)
        for _ in range(renewals):
            till.renew()
        told += till.take()
    return told


def _left() -> int:
    return BillingEvent.objects.filter(state="received").count()


def _quiet(crew: Fleet, *, seconds: float) -> float:
    def is_quiet() -> bool:
        crew.restart_dead()
        return _left() == 0

    return until(is_quiet, seconds=seconds, what="the end of the last event", pause=0.2)


def _conclude(till: Till, told: list[Told]) -> Outcome:
    kept = BillingEvent.objects.values_list("state", "attempts")
    outcome = Outcome({"events": len(told), "kept": len(kept), "states": dict(Counter(state for state, _ in kept))})
    outcome.facts |= {"people": till.sold, "charges": len(till.charged())}
    outcome.facts["tried_again"] = sum(attempts - 1 for _, attempts in kept)
    outcome.broken += till.broken()
    outcome.require(len(kept) == len({(each.provider, each.id) for each in told}), "I5 not one row for each event")
    return outcome


def copies_at_once(scene: Scene) -> Outcome:
    """20: each event from fifty senders at the same moment: all are answered well, and it takes effect once."""
    copies = 10 if scene.short else 50
    with _folder(scene, "copies") as folder, open_till(scene) as till:
        told = _sell(till, scene.size(full=200, short=20))
        with (
            workers(scene, folder, Plan(), money=MONEY) as crew,
            Server(folder) as api,
            ThreadPoolExecutor(copies) as threads,
        ):
            answers = [status for each in told for status in send_at_once(api.url, each, threads, copies=copies)]
            _quiet(crew, seconds=60 + len(told))
            outcome = _conclude(till, told)
    outcome.facts |= {"answers": dict(Counter(answers)), "copies": copies}
    outcome.require({*answers} == {200}, "a delivery was not answered with 200")
    return outcome


def events_under_fire(scene: Scene) -> Outcome:
    """Ten thousand, a third of them copies, from 16 senders, while the worker is killed: each once, none lost."""
    chance, all_of_them = scene.chance(), scene.size(full=10_000, short=150)
    with _folder(scene, "events") as folder, open_till(scene) as till:
        told = _sell(till, all_of_them * 7 // 10, renewals=0)
        sent = told + chance.choices(told, k=len(told) * 3 // 7)
        chance.shuffle(sent)
        with workers(scene, folder, Plan(), money=MONEY) as crew, Server(folder) as api:
            start = time.monotonic()
            with ThreadPoolExecutor(1) as beside:
                killing = beside.submit(_kill_in_the_middle, crew, len(told), chance, 1 if scene.short else 5)
                answers = send_all(api.url, sent, senders=SENDERS)
                seconds = time.monotonic() - start
                left_at_kills = killing.result()
            _quiet(crew, seconds=120 + len(told))
            outcome = _conclude(till, told)
    outcome.facts |= {"answers": dict(Counter(answers)), "sent": len(sent), "seconds_to_take_them": round(seconds, 1)}
    outcome.facts |= {"kills": len(left_at_kills), "left_at_kills": left_at_kills}
    outcome.require({*answers} == {200}, "a delivery was not answered with 200")
    outcome.require(min(left_at_kills) > 0, "nothing was left to do when the worker was killed")
    return outcome


def _kill_in_the_middle(crew: Fleet, events: int, chance: random.Random, kills: int) -> list[int]:
    """At moments spread over the work; how many events were left at each."""
    left = []
    for number in range(1, kills + 1):
        done = events * number // (kills + 1)
        until(lambda done=done: _done() >= done, seconds=300 + events, what=f"{done} events", pause=0.02)  # type: ignore[misc]
        time.sleep(chance.uniform(0.0, 0.2))
        crew.kill("money")
        left.append(events - _done())
        crew.start("money", *crew.workers["money"])
    return left


def _done() -> int:
    return BillingEvent.objects.exclude(state="received").count()


def crash_between_store_and_effect(scene: Scene) -> Outcome:
    """23: the API dies when an event is stored and nobody is told of it, and workers before and after its effect."""
    with _folder(scene, "event-crash") as folder, open_till(scene) as till:
        told = _sell(till, scene.size(full=200, short=6))
        fatal = scene.chance().sample(told, 2 if scene.short else 60)
        with Supervised(folder, serves=DYING, words=WORKERS) as api:
            answers = [_die(api.url, each) if each in fatal else _insist(api.url, each) for each in told]
        waiting = count_waiting("default") or 0
        places = {each.id: (EVENT, EVENT_POINTS[at % len(EVENT_POINTS)]) for at, each in enumerate(fatal)}
        with workers(scene, folder, Plan(crashes=places), money=MONEY) as crew:
            _quiet(crew, seconds=120 + 10 * len(told))
            outcome = _conclude(till, told)
            outcome.facts["workers_died"] = crew.restarted.count("money")
    outcome.facts |= {"answers": dict(Counter(answers)), "untold": len(told) - waiting, "fatal": len(fatal)}
    outcome.facts["crashes"] = len([*folder.glob("crashed-*")])
    outcome.require(len(told) - waiting >= len(fatal), "the workers were told of an event whose API should have died")
    outcome.require(outcome.facts["crashes"] == len(fatal), "not every event had its worker die of it")
    return outcome


def _insist(url: str, told: Told) -> int:
    """Until it is answered: the process may just be dying of another one."""
    return _until_stored(url, told, {})


def _die(url: str, told: Told) -> int:
    """Send it until it is stored; how it was answered the first time that it was, 0 where the API was gone by then."""
    return _until_stored(url, told, DIE)


def _until_stored(url: str, told: Told, more: dict[str, str]) -> int:
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        body, headers = told.sign()
        status = send(url, told.provider, (body, headers | more))
        if BillingEvent.objects.filter(provider=told.provider, delivery_id=told.id).exists():
            return status
        time.sleep(0.1)
    return -1
