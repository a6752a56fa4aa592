"""`python -m benchmarks.drills [NAME ...]`: break things, and see that nothing is lost."""

import argparse
import contextlib
import importlib
import json
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import django
from django.core.management import call_command

from benchmarks.__main__ import VENDORS
from benchmarks.servers import free_port
from core import embedded

HOME = Path(__file__).resolve().parents[2] / ".local" / "drills"
# Where each is found; imported once Django is set up.
DRILLS = {
    "points": ("crashes", "kill_at_each_point"),
    "load": ("crashes", "kill_under_load"),
    "deploy": ("crashes", "deploy"),
    "poison": ("crashes", "poison"),
    "memory": ("hungry", "memory_taken"),
    "wiped": ("outages", "redis_wiped"),
    "hung": ("outages", "redis_hung"),
    "half-open": ("hole", "broker_half_open"),
    "restarted": ("outages", "postgres_restarted"),
    "locked": ("outages", "table_locked"),
    "exhausted": ("outages", "connections_exhausted"),
    "storm": ("vendors", "storm"),
    "silence": ("vendors", "silence"),
    "garbage": ("vendors", "garbage"),
    "quota": ("quota", "concurrent_quota"),
    "midnight": ("midnight", "quota_at_midnight"),
    "commit": ("crashes", "kill_between_commit_and_message"),
    "hung-api": ("posting", "redis_hung"),
    "commit-api": ("posting", "api_dies_after_commit"),
    "records": ("records", "records_survive"),
    "copies": ("webhooks", "copies_at_once"),
    "forged": ("forgers", "forged_and_malformed"),
    "event-crash": ("webhooks", "crash_between_store_and_effect"),
    "events": ("webhooks", "events_under_fire"),
    "leave": ("chats", "leave"),
    "chat-worker": ("chats", "kill_worker"),
    "chat-stream": ("chats", "kill_stream"),
    "chat-redis": ("chats", "kill_chat_redis"),
    "chat-model": ("chats", "kill_model"),
}


def main() -> None:
    asked = _asked()
    with contextlib.ExitStack() as stack:
        home = stack.enter_context(_home(asked.home))
        _be_a_development_machine(home, vendor_port=asked.vendor_port)
        stack.enter_context(embedded.servers(home))
        django.setup()
        call_command("migrate", verbosity=0, interactive=False)
        print(f"seed {asked.seed}", flush=True)
        scene = _scene(home, asked, stack)
        held = [_run(name, scene) for name in asked.names or DRILLS]
        sys.exit(not all(held))


def _asked() -> argparse.Namespace:
    words = argparse.ArgumentParser(prog="benchmarks.drills", description=__doc__)
    words.add_argument("names", nargs="*", metavar="NAME", help=", ".join(DRILLS))
    words.add_argument("--seed", type=int, default=time.time_ns() % 1_000_000)
    words.add_argument("--posts", type=int, help="how many posts a drill has")
    words.add_argument("--short", action="store_true", help="in seconds instead of minutes")
    words.add_argument("--home", type=Path, help="a folder for the servers, to look into afterwards")
    words.add_argument("--vendor-port", type=int, default=free_port(), help=argparse.SUPPRESS)
    asked = words.parse_args()
    if unknown := {*asked.names} - DRILLS.keys():
        words.error(f"no such drill: {', '.join(sorted(unknown))}")
    return asked


@contextlib.contextmanager
def _home(given: Path | None) -> Iterator[Path]:
    """Servers that are to be killed hold nobody else's data."""
    HOME.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=HOME, ignore_cleanup_errors=True) as fresh:
        yield given or Path(fresh)


def _be_a_development_machine(home: Path, *, vendor_port: int) -> None:
    for name in [name for name in os.environ if name.startswith(VENDORS)]:
        del os.environ[name]
    stripe_port = free_port()
    os.environ |= {
        "DJANGO_SETTINGS_MODULE": "config.settings",
        "DEBUG": "true",
        "WHYRAL_HOME": str(home),
        "DATABASE_URL": embedded.database_url(home),
        "REDIS_URL": embedded.redis_url(home),
        "CELERY_BROKER_URL": embedded.broker_url(home),
        "LOG_LEVEL": "WARNING",
        "ANALYSIS_LEASE_SECONDS": "2",
        "REMAP_SIGTERM": "SIGQUIT",
        "OUTBOUND_ALLOWED_HOSTS": f"127.0.0.1:{vendor_port},127.0.0.1:{stripe_port}",
        "SELF_HOSTED_LLM_URL": f"http://127.0.0.1:{vendor_port}",
        "SELF_HOSTED_LLM_REQUESTS_PER_MINUTE": "100000",
        "CHAT_PROVIDERS": "openai_compatible",
        "BILLING_LEASE_SECONDS": "3",
        "DODO_URL": f"http://127.0.0.1:{vendor_port}",
        "DODO_API_KEY": "dodo_test_drill",
        "DODO_WEBHOOK_SECRET": "whsec_ZHJpbGxzIGhhdmUgYSBzZWNyZXQgdG9v",
        "STRIPE_URL": f"http://127.0.0.1:{stripe_port}",
        "STRIPE_SECRET_KEY": "sk_test_drill",
        "STRIPE_WEBHOOK_SECRET": "whsec_drills_have_a_secret_too",
    }


def _module(name: str) -> Any:
    return importlib.import_module(f"benchmarks.drills.{name}")


def _scene(home: Path, asked: argparse.Namespace, stack: contextlib.ExitStack) -> Any:
    nursery = stack.enter_context(_module("fleet").nursery(home / "nursery.log"))
    return _module("drill").Scene(home, nursery, asked.seed, asked.vendor_port, asked.short, asked.posts)


def _run(name: str, scene: Any) -> bool:
    module, function = DRILLS[name]
    act = getattr(_module(module), function)
    start = time.monotonic()
    try:
        outcome = act(scene)
    except _module("fleet").DidNotHappen as problem:
        outcome = _module("drill").Outcome(broken=[str(problem)])
    _print(name, act.__doc__, outcome, time.monotonic() - start)
    return not outcome.broken


def _print(name: str, doc: str, outcome: Any, seconds: float) -> None:
    print(f"\n{name}, {seconds:.0f} s. {doc}")
    for each in outcome.broken:
        print(f"    BROKEN {each}")
    print(json.dumps({"drill": name, **outcome.facts, "broken": outcome.broken}), flush=True)


if __name__ == "__main__":
    main()
