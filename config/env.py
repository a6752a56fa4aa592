"""What the environment says, and everything that is wrong with it, in one list."""

import os
import secrets
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import environ
from django.core.exceptions import ImproperlyConfigured

from core import embedded

BASE_DIR = Path(__file__).resolve().parent.parent
SHORTEST_SECRET = 40
TRANSACTION_POOLER_PORT = 6543

env = environ.Env()


def assume_bare_machine() -> None:
    """Choose development where nothing in the environment hints at a deployment."""
    hints = ("DEBUG", "SECRET_KEY", "DATABASE_URL", "SUPABASE_DB_URL")
    if not any(os.environ.get(name) for name in hints):
        os.environ["DEBUG"] = "true"


def local_dir() -> Path:
    return Path(env.str("WHYRAL_HOME", default=str(BASE_DIR / ".local")))


def database_url() -> str:
    return str(env.str("DATABASE_URL", default="") or env.str("SUPABASE_DB_URL", default=""))


def uses_embedded_servers() -> bool:
    return env.bool("DEBUG", default=False) and not (database_url() and env.str("REDIS_URL", default=""))


def development_secret() -> str:
    """A key of this checkout's own, kept so that tokens outlive a restart and never shared between machines."""
    path = local_dir() / "secret_key"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        fresh = path.with_suffix(f".{os.getpid()}")
        fresh.touch(mode=0o600)
        fresh.write_text(secrets.token_urlsafe(64))
        fresh.rename(path)
    return path.read_text().strip()


def within(least: float, most: float, name: str, number: float) -> float:
    """The number, if it means something; any other stops the start, rather than what is reckoned with it later."""
    if not least <= number <= most:
        raise ImproperlyConfigured(f"{name} must be a number from {least:g} to {most:g}, not {number:g}.")
    return number


def databases() -> dict[str, dict[str, Any]]:
    config = env.db_url_config(database_url() or EMBEDDED_DATABASE_URL)
    config["HOST"] = unquote(config["HOST"])
    pool_size = env.int("DB_POOL_SIZE", default=8) if os.environ.get("WHYRAL_SERVES") == "web" else 0
    # A pooled web thread gives its connection back after each request; an unpooled worker keeps its own for ever, and
    # looks before each task whether it still lives, as the pool does for itself.
    config |= {"CONN_MAX_AGE": 0 if pool_size else None, "CONN_HEALTH_CHECKS": not pool_size}
    config["ENGINE"] = "core.postgres"
    options = config.setdefault("OPTIONS", {})
    options.setdefault("connect_timeout", 2)
    options.setdefault("application_name", "web" if pool_size else "worker")
    if pool_size:
        options["pool"] = {"min_size": 1, "max_size": pool_size, "timeout": 1.0, "name": "web"}
    if config["PORT"] == TRANSACTION_POOLER_PORT:
        # Such a pooler hands each transaction another session: no server-side cursors, no session settings.
        return {"default": config | {"DISABLE_SERVER_SIDE_CURSORS": True}}
    # Prepared statements live in a session too, so only here.
    options["prepare_threshold"] = 5
    # A migration may take longer than any request should: it sets this to 0.
    statement = env.str("DB_STATEMENT_TIMEOUT", default="15s")
    limits = {"statement_timeout": statement, "lock_timeout": "5s", "idle_in_transaction_session_timeout": "60s"}
    options["options"] = " ".join(f"-c {name}={value}" for name, value in limits.items())
    return {"default": config}


def check_production() -> None:
    """Stop the start with every problem named at once, rather than one at each attempt."""
    problems = [sentence for wrong, sentence in _production_rules() if wrong]
    if problems:
        raise ImproperlyConfigured("Whyral cannot start in production (DEBUG is off):\n  - " + "\n  - ".join(problems))


def _production_rules() -> list[tuple[bool, str]]:
    secret, hosts = env.str("SECRET_KEY", default=""), env.list("ALLOWED_HOSTS", default=[])
    weak = len(secret) < SHORTEST_SECRET or len(set(secret)) < 10 or secret.startswith("django-insecure")
    origins = env.list("CORS_ALLOWED_ORIGINS", default=[])
    return [
        (not secret, "SECRET_KEY is missing."),
        (bool(secret) and weak, f"SECRET_KEY is weak: at least {SHORTEST_SECRET} random characters."),
        (not hosts, "ALLOWED_HOSTS is missing: the host names this service answers to, separated by commas."),
        ("*" in hosts, "ALLOWED_HOSTS must name hosts; * accepts forged Host headers."),
        ("*" in origins, "CORS_ALLOWED_ORIGINS must name origins; * is refused."),
        (not database_url(), "DATABASE_URL (or SUPABASE_DB_URL) is missing."),
        (not env.str("REDIS_URL", default=""), "REDIS_URL is missing."),
        (not env.str("PUBLIC_URL", default=""), "PUBLIC_URL is missing: mails link to it."),
        (
            not _set("CLERK_SECRET_KEY") and env.str("EMAIL_URL", default="console").startswith("console"),
            "EMAIL_URL is missing: links that set a new password would be printed into the log.",
        ),
        (
            env.bool("SECURE_SSL_REDIRECT", default=True) and not env.int("TRUSTED_PROXIES", default=0),
            "TRUSTED_PROXIES is missing: without it every request is sent to HTTPS again, for ever.",
        ),
        *_pairs(),
        (
            _set("SENTRY_DSN") and not find_spec("sentry_sdk"),
            "SENTRY_DSN is set, but the `sentry` extra is not installed.",
        ),
    ]


def _pairs() -> list[tuple[bool, str]]:
    """Keys that are useless, or dangerous, without their partner."""
    partners = [
        ("CLERK_SECRET_KEY", "CLERK_PUBLISHABLE_KEY", "it names the issuer of the tokens"),
        ("CLERK_SECRET_KEY", "CLERK_WEBHOOK_SECRET", "webhooks cannot be trusted without it"),
        ("CLERK_SECRET_KEY", "CLERK_AUTHORIZED_PARTIES", "the origins whose tokens are accepted"),
        ("DODO_API_KEY", "DODO_WEBHOOK_SECRET", "webhooks cannot be trusted without it"),
        ("STRIPE_SECRET_KEY", "STRIPE_WEBHOOK_SECRET", "webhooks cannot be trusted without it"),
        ("SUPABASE_URL", "SUPABASE_SECRET_KEY", "storage cannot be reached without it"),
    ]
    return [(_set(key) and not _set(partner), f"{partner} is missing: {why}.") for key, partner, why in partners]


def _set(name: str) -> bool:
    return bool(env.str(name, default=""))


# Known before the servers run, so that every process of a checkout finds the same ones.
EMBEDDED_DATABASE_URL = embedded.database_url(local_dir())
EMBEDDED_REDIS_URL = embedded.redis_url(local_dir())
EMBEDDED_BROKER_URL = embedded.broker_url(local_dir())
