"""P18: what counting a request costs our own process."""

from pathlib import Path

from django.conf import settings

from benchmarks.machine import on_server_core
from benchmarks.measure import Figure, Line, cost_of, rounds
from core.throttling import take

CALLS = 1_000
LINE = Line("CPU to count one request", "us", target=160, red=160)


def measure(home: Path, wanted: set[str]) -> list[Figure]:
    settings.THROTTLES = {**settings.THROTTLES, "bench": (10**9, 60)}
    ask = {"take": lambda: cost_of(lambda: [take("bench", "somebody") for _ in range(CALLS)], units=CALLS)}
    with on_server_core():
        taken = rounds(ask)
    return [Figure("P18", LINE, tuple(each["take"].cpu * 1e6 for each in taken))]
