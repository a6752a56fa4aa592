"""P16: deciding about a unit of quota against a plain UPDATE of the same row, and granting exactly the limit."""

import statistics
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import psycopg
from django.db import connection

from accounts.models import UNLIMITED, Plan, Subscription, User, UserUsage
from accounts.usage import TODAY, increment_usage
from benchmarks.machine import on_server_core
from benchmarks.measure import Cost, Figure, Line, cost_of, rounds
from core.errors import LimitReached

CALLS, THREADS, LIMIT = 1_000, 8, 100
PLAIN = """
    UPDATE accounts_userusage SET url_lookups = url_lookups + 1
    WHERE user_id = %s AND platform = 'x' AND day = (statement_timestamp() AT TIME ZONE 'UTC')::date
"""
LINES = {
    "mix": Line("decisions a second, limit 100 of 1,000 / plain UPDATE", "x rate", 0.9, 0.9, more_is_better=True),
    "granted": Line("the same, all granted and entered in the ledger", "x rate", 0.9, 0.5, more_is_better=True),
}


class Miscounted(Exception):
    """Not exactly the limit was granted."""


def measure(home: Path, wanted: set[str]) -> list[Figure]:
    sides = {"plain": _plain, "mix": lambda: _spending(LIMIT), "granted": lambda: _spending(UNLIMITED)}
    with on_server_core():
        taken = rounds(sides)
    rates = ", ".join(f"{name} {1 / statistics.median(each[name].wall for each in taken):.0f}/s" for name in sides)
    return [
        Figure(f"P16 {name}", line, tuple(each["plain"].wall / each[name].wall for each in taken), rates)
        for name, line in LINES.items()
    ]


def _plain() -> Cost:
    """The cheapest way there is from Python: a prepared statement on the driver's own cursor."""

    def update_of(user: User) -> Callable[[int], None]:
        def update(_: int) -> None:
            with psycopg.Cursor(connection.connection) as cursor:
                cursor.execute(PLAIN, [user.pk], prepare=True)

        return update

    return _side(update_of, limit=UNLIMITED, granted=CALLS)


def _spending(limit: int) -> Cost:
    def spending_of(user: User) -> Callable[[int], None]:
        def spend(number: int) -> None:
            try:
                increment_usage(user, "url_lookups", platform="x", source=f"bench:{user.pk}:{number}")
            except LimitReached:
                return

        return spend

    return _side(spending_of, limit=limit, granted=CALLS if limit == UNLIMITED else limit)


def _side(act_of: Callable[[User], Callable[[int], None]], *, limit: int, granted: int) -> Cost:
    user, plan = _somebody(limit)
    cost = _side_by_side(act_of(user))
    counted = UserUsage.objects.get(user=user).url_lookups
    user.delete()
    plan.delete()
    if counted != granted:
        raise Miscounted(f"{counted} units were counted, {granted} are right")
    return cost


def _side_by_side(act: Callable[[int], None]) -> Cost:
    with ThreadPoolExecutor(THREADS) as threads:
        _in_each(threads, lambda: connection.ensure_connection())
        cost = cost_of(lambda: list(threads.map(act, range(CALLS))), units=CALLS)
        # A thread's connection ends with it; closed here, the server is not left to notice.
        _in_each(threads, lambda: connection.close())
    return cost


def _in_each(threads: ThreadPoolExecutor, act: Callable[[], None]) -> None:
    """Once in every thread: none can take a second turn while the others are still to come."""
    everybody = Barrier(THREADS)

    def turn(_: int) -> None:
        act()
        everybody.wait()

    list(threads.map(turn, range(THREADS)))


def _somebody(limit: int) -> tuple[User, Plan]:
    name = uuid.uuid4().hex
    user = User.objects.create(email=f"{name}@bench.example")
    limits = {"max_handles": -1, "max_urls": 1, "max_analyses_per_day": limit, "max_questions_per_day": -1}
    plan = Plan.objects.create(slug=name, name=name, price=0, is_public=False, **limits)
    Subscription.objects.create(user=user, plan=plan)
    UserUsage.objects.create(user=user, day=TODAY, platform="x")
    return user, plan
