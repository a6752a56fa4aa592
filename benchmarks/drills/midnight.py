"""Drill 25 at midnight: the day, the month and the year end while everybody spends and gets units back.

The database's clock decides the day. A schema that the server searches before its own functions has a clock that runs
as fast as the real one, but elsewhere: the same statements, sent by the same code, then mean that moment.
"""

import random
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, date, datetime
from typing import Any

from django.db import connection
from django.db.models import Sum
from django.db.models.functions import TruncDate

from accounts.models import UsageEntry, User, UserUsage
from analysis.models import PostAnalysis
from benchmarks.drills import ground
from benchmarks.drills.drill import Outcome, Scene, conclude, quiet, workers
from benchmarks.drills.fleet import ALL_IN_PROCESSES, THREADS, until
from benchmarks.drills.quota import Watch, ask_once, is_exactly_the_limit
from benchmarks.drills.simulated import Plan
from benchmarks.drills.vendors import Vendor
from core.errors import LimitReached
from sandbox.control import Fault

# So few that they are spent in a moment; what is given back is spent at once.
LIMIT, SPENDERS = 20, 16
# Until midnight when everybody begins, and after it until they end. A vendor that takes so long to say no has posts
# of the old day fail in the new one.
BEFORE, AFTER, VENDOR_SECONDS = 5.0, 8.0, 3.5
# By which anything of ours tells the time.
CLOCKS = ("now", "statement_timestamp")
CLOCK = """
CREATE FUNCTION elsewhere.{name}() RETURNS timestamptz LANGUAGE sql STABLE
AS 'SELECT pg_catalog.{name}() + make_interval(secs => {shift})'
"""


def quota_at_midnight(scene: Scene) -> Outcome:
    """25: where a day, a month and a year end, each day has its own limit, and units go back to the day they are of."""

    def trouble(post: int, before: int) -> Fault | None:
        return Fault(operation="*", status=400, delay=VENDOR_SECONDS) if post % 3 == 0 else None

    with (
        ground.fresh(scene.home, "midnight") as folder,
        Vendor(trouble, port=scene.vendor_port) as vendor,
        clock_before_midnight(BEFORE + 3.0) as midnight,
    ):
        user, plan = ground.make_user(LIMIT), Plan(by_default=0.05, vendor=vendor.url, deadline=3 * VENDOR_SECONDS)
        with workers(scene, folder, plan, threads=THREADS, processes=ALL_IN_PROCESSES) as crew, Watch(user) as watch:
            until(lambda: _seconds_since(midnight) > -BEFORE, seconds=30, what="the last moments of the year")
            answers = _spend_until(user, midnight, scene.chance())
            quiet(crew, seconds=120)
            outcome = conclude(crew, failed=PostAnalysis.objects.filter(status="FAILED").count())
            _require_days_apart(user, midnight, outcome)
            _require_told(answers, midnight, outcome)
            outcome.require(is_exactly_the_limit(user, LIMIT, outcome), "units were free, and somebody was refused")
    outcome.facts |= {"samples": len(watch.seen), "most_at_any_moment": max(watch.seen)}
    outcome.require(max(watch.seen) <= LIMIT, "more was used on a day than the limit allows")
    return outcome


@contextmanager
def clock_before_midnight(seconds: float) -> Iterator[datetime]:
    """For every connection that is made within, so long from now the next year begins."""
    now = time.time()
    midnight = datetime(datetime.fromtimestamp(now, UTC).year + 1, 1, 1, tzinfo=UTC)
    with connection.cursor() as cursor:
        cursor.execute("DROP SCHEMA IF EXISTS elsewhere CASCADE")
        cursor.execute("CREATE SCHEMA elsewhere")
        for name in CLOCKS:
            cursor.execute(CLOCK.format(name=name, shift=midnight.timestamp() - seconds - now))
        _look_first_in(cursor, "SET search_path = elsewhere, pg_catalog, public")
    try:
        yield midnight
    finally:
        with connection.cursor() as cursor:
            _look_first_in(cursor, "RESET search_path")


def _look_first_in(cursor: Any, how: str) -> None:
    cursor.execute("SELECT current_database()")
    cursor.execute(f"ALTER DATABASE {cursor.fetchone()[0]} {how}")
    connection.close()


def _seconds_since(midnight: datetime) -> float:
    with connection.cursor() as cursor:
        cursor.execute("SELECT extract(epoch FROM now() - %s)", [midnight])
        return float(cursor.fetchone()[0])


def _spend_until(user: User, midnight: datetime, chance: random.Random) -> "Counter[str]":
    """Everybody, without a pause but after a refusal; what each was told."""
    end = time.monotonic() + AFTER - _seconds_since(midnight)

    def spend(seed: float) -> "Counter[str]":
        dice, told = random.Random(seed), Counter[str]()
        while time.monotonic() < end:
            try:
                told[ask_once(user, dice.random())] += 1
            except LimitReached as refusal:
                told[str(refusal.details["resets_at"])] += 1
                time.sleep(0.1)
        connection.close()
        return told

    with ThreadPoolExecutor(SPENDERS) as spenders:
        seeds = [chance.random() for _ in range(SPENDERS)]
        return sum(spenders.map(spend, seeds), Counter[str]())


def _require_days_apart(user: User, midnight: datetime, outcome: Outcome) -> None:
    entries = UsageEntry.objects.filter(user=user)
    standing = entries.filter(given_back_at=None).values("day").annotate(used=Sum("amount"))
    counters = UserUsage.objects.filter(user=user).values("day").annotate(used=Sum("url_lookups"))
    entered, counted = ({row["day"]: row["used"] for row in rows if row["used"]} for rows in (standing, counters))
    wrong = entries.exclude(day=TruncDate("created_at", tzinfo=UTC)).count()
    late = entries.filter(day__lt=midnight.date(), given_back_at__gte=midnight).count()
    outcome.facts |= {"used": {str(day): used for day, used in sorted(counted.items())}, "given_back_late": late}
    outcome.require(entered == counted, f"I4 {counted} is used, {entered} is written down")
    outcome.require({*counted} == {date(midnight.year - 1, 12, 31), midnight.date()}, "not both days were spent on")
    outcome.require(wrong == 0, f"I4 {wrong} units were spent on another day than theirs")
    outcome.require(late > 0, "nothing of the old day was given back in the new one")


def _require_told(answers: "Counter[str]", midnight: datetime, outcome: Outcome) -> None:
    outcome.facts["answers"] = dict(answers)
    resets = {answer for answer in answers if answer.endswith("Z")}
    expected = {f"{midnight.date()}T00:00:00Z", f"{midnight.year}-01-02T00:00:00Z"}
    outcome.require(resets == expected, "whoever was refused was told another midnight")
