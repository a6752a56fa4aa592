"""`make bench`: measure, print the table, keep the figures, and fail on a red line."""

import contextlib
import fcntl
import importlib
import os
import secrets
import shutil
import sys
import time
import warnings
from collections.abc import Iterator
from pathlib import Path

import django
from django.core.management import call_command
from django.db import connection

from benchmarks import machine, report
from benchmarks.measure import Figure, NotMeasured
from core import embedded, redis

HOME = Path(__file__).resolve().parent.parent / ".local" / "bench"
# Which module measures which figures; imported once Django is set up.
MODULES = {
    "benchmarks.serving": ("P1", "P2"),
    "benchmarks.recording": ("P3",),
    "benchmarks.shipping": ("P4",),
    "benchmarks.growth": ("P15",),
    "benchmarks.quota": ("P16",),
    "benchmarks.intake": ("P9", "P10"),
    "benchmarks.chat": ("P11", "P12", "P13"),
    "benchmarks.crowd": ("P14",),
    "benchmarks.pipeline": ("P5", "P7", "P8", "P19", "P23", "publish"),
    "benchmarks.throttle": ("P18",),
    "benchmarks.queries": ("P24",),
    "benchmarks.saving": ("saving", "stored"),
    "benchmarks.desk": ("desk-start", "desk-list"),
}
VENDORS = (
    "CLERK_",
    "BRIGHTDATA_",
    "TWITTERAPI_",
    "YOUTUBE_",
    "YTDLP_",
    "WHISPER_",
    "DODO_",
    "STRIPE_",
    "SUPABASE_",
    "SENTRY_",
    "DATABASE_",
    "REDIS_",
    "CELERY_",
    "DB_",
    "SELF_HOSTED_",
    "CHAT_",
)


def main() -> None:
    wanted = _wanted(sys.argv[1:])
    machine.stay_on_load_core()
    _be_a_deployment()
    try:
        with _only_run(), embedded.servers(HOME):
            figures = _run(wanted)
    except embedded.EmbeddedServerProblem as problem:
        sys.exit(f"whyral: {problem}")
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
        "DATABASE_URL": embedded.database_url(HOME),
        "REDIS_URL": embedded.redis_url(HOME),
        "CELERY_BROKER_URL": embedded.broker_url(HOME),
        "EMAIL_URL": "smtp://mail.bench.example",
        "SPOOL_DIR": str(HOME / "spool"),
        "LOG_LEVEL": "WARNING",
        # Counted like any other, but never refused.
        "API_REQUESTS_PER_MINUTE": "100000000",
    }


@contextlib.contextmanager
def _only_run() -> Iterator[None]:
    HOME.mkdir(parents=True, exist_ok=True)
    with (HOME / "run.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            sys.exit("whyral: `make bench` is already running here; two would measure each other.")
        yield


def _run(wanted: set[str]) -> list[Figure]:
    # Nobody asks for a static file here, so none has been collected.
    warnings.filterwarnings("ignore", message="No directory at")
    django.setup()
    _start_afresh()
    started, before = time.monotonic(), machine.calibrate()
    report.print_head()
    figures = []
    for module in MODULES:
        for figure in _measure(module, wanted):
            report.print_figure(figure)
            figures.append(figure)
    facts = machine.facts(HOME) | {"calibration_ms": [round(before, 3), round(machine.calibrate(), 3)]}
    report.print_facts(facts, seconds=time.monotonic() - started)
    report.keep(figures, facts, HOME / "results.json")
    return figures


def _start_afresh() -> None:
    """The same rows in each run, in tables that the code of this run has made."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT nspname FROM pg_namespace WHERE nspname = 'public' OR nspname LIKE 'rows%'")
        cursor.execute(f"DROP SCHEMA {', '.join(name for (name,) in cursor.fetchall())} CASCADE")
        cursor.execute("CREATE SCHEMA public")
    shutil.rmtree(HOME / "spool", ignore_errors=True)
    call_command("migrate", verbosity=0, interactive=False)
    redis.client().flushall()


def _measure(module: str, wanted: set[str]) -> list[Figure]:
    asked = wanted & set(MODULES[module])
    try:
        figures: list[Figure] = importlib.import_module(module).measure(HOME, asked) if asked else []
    except NotMeasured as reason:
        return [Figure(name, detail=str(reason)) for name in sorted(asked)]
    return figures


if __name__ == "__main__":
    main()
