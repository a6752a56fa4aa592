"""P16: deciding about a unit of quota against a plain UPDATE of the same row, and granting exactly the limit."""

import statistics
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from django.db import connection

from accounts.models import UNLIMITED, Plan, Subscription, User, UserUsage
from accounts.usage import TODAY, increment_usage
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


def measure(home: Path, wanted: set[str]) -> list[Figure]:
    sides = {"plain": _plain, "mix": lambda: _spending(LIMIT), "granted": lambda: _spending(UNLIMITED)}
    taken = rounds(sides)
    rates = ", ".join(f"{name} {1 / statistics.median(each[name].wall for each in taken):.0f}/s" for name in sides)
    return [
        Figure(f"P16 {name}", line, tuple(each["plain"].wall / each[name].wall for each in taken), rates)
        for name, line in LINES.items()
    ]


def _plain() -> Cost:
    user = _somebody(UNLIMITED)

    def update(_: int) -> None:
        with connection.cursor() as cursor:
            cursor.execute(PLAIN, [user.pk])

    cost = _side_by_side(update)
    _require(user, CALLS)
    return cost


def _spending(limit: int) -> Cost:
    user = _somebody(limit)

    def spend(number: int) -> None:
        try:
            increment_usage(user, "url_lookups", platform="x", source=f"bench:{user.pk}:{number}")
        except LimitReached:
            return

    cost = _side_by_side(spend)
    _require(user, CALLS if limit == UNLIMITED else limit)
    return cost


def _side_by_side(act: Callable[[int], None]) -> Cost:
    with ThreadPoolExecutor(THREADS) as threads:
        list(threads.map(lambda _: connection.ensure_connection(), range(THREADS * 4)))
        cost = cost_of(lambda: list(threads.map(act, range(CALLS))), units=CALLS)
        # A thread's connection ends with it; closed here, the server is not left to notice.
        list(threads.map(lambda _: connection.close(), range(THREADS * 4)))
    return cost


def _somebody(limit: int) -> User:
    name = uuid.uuid4().hex
    user = User.objects.create(email=f"{name}@bench.example")
    limits = {"max_handles": -1, "max_urls": 1, "max_analyses_per_day": limit, "max_questions_per_day": -1}
    plan = Plan.objects.create(slug=name, name=name, price=0, is_public=False, **limits)
    Subscription.objects.create(user=user, plan=plan)
    UserUsage.objects.create(user=user, day=TODAY, platform="x")
    return user


def _require(user: User, used: int) -> None:
    found = UserUsage.objects.get(user=user).url_lookups
    if found != used:
        raise RuntimeError(f"{found} units were counted, {used} are right")
