"""P15: a page costs the same out of a million rows as out of a thousand, at the beginning and deep inside."""

import math
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

from django.db import connection
from rest_framework.test import APIRequestFactory, force_authenticate

from accounts.models import User, UserUsage
from accounts.views import UsageHistory
from analytics.models import AuthenticationLog
from analytics.views import Activity
from benchmarks.machine import on_server_core
from benchmarks.measure import ROUNDS, Figure, Line
from benchmarks.seed import add_activity, add_usage
from core.paging import Cursor

SIZES = (1_000, 10_000, 100_000, 1_000_000)
CALLS = 25
DEPTH = 0.9
LINE = Line("exponent of a page's time, 1e3 to 1e6 rows", "exponent", target=0.05, red=0.05)
# One user owns half of the rows, a hundred others share the rest.
OWNER = UUID(int=0x01900000_0000_7000_B000_000000000000)
PEOPLE = [person for number in range(1, 101) for person in (OWNER, UUID(int=OWNER.int + number))]


@dataclass(frozen=True, slots=True)
class List:
    """A list, and how its table is filled."""

    name: str
    view: type[Any]
    model: type[Any]
    order: tuple[str, ...]
    fill: Callable[..., None]

    @property
    def table(self) -> str:
        return str(self.model._meta.db_table)


LISTS = (
    List("activity", Activity, AuthenticationLog, ("created_at", "id"), add_activity),
    List("usage history", UsageHistory, UserUsage, ("day", "id"), add_usage),
)


def measure(home: Path, wanted: set[str]) -> list[Figure]:
    for size in SIZES:
        _make_tables(size)
    with on_server_core():
        figures = [_growth(each, depth) for each in LISTS for depth in (0.0, DEPTH)]
    _look_into("public")
    return figures


def _make_tables(size: int) -> None:
    """Tables of their own for each size: rows of other sizes in the same table would hide a query that reads it all."""
    schema = f"rows_{size}"
    with connection.cursor() as cursor:
        cursor.execute(f"CREATE SCHEMA {schema}")
        for each in LISTS:
            cursor.execute(f"CREATE UNLOGGED TABLE {schema}.{each.table} (LIKE public.{each.table} INCLUDING ALL)")
            each.fill(f"{schema}.{each.table}", rows=2 * size, users=PEOPLE)


def _look_into(schema: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"SET search_path TO {', '.join({schema: None, 'public': None})}")


def _growth(each: List, depth: float) -> Figure:
    asks = {size: _asking(each, size, depth) for size in SIZES}
    taken = [{size: _seconds(ask, size) for size, ask in asks.items()} for _ in range(ROUNDS)]
    medians = {size: statistics.median(seconds[size] for seconds in taken) * 1e3 for size in SIZES}
    where = f"page at {depth:.0%}" if depth else "first page"
    detail = ", ".join(f"{size:,} rows {ms:.2f} ms" for size, ms in medians.items())
    return Figure(f"P15 {each.name}, {where}", LINE, tuple(_exponent(seconds) for seconds in taken), detail)


def _asking(each: List, size: int, depth: float) -> Callable[[], None]:
    """Ask the view itself: signing in and counting take the same at any size and would only water the slope down."""
    _look_into(f"rows_{size}")
    cursor = _cursor_at(each, int(size * depth)) if depth else ""
    request = APIRequestFactory().get("/", {"page_size": 50, "cursor": cursor}, secure=True, HTTP_HOST="bench.example")
    force_authenticate(request, User(pk=OWNER))
    view = each.view.as_view(throttle_classes=[])

    def ask() -> None:
        answer = view(request)
        answer.render()
        if answer.status_code != 200 or len(answer.data["results"]) != 50:
            raise RuntimeError(f"{each.name}: {answer.status_code} {answer.content[:200]!r}")

    return ask


def _cursor_at(each: List, place: int) -> str:
    rows = each.model.objects.filter(user=OWNER).order_by(*(f"-{name}" for name in each.order))
    return Cursor(list(rows.values_list(*each.order)[place])).encode()


def _seconds(ask: Callable[[], None], size: int) -> float:
    _look_into(f"rows_{size}")
    times = []
    for _ in range(CALLS):
        start = time.perf_counter()
        ask()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def _exponent(seconds: dict[int, float]) -> float:
    """The slope of the time against the size, both as logarithms: 0 is flat, 1 is linear."""
    slope, _ = statistics.linear_regression([math.log(size) for size in seconds], [*map(math.log, seconds.values())])
    return slope
