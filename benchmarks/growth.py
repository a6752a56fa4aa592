"""P15 and P24: a list costs the same at a million rows as at a thousand, and two queries whatever its size."""

import math
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from uuid import UUID

from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from rest_framework.test import APIClient

from accounts.identity.local import start_session
from accounts.models import User, UserUsage
from accounts.usage import ensure_live_subscription
from analytics.models import AuthenticationLog
from benchmarks.measure import Figure, Line
from benchmarks.seed import add_activity
from core.paging import Cursor

SIZES = (1_000, 10_000, 100_000, 1_000_000)
ROUNDS = 9
CALLS = 25
DEPTH = 0.9
LISTS = {
    "activity": ("/api/accounts/me/activity/", AuthenticationLog, ("created_at", "id")),
    "usage history": ("/api/accounts/usage/history/", UserUsage, ("day", "id")),
}
USAGE = """
INSERT INTO accounts_userusage
    (user_id, day, platform, handle_analyses, url_lookups, post_suggestions, questions_asked)
SELECT %(user)s, date '2000-01-01' + n / 100, 'p' || n %% 100, 0, n %% 7, 0, 0 FROM generate_series(0, %(rows)s - 1) n
"""
GROWTH = Line("growth exponent of a list, 1e3 to 1e6 rows", "exponent", target=0.05, red=0.15)
QUERIES = Line("queries of a list, pages of 1 and 50", "queries", target=3, red=3)


def measure(home: Path, wanted: set[str]) -> list[Figure]:
    people = {size: _owner_of(size) for size in SIZES}
    figures = []
    for name, (path, model, order) in LISTS.items():
        if "P15" in wanted:
            figures += [_growth(name, where, people, path, model, order) for where in ("first", "deep")]
        if "P24" in wanted:
            figures.append(_queries(name, path, people[SIZES[1]]))
    return figures


def _growth(name: str, where: str, people: dict[int, User], path: str, model: type, order: tuple[str, ...]) -> Figure:
    asks = {}
    for size, user in people.items():
        cursor = _cursor_at_depth(model, user, order) if where == "deep" else ""
        asks[size] = _asking(user, f"{path}?page_size=50&cursor={cursor}")
    taken = [{size: _seconds(ask) for size, ask in asks.items()} for _ in range(ROUNDS)]
    medians = {size: statistics.median(each[size] for each in taken) * 1e3 for size in SIZES}
    detail = ", ".join(f"{size:.0e}: {ms:.2f} ms" for size, ms in medians.items())
    return Figure(f"P15 {name}, {where}", GROWTH, tuple(_exponent(each) for each in taken), detail)


def _exponent(seconds: dict[int, float]) -> float:
    """The slope of the time against the size, both as logarithms: 0 is flat, 1 is linear."""
    xs, ys = [math.log(size) for size in seconds], [math.log(each) for each in seconds.values()]
    slope, _ = statistics.linear_regression(xs, ys)
    return slope


def _seconds(ask: Callable[[], object]) -> float:
    times = []
    for _ in range(CALLS):
        start = time.perf_counter()
        ask()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def _asking(user: User, path: str) -> Callable[[], object]:
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {start_session(user).access}", HTTP_HOST="bench.example")

    def ask() -> object:
        answer = client.get(path, secure=True)
        if answer.status_code != 200 or len(answer.json()["results"]) != 50:
            raise RuntimeError(f"{path}: {answer.status_code} {answer.content[:200]!r}")
        return answer

    ask()
    return ask


def _queries(name: str, path: str, user: User) -> Figure:
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {start_session(user).access}", HTTP_HOST="bench.example")
    counts = []
    for size in (1, 50):
        with CaptureQueriesContext(connection) as queries:
            client.get(f"{path}?page_size={size}", secure=True)
        counts.append(float(len(queries)))
    if len(set(counts)) != 1:
        raise RuntimeError(f"{path}: the number of queries depends on the page: {counts}")
    return Figure(f"P24 {name}", QUERIES, tuple(counts))


def _cursor_at_depth(model: type, user: User, order: tuple[str, ...]) -> str:
    rows = model.objects.filter(user=user).order_by(*(f"-{name}" for name in order))  # type: ignore[attr-defined]
    return Cursor(list(rows.values_list(*order)[int(rows.count() * DEPTH)])).encode()


def _owner_of(size: int) -> User:
    pk = UUID(int=0x01900000_0000_7000_B000_000000000000 + size)
    if user := User.objects.filter(pk=pk).first():
        return user
    with transaction.atomic():
        user = User.objects.create(pk=pk, email=f"rows{size}@bench.example")
        ensure_live_subscription(user)
        add_activity("analytics_authenticationlog", rows=size, users=[pk], first_id=100_000_000 + size * 10)
        with connection.cursor() as cursor:
            cursor.execute(USAGE, {"user": pk, "rows": size})
            cursor.execute("ANALYZE accounts_userusage")
    return user
