"""Charts as data: Chart.js draws them, and a table beside each says the same in numbers."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

# Told apart on white and on black, and by somebody who cannot tell red from green: no two are equally light.
COLOURS = ("#3b82f6", "#f59e0b", "#b91c1c", "#14b8a6", "#a855f7", "#64748b", "#84cc16", "#ec4899")
DASHES: tuple[list[int], ...] = ([], [6, 3], [2, 2])
GREY = "#8b94a3"


@dataclass(frozen=True, slots=True)
class Chart:
    """Some series over the same labels."""

    title: str
    labels: Sequence[str]
    series: Mapping[str, Sequence[float | None]]
    # What will show here, where there is nothing to show yet.
    empty: str
    kind: str = "bar"
    unit: str = ""
    note: str = ""

    @property
    def is_empty(self) -> bool:
        return not any(value for values in self.series.values() for value in values)

    @property
    def data(self) -> str:
        lines = self.kind == "line"
        datasets = [
            {
                "label": f"{name} ({self.unit})" if self.unit else name,
                "data": list(values),
                "backgroundColor": COLOURS[number % len(COLOURS)],
                "borderColor": COLOURS[number % len(COLOURS)],
                **({"borderDash": DASHES[number % len(DASHES)], "borderWidth": 2, "pointRadius": 1} if lines else {}),
            }
            for number, (name, values) in enumerate(self.series.items())
        ]
        return json.dumps({"labels": list(self.labels), "datasets": datasets})

    @property
    def options(self) -> str:
        stacked = self.kind == "bar"
        ticks: dict[str, Any] = {"color": GREY, "maxRotation": 0}
        legend = {"position": "bottom", "align": "start", "labels": {"color": GREY, "boxWidth": 10, "boxHeight": 10}}
        scales = {
            "x": {"stacked": stacked, "grid": {"display": False}, "ticks": {**ticks, "maxTicksLimit": 8}},
            "y": {"stacked": stacked, "beginAtZero": True, "ticks": {**ticks, "maxTicksLimit": 5}, "grid": {}},
        }
        still = {"animation": False, "responsive": True, "maintainAspectRatio": False}
        pointing = {"interaction": {"mode": "index", "intersect": False}}
        return json.dumps({**still, **pointing, "plugins": {"legend": legend}, "scales": scales})

    @property
    def rows(self) -> list[tuple[str, list[str]]]:
        """The newest first, for whoever reads numbers."""
        columns = [list(values) for values in self.series.values()]
        told = [(label, [number(column[place]) for column in columns]) for place, label in enumerate(self.labels)]
        return told[::-1]


def number(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:,.0f}" if value == int(value) else f"{value:,.2f}"
