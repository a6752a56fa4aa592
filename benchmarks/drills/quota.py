"""Drill 25: a thousand requests at once against a limit, while posts fail, are called off and give their units back."""

import random
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

from django.db import connection, transaction
from django.db.models import Sum

from accounts.models import UsageEntry, User, UserUsage
from accounts.usage import TODAY
from analysis import services
from analysis.errors import AlreadyOver
from analysis.models import PostAnalysis
from benchmarks.drills import ground
from benchmarks.drills.drill import Outcome, Scene, conclude, quiet, workers
from benchmarks.drills.fleet import ALL_IN_PROCESSES, THREADS
from benchmarks.drills.simulated import CANARY, Plan
from benchmarks.drills.vendors import Vendor
from core.errors import LimitReached
from sandbox.control import Fault

LIMIT, SAMPLE_SECONDS = 100, 0.05


def concurrent_quota(scene: Scene) -> Outcome:
    """25: of a thousand requests as many are granted as there are units, at every moment."""
    requests, at_once = scene.size(full=1000, short=200), 16 if scene.short else 64

    def trouble(post: int, before: int) -> Fault | None:
        # A third of the posts fails for good, and gives its unit back to whoever comes next. Some vendors repeat
        # the key that they were asked with.
        refusal = Fault(operation="*", status=400, body={"error": f"the key {CANARY} is refused"})
        return refusal if post % 3 == 0 else None

    with ground.fresh(scene.home, "quota") as folder, Vendor(trouble, port=scene.vendor_port) as vendor:
        user, plan = ground.make_user(LIMIT), Plan(by_default=0.02, vendor=vendor.url)
        with workers(scene, folder, plan, threads=THREADS, processes=ALL_IN_PROCESSES) as crew, Watch(user) as watch:
            answers = _all_at_once(user, requests, scene.chance(), at_once)
            quiet(crew, seconds=120)
            failed = PostAnalysis.objects.filter(status="FAILED").count()
            outcome = conclude(crew, failed=failed)
    outcome.facts |= {"answers": dict(answers), "samples": len(watch.seen), "most_at_any_moment": max(watch.seen)}
    outcome.require(max(watch.seen) <= LIMIT, "more was used than the limit allows")
    outcome.require(is_exactly_the_limit(user, LIMIT, outcome), "units were free, and somebody was refused")
    return outcome


def _all_at_once(user: User, requests: int, chance: random.Random, at_once: int) -> "Counter[str]":
    dice = [chance.random() for _ in range(requests)]
    with ThreadPoolExecutor(at_once) as threads:
        answers = Counter(threads.map(lambda each: _one(user, each), dice))
        list(threads.map(lambda _: connection.close(), range(at_once)))
    return answers


def _one(user: User, dice: float) -> str:
    try:
        return ask_once(user, dice)
    except LimitReached:
        return "refused"


def ask_once(user: User, dice: float) -> str:
    """What came of it, where it was not refused."""
    request = ground.ask_for(user, 1)
    if dice > 0.2:
        return "granted"
    try:
        services.cancel(user, request.pk)
    except AlreadyOver:
        return "too late to cancel"
    return "cancelled"


def is_exactly_the_limit(user: User, limit: int, outcome: Outcome) -> bool:
    """When all is quiet, what is left can be spent to the last unit, and not one more."""
    today = UserUsage.objects.filter(user=user, day=TODAY)
    left = limit - (today.aggregate(used=Sum("url_lookups"))["used"] or 0)
    outcome.facts["left_at_the_end"] = left
    with transaction.atomic():
        granted = Counter(_one(user, 1.0) for _ in range(left + 5))
        transaction.set_rollback(True)
    return granted == Counter(granted=left, refused=5)


class Watch:
    """Looks every 50 ms how many units of one day are used."""

    def __init__(self, user: User) -> None:
        self.user, self.seen = user, [0]
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look)

    def __enter__(self) -> "Watch":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._over.wait(SAMPLE_SECONDS):
            self.seen.append(
                max(self._most(UsageEntry, "amount", given_back_at=None), self._most(UserUsage, "url_lookups"))
            )
        connection.close()

    def _most(self, rows: type[UsageEntry] | type[UserUsage], units: str, **which: None) -> int:
        days = rows.objects.filter(user=self.user, **which).values("day").annotate(used=Sum(units))
        return max((day["used"] for day in days), default=0)
