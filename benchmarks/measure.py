"""The method: rounds in turn, the spread of their figures, and what a figure must keep to."""

import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar

ROUNDS = 11
Taken = TypeVar("Taken")


class NotMeasured(Exception):
    """This machine or this tree cannot give the figure."""


@dataclass(frozen=True, slots=True)
class Line:
    """What a figure is held to: the target to aim for and the red line never to cross."""

    what: str
    unit: str
    target: float
    red: float
    more_is_better: bool = False


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure a round, and how they spread."""

    id: str
    line: Line = Line("", "", 0.0, 0.0)
    values: tuple[float, ...] = ()
    detail: str = ""

    @property
    def median(self) -> float:
        return statistics.median(self.values)

    @property
    def quartiles(self) -> tuple[float, float]:
        if len(self.values) == 1:
            return self.values[0], self.values[0]
        low, _, high = statistics.quantiles(self.values, n=4, method="inclusive")
        return low, high

    @property
    def verdict(self) -> str:
        """Only a spread that lies wholly beyond the red line fails: a noisy machine proves nothing."""
        if not self.values:
            return "not measured"
        low, high = self.quartiles
        best, worst = (high, low) if self.line.more_is_better else (low, high)
        if self._beyond(best):
            return "fail"
        return "unclear" if self._beyond(self.median) and self._beyond(worst) else "pass"

    def _beyond(self, value: float) -> bool:
        return value < self.line.red if self.line.more_is_better else value > self.line.red


@dataclass(frozen=True, slots=True)
class Cost:
    """What one unit of work took, in seconds."""

    cpu: float
    wall: float


def cost_of(work: Callable[[], object], *, units: int, cpu_clock: Callable[[], float] = time.process_time) -> Cost:
    wall, cpu = time.perf_counter(), cpu_clock()
    work()
    return Cost(cpu=(cpu_clock() - cpu) / units, wall=(time.perf_counter() - wall) / units)


def rounds(sides: Mapping[str, Callable[[], Taken]], *, count: int = ROUNDS) -> list[dict[str, Taken]]:
    """Every side once a round; who begins changes each round, so that a slow moment favours nobody."""
    names = list(sides)
    taken = []
    for number in range(count):
        first = number % len(names)
        taken.append({name: sides[name]() for name in names[first:] + names[:first]})
    return taken


def ratios(taken: list[dict[str, Cost]], above: str, below: str, *, clock: str = "cpu") -> tuple[float, ...]:
    return tuple(getattr(costs[above], clock) / getattr(costs[below], clock) for costs in taken)


def microseconds(taken: list[dict[str, Cost]], side: str, *, clock: str = "cpu") -> float:
    return float(statistics.median(getattr(costs[side], clock) for costs in taken) * 1e6)
