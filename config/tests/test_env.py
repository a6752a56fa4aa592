"""What a production start insists on, and what each kind of database needs."""

import os
import secrets
import subprocess
import sys

import pytest

GOOD = {
    "DEBUG": "false",
    "SECRET_KEY": secrets.token_urlsafe(64),
    "ALLOWED_HOSTS": "whyral.example",
    "DATABASE_URL": "postgresql://user:pass@database.example/whyral",
    "REDIS_URL": "redis://redis.example/0",
    "PUBLIC_URL": "https://whyral.example",
    "EMAIL_URL": "smtp://mail.example",
    "TRUSTED_PROXIES": "1",
}


def start(script="import django; django.setup()", **environment):
    kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    return subprocess.run(
        [sys.executable, "-c", script],
        env={**kept, "DJANGO_SETTINGS_MODULE": "config.settings", **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_complete_environment_starts():
    answer = start(**GOOD)
    assert (answer.returncode, answer.stderr) == (0, "")


def test_everything_missing_is_named_in_one_go():
    said = start(DEBUG="false").stderr
    for name in (
        "SECRET_KEY",
        "ALLOWED_HOSTS",
        "DATABASE_URL",
        "REDIS_URL",
        "PUBLIC_URL",
        "EMAIL_URL",
        "TRUSTED_PROXIES",
    ):
        assert f"  - {name}" in said


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("SECRET_KEY", "short", "SECRET_KEY is weak"),
        ("SECRET_KEY", "a" * 80, "SECRET_KEY is weak"),
        ("SECRET_KEY", "django-insecure-" + secrets.token_urlsafe(64), "SECRET_KEY is weak"),
        ("ALLOWED_HOSTS", "*", "ALLOWED_HOSTS must name hosts"),
        ("CORS_ALLOWED_ORIGINS", "*", "CORS_ALLOWED_ORIGINS must name origins"),
        ("CLERK_SECRET_KEY", "sk_live_x", "CLERK_WEBHOOK_SECRET is missing"),
        ("DODO_API_KEY", "x", "DODO_WEBHOOK_SECRET is missing"),
        ("STRIPE_SECRET_KEY", "x", "STRIPE_WEBHOOK_SECRET is missing"),
        ("SELF_HOSTED_LLM_MODEL", "/models/" + "m" * 80, "A model's name has at most 80 characters"),
    ],
)
def test_a_weak_value_is_refused(name, value, sentence):
    answer = start(**{**GOOD, name: value})
    assert answer.returncode != 0
    assert sentence in answer.stderr


@pytest.mark.parametrize(
    ("name", "value"), [("VERDICT_MATURE_SHARE", "1.5"), ("VERDICT_FURTHEST", "0"), ("VERDICT_UNDER", "-1")]
)
def test_a_line_that_no_verdict_can_be_drawn_at_is_refused(name, value):
    refused = start(**{**GOOD, name: value})
    assert refused.returncode != 0
    assert f"{name} must be a number from" in refused.stderr


def test_embedded_servers_are_never_used_in_production():
    script = "from config.env import uses_embedded_servers; print(uses_embedded_servers())"
    assert start(script, DEBUG="false").stdout.strip() == "False"
    assert start(script, SECRET_KEY="x").stdout.strip() == "False"


@pytest.mark.parametrize("hint", ["DEBUG", "SECRET_KEY", "DATABASE_URL", "SUPABASE_DB_URL"])
def test_only_a_bare_machine_is_taken_for_a_development_machine(hint):
    script = "from config import env; import os; env.assume_bare_machine(); print(os.environ.get('DEBUG'))"
    assert start(script).stdout.strip() == "true"
    assert start(script, **{hint: "false"}).stdout.strip() != "true"


def test_a_transaction_pooler_gets_no_session_settings():
    script = "from config.env import databases; print(databases()['default'])"
    direct = start(script, DATABASE_URL="postgresql://u:p@h:5432/d").stdout
    pooled = start(script, SUPABASE_DB_URL="postgresql://u:p@h:6543/d").stdout
    assert "statement_timeout" in direct
    assert "statement_timeout" not in pooled
    assert "'DISABLE_SERVER_SIDE_CURSORS': True" in pooled
