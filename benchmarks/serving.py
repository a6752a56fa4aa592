"""P1 and P2: what a list and a detail cost the server, from the socket to the socket, with everything on."""

import itertools
import json
from collections.abc import Callable
from pathlib import Path
from uuid import UUID

from django.conf import settings

from benchmarks.load import get
from benchmarks.measure import ROUNDS, Cost, Figure, Line, cost_of, microseconds, ratios, rounds
from benchmarks.seed import Person, people
from benchmarks.servers import Server, running

WARM_UP = 150
# Enough of each that a round takes every side about half a second.
REQUESTS = {"ours": 300, "bare": 300, "textbook": 100}
LIST = "/api/accounts/me/activity/?page_size=50"
DETAILS = {"subscription": "/api/accounts/subscription/", "profile": "/api/accounts/me/"}
LINES = {
    "P1": Line("list of 50 rows, everything on / bare view, same bytes", "x CPU", target=0.75, red=1.0),
    "P1 textbook": Line("the textbook stack's list of 50 / ours", "x CPU", target=2.5, red=2.5, more_is_better=True),
    "P2 subscription": Line("a detail / bare view, same bytes", "x CPU", target=1.8, red=1.8),
    "P2 profile": Line("another detail / bare view, same bytes", "x CPU", target=1.8, red=1.8),
}


class Different(Exception):
    """Two sides do not answer the same."""


def measure(home: Path, wanted: set[str]) -> list[Figure]:
    somebody = people()
    with running(home) as servers:
        figures = _list(servers, somebody) if "P1" in wanted else []
        for name, path in DETAILS.items() if "P2" in wanted else ():
            figures.append(_detail(servers, somebody, name, path))
    return figures


def _list(servers: dict[str, Server], somebody: list[Person]) -> list[Figure]:
    asked = {
        "ours": [_as(person, LIST) for person in somebody],
        "bare": [_bare("activity", person.id) for person in somebody],
        "textbook": [_as(person, "/api/activity/") for person in somebody],
    }
    _require_same_bytes(servers, asked)
    _require_same_rows(servers, asked)
    taken = rounds({name: _side(servers[name], asked[name], REQUESTS[name]) for name in asked})
    wall = f"; wall {sorted(ratios(taken, 'ours', 'bare', clock='wall'))[len(taken) // 2]:.2f}x"
    costs = ", ".join(f"{name} {microseconds(taken, name):.0f} us" for name in asked)
    return [
        Figure("P1", LINES["P1"], ratios(taken, "ours", "bare"), costs + wall),
        Figure("P1 textbook", LINES["P1 textbook"], ratios(taken, "textbook", "ours"), costs),
    ]


def cost_of_list(server: Server, somebody: list[Person]) -> float:
    """Microseconds of CPU that a list takes the service."""
    side = _side(server, [_as(person, LIST) for person in somebody], REQUESTS["ours"])
    return microseconds([{"ours": side()} for _ in range(ROUNDS)], "ours")


def _detail(servers: dict[str, Server], somebody: list[Person], name: str, path: str) -> Figure:
    asked = {
        "ours": [_as(person, path) for person in somebody],
        "bare": [_bare(name, person.id) for person in somebody],
    }
    _require_same_bytes(servers, asked)
    taken = rounds({side: _side(servers[side], asked[side], REQUESTS[side]) for side in asked})
    costs = ", ".join(f"{side} {microseconds(taken, side):.0f} us" for side in asked)
    return Figure(f"P2 {name}", LINES[f"P2 {name}"], ratios(taken, "ours", "bare"), costs)


def _side(server: Server, asked: list[bytes], count: int) -> Callable[[], Cost]:
    requests = list(itertools.islice(itertools.cycle(asked), count))
    server.client.fetch(requests[:WARM_UP])
    return lambda: cost_of(lambda: server.client.fetch(requests), units=count, cpu_clock=server.cpu)


def _as(person: Person, path: str) -> bytes:
    return get(path, host=settings.ALLOWED_HOSTS[0], token=person.token)


def _bare(name: str, user: UUID) -> bytes:
    return get(f"/{name}/{user}/", host=settings.ALLOWED_HOSTS[0])


def _require_same_bytes(servers: dict[str, Server], asked: dict[str, list[bytes]]) -> None:
    ours, bare = (servers[name].client.fetch(asked[name]) for name in ("ours", "bare"))
    for mine, theirs in zip(ours, bare, strict=True):
        if mine != theirs:
            raise Different(f"ours: {mine[:600]!r}\nbare: {theirs[:600]!r}")


def _require_same_rows(servers: dict[str, Server], asked: dict[str, list[bytes]]) -> None:
    ours, textbook = (servers[name].client.fetch(asked[name]) for name in ("ours", "textbook"))
    for mine, theirs in zip(ours, textbook, strict=True):
        if json.loads(mine)["results"] != json.loads(theirs)["results"]:
            raise Different(f"ours: {mine[:600]!r}\ntextbook: {theirs[:600]!r}")
