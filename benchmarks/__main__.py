"""`make bench`: measure, print the table, keep the figures, and fail on a red line."""

import importlib
import json
import os
import secrets
import sys
import time
from pathlib import Path

import django
from django.core.management import call_command

from benchmarks import machine
from benchmarks.measure import Figure
from core import embedded, redis

HOME = Path(__file__).resolve().parent.parent / ".local" / "bench"
# Which module measures which figures; imported once Django is set up.
MODULES = {
    "benchmarks.serving": ("P1", "P2"),
    "benchmarks.growth": ("P15", "P24"),
    "benchmarks.quota": ("P16",),
    "benchmarks.throttle": ("P18",),
}
VENDORS = ("CLERK_", "DODO_", "STRIPE_", "SUPABASE_", "SENTRY_", "DATABASE_", "REDIS_", "CELERY_", "DB_")


def main() -> None:
    wanted = _wanted(sys.argv[1:])
    machine.stay_on_load_core()
    HOME.mkdir(parents=True, exist_ok=True)
    _be_a_deployment()
    with embedded.servers(HOME):
        django.setup()
        call_command("migrate", verbosity=0, interactive=False)
        redis.client().flushall()
        started, before = time.monotonic(), machine.calibrate()
        figures = [figure for name in MODULES for figure in _measure(name, wanted)]
        facts = machine.facts(HOME) | {"calibration_ms": [round(before, 3), round(machine.calibrate(), 3)]}
    _print(figures, facts, time.monotonic() - started)
    if any(figure.verdict == "fail" for figure in figures):
        sys.exit(1)


def _wanted(names: list[str]) -> set[str]:
    known = {each for names in MODULES.values() for each in names}
    if unknown := set(names) - known:
        sys.exit(f"whyral: no such figure: {', '.join(sorted(unknown))}. There are {', '.join(sorted(known))}.")
    return set(names) or known


def _be_a_deployment() -> None:
    """Settings of a production machine, on servers of our own: what this machine is configured for stays untouched."""
    for name in [name for name in os.environ if name.startswith(VENDORS)]:
        del os.environ[name]
    os.environ |= {
        "DJANGO_SETTINGS_MODULE": "config.settings",
        "DEBUG": "false",
        "SECRET_KEY": secrets.token_urlsafe(64),
        "ALLOWED_HOSTS": "bench.example",
        "PUBLIC_URL": "https://bench.example",
        "TRUSTED_PROXIES": "1",
        "EMAIL_URL": "memorymail://",
        "DATABASE_URL": embedded.database_url(HOME),
        "REDIS_URL": embedded.redis_url(HOME),
        "LOG_LEVEL": "WARNING",
        # Counted like any other, but never refused.
        "API_REQUESTS_PER_MINUTE": "100000000",
    }


def _measure(module: str, wanted: set[str]) -> list[Figure]:
    if not wanted & set(MODULES[module]):
        return []
    return importlib.import_module(module).measure(HOME, wanted)


def _print(figures: list[Figure], facts: dict[str, object], seconds: float) -> None:
    print(f"{'figure':<28}{'what':<62}{'median':>8}  {'quartiles':<16}{'target':>7}{'red':>7}  verdict")
    for figure in figures:
        low, high = figure.quartiles
        kept = f"{figure.line.target:>7g}{figure.line.red:>7g}  {figure.verdict}"
        print(f"{figure.id:<28}{figure.line.what:<62}{figure.median:>8.3f}  {f'{low:.3f}-{high:.3f}':<16}{kept}")
        if figure.detail:
            print(f"{'':<28}{figure.detail}")
    print(json.dumps(facts), f"{seconds:.0f} s")


if __name__ == "__main__":
    main()
