"""What a drill is given, and what it has to show for it."""

import contextlib
import random
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

from analysis import engine
from analysis.models import PostAnalysis
from benchmarks.drills import ground, invariants
from benchmarks.drills.fleet import LEASE_SECONDS, Fleet, fleet, until
from benchmarks.drills.simulated import Plan

RECOVERY_SECONDS = 1.5 * LEASE_SECONDS + 2.0
# In short they run beside other tests, on machines of any speed.
SHORT_RECOVERY_SECONDS = 2 * RECOVERY_SECONDS


@dataclass(frozen=True)
class Scene:
    """The servers, where workers come from, and how hard it is to be."""

    home: Path
    nursery: "subprocess.Popen[str]"
    seed: int
    vendor_port: int
    short: bool = False
    posts: int | None = None

    def chance(self) -> random.Random:
        return random.Random(self.seed)

    @property
    def recovery(self) -> float:
        """I10: within so many seconds somebody else has a post whose holder is gone.

        Asked for where hands are free. Where all are busy or being replaced, a post is due in time and waits its turn.
        """
        return SHORT_RECOVERY_SECONDS if self.short else RECOVERY_SECONDS

    def size(self, *, full: int, short: int) -> int:
        return self.posts or (short if self.short else full)


@dataclass
class Outcome:
    """What was seen, and what did not hold."""

    facts: dict[str, Any] = field(default_factory=dict)
    broken: list[str] = field(default_factory=list)

    def require(self, holds: bool, what: str) -> None:
        if not holds:
            self.broken.append(what)


@contextlib.contextmanager
def workers(
    scene: Scene,
    folder: Path,
    plan: Plan,
    *,
    room_mb: int = 0,
    environment: Mapping[str, str] = MappingProxyType({}),
    **named: tuple[str, ...],
) -> Iterator[Fleet]:
    """A fleet with its sweeper."""
    with fleet(scene.nursery, folder, plan) as all_of_them:
        all_of_them.room_mb, all_of_them.environment = room_mb, {**environment}
        all_of_them.start_sweeper()
        for name, words in named.items():
            all_of_them.start(name, *words)
        yield all_of_them


def quiet(crew: Fleet, *, seconds: float) -> float:
    """Wait until every post has ended, while whoever dies is started again; how long it took."""

    def is_quiet() -> bool:
        crew.restart_dead()
        return ground.still_open() == 0 and not engine.unfinished(1)

    return until(is_quiet, seconds=seconds, what="the end of the last post", pause=0.1)


def conclude(crew: Fleet, *, failed: int = 0, within: float | None = None) -> Outcome:
    """Hold what is left against the invariants."""
    trace = invariants.read_trace(crew.folder)
    outcome = Outcome(invariants.facts_of(trace, crew.faults))
    facts = outcome.facts
    facts["restarted"] = crew.restarted
    states = dict.fromkeys(("COMPLETED", "FAILED"), 0) | {
        status: PostAnalysis.objects.filter(status=status).count() for status in ("COMPLETED", "FAILED", "CANCELLED")
    }
    facts |= {status.lower(): count for status, count in states.items()}
    outcome.broken += [f"{name}: {count}" for name, count in invariants.broken().items()]
    outcome.require(states["FAILED"] == failed, f"{states['FAILED']} posts failed, {failed} should have")
    explained = facts["in_flight_at_faults"] + facts["put_off"]
    outcome.require(facts["extra_calls"] <= explained, "I3 more calls again than were in flight or failed in passing")
    outcome.require(invariants.calls_without_intent(trace) == 0, "I3 a call without an intent")
    in_time = within is None or facts["slowest_recovery"] <= within
    outcome.require(in_time, f"I10 a post was left for {facts['slowest_recovery']} s")
    outcome.require(not invariants.told_secrets(crew.folder.parent), "I8 a vendor's key was written down")
    return outcome


def conclude_connections(crew: Fleet, outcome: Outcome) -> None:
    """I9: whoever is gone holds nothing any more."""
    crew.stop()
    until(lambda: invariants.connections_of_workers() == 0, seconds=20, what="the end of the workers' connections")
    outcome.facts["connections_left"] = invariants.connections_of_workers()
