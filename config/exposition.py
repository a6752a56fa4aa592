"""Prometheus' text format: https://prometheus.io/docs/instrumenting/exposition_formats/."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import inf

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
ESCAPES = str.maketrans({"\\": r"\\", '"': r"\"", "\n": r"\n"})


@dataclass(frozen=True, slots=True)
class Metric:
    """What one name means: how its numbers behave, its help, and what they are told apart by."""

    kind: str
    help: str
    labels: tuple[str, ...] = ()


class Page:
    """Samples by metric; a name or a label that is not declared is a mistake of ours."""

    def __init__(self, metrics: Mapping[str, Metric]) -> None:
        self.metrics = metrics
        self.lines: dict[str, list[str]] = {name: [] for name in metrics}

    def add(self, name: str, value: float, **labels: str) -> None:
        self._of(name, labels).append(f"{name}{_braced(_pairs(labels))} {_number(value)}")

    def add_histogram(self, name: str, buckets: Mapping[float, int], total: float, **labels: str) -> None:
        """Add counts by upper bound, in order, each of its own bucket alone; they are written as running sums."""
        pairs = _pairs(labels)
        lines, start, count = self._of(name, labels), f"{name}_bucket{{{pairs}{',' if pairs else ''}le=", 0
        for bound, number in buckets.items():
            count += number
            lines.append(f'{start}"{_number(bound)}"}} {count}')
        lines += [f"{name}_sum{_braced(pairs)} {_number(total)}", f"{name}_count{_braced(pairs)} {count}"]

    def _of(self, name: str, labels: Mapping[str, str]) -> list[str]:
        if tuple(labels) != self.metrics[name].labels:
            raise ValueError(f"{name} has the labels {self.metrics[name].labels}, not {tuple(labels)}.")
        return self.lines[name]

    def render(self) -> bytes:
        # Names without samples too: whoever writes a rule sees what there is.
        texts = (
            "\n".join([f"# HELP {name} {metric.help}", f"# TYPE {name} {metric.kind}", *self.lines[name], ""])
            for name, metric in self.metrics.items()
        )
        return "".join(texts).encode("utf-8", "replace")


def _pairs(labels: Mapping[str, str]) -> str:
    return ",".join([f'{label}="{text.translate(ESCAPES)}"' for label, text in labels.items()])


def _braced(pairs: str) -> str:
    return f"{{{pairs}}}" if pairs else ""


def _number(value: float) -> str:
    if value == inf:
        return "+Inf"
    return repr(int(value)) if value == int(value) else repr(float(value))
