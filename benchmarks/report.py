"""What a run says: a table for people, a file for programs."""

import json
from dataclasses import asdict
from pathlib import Path

from benchmarks.measure import Figure

COLUMNS = "{:<33}{:<58}{:>8}  {:<15}{:<11}{:>8}{:>8}  {}"


def print_head() -> None:
    print(COLUMNS.format("figure", "what", "median", "quartiles", "unit", "target", "red", "verdict"), flush=True)


def print_figure(figure: Figure) -> None:
    line = figure.line
    median = f"{figure.median:.3f}" if figure.values else "-"
    quartiles = "{:.3f}-{:.3f}".format(*figure.quartiles) if figure.values else "-"
    bounds = (_bound(line.target, line.more_is_better), _bound(line.red, line.more_is_better))
    print(COLUMNS.format(figure.id, line.what, median, quartiles, line.unit, *bounds, figure.verdict))
    if figure.detail:
        print(f"{'':<33}{figure.detail}", flush=True)


def _bound(value: float, more_is_better: bool) -> str:
    return f"{'>=' if more_is_better else '<='} {value:g}"


def print_facts(facts: dict[str, object], *, seconds: float) -> None:
    print(f"\n{seconds:.0f} s; CPU is the server's alone, without PostgreSQL's and Redis's.")
    for name, value in facts.items():
        print(f"  {name:<16} {value}")


def keep(figures: list[Figure], facts: dict[str, object], path: Path) -> None:
    shown = [
        asdict(figure)
        | {"verdict": figure.verdict}
        | ({"median": figure.median, "quartiles": figure.quartiles} if figure.values else {})
        for figure in figures
    ]
    path.write_text(json.dumps({"machine": facts, "figures": shown}, indent=2) + "\n")
    print(f"  {'kept in':<16} {path}")
