"""Real PostgreSQL and Redis for the tests, up before Django reads its settings (hence a plugin, named in addopts)."""

import contextlib
import fcntl
import itertools
import os
import shutil
from contextlib import ExitStack
from pathlib import Path

import pytest

from core import embedded

LOCAL = Path(__file__).resolve().parent.parent / ".local"
VENDORS = (
    "SPOOL_",
    "CLERK_",
    "BRIGHTDATA_",
    "TWITTERAPI_",
    "YOUTUBE_",
    "YTDLP_",
    "WHISPER_",
    "GEMINI_",
    "SELF_HOSTED_",
    "DODO_",
    "STRIPE_",
    "SUPABASE_",
    "SENTRY_",
    "DATABASE_",
    "REDIS_",
    "CELERY_",
    "DB_",
)
servers = ExitStack()


def own_home() -> Path:
    """A folder that no other test run uses at this moment, so that two may run side by side."""
    for number in itertools.count(1):
        home = LOCAL / f"test-{number}"
        home.mkdir(parents=True, exist_ok=True)
        lock = servers.enter_context((home / "run.lock").open("w"))
        with contextlib.suppress(BlockingIOError):
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return home
    raise AssertionError


def prepare() -> None:
    # Whatever this machine is configured for, a test must not reach it: not its database, its Redis or its vendors.
    for name in [name for name in os.environ if name.startswith(VENDORS)]:
        del os.environ[name]
    home = own_home()
    # What an earlier run left there would be late for ever: nobody ships it.
    shutil.rmtree(home / "spool", ignore_errors=True)
    os.environ |= {"WHYRAL_HOME": str(home), "DEBUG": "true", "EMAIL_URL": "memorymail://", "LOG_LEVEL": "WARNING"}
    servers.enter_context(embedded.servers(home, durable=False))


prepare()


def pytest_unconfigure(config: pytest.Config) -> None:
    servers.close()
