"""Looking at a database as browsers at Supabase do: with their roles, and the claims of a token."""

import json
from io import StringIO
from pathlib import Path
from typing import Any

from django.core.management import call_command
from django.db import connection, transaction
from psycopg import sql

from accounts.models import User
from analysis.history import tell
from analysis.models import PostAnalysis, PostAnalysisRequest
from analysis.tests.fakes import make_request

SUPABASE = (Path(__file__).parent / "realtime.sql").read_text()
REQUESTS, POSTS, HISTORY = "analysis_postanalysisrequest", "analysis_postanalysis", "analysis_analysisstatushistory"
WATCHED = (REQUESTS, POSTS, HISTORY)


def about(text: str, *names: str) -> sql.Composed:
    """A statement with the names of tables and columns in its brackets."""
    return sql.SQL(text).format(*map(sql.Identifier, names))


def run(text: str | sql.Composable, *values: Any) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(text, values or None)
        return cursor.fetchall() if cursor.description else []


def set_up(*options: str) -> str:
    out = StringIO()
    # Within a test's one transaction; the command has one of its own.
    run("SET CONSTRAINTS ALL IMMEDIATE")
    call_command("supabase_setup", *options, stdout=out)
    return out.getvalue()


def look(
    text: str | sql.Composable, claims: str | None = None, *, role: str = "authenticated", topic: str = ""
) -> list[tuple[Any, ...]]:
    """What a query answers to a browser with these claims."""
    with transaction.atomic():
        run("SELECT set_config('request.jwt.claims', %s, true), set_config('realtime.topic', %s, true)", claims, topic)
        run(about("SET LOCAL ROLE {}", role))
        rows = run(text)
        transaction.set_rollback(True)  # the role goes with it
    return rows


def ids_seen(table: str, claims: str | None = None, **more: str) -> set[Any]:
    return {row[0] for row in look(about("SELECT id FROM {}", table), claims, **more)}


def claims_of(user: User) -> str:
    subject = str(user.pk) if user.provider == "local" else user.provider_id
    return json.dumps({"sub": subject, "role": "authenticated"})


def make_told(user: User) -> tuple[PostAnalysisRequest, list[PostAnalysis]]:
    """A request of two posts, with a history."""
    request, posts = make_request(user, posts=2)
    tell(request, posts[0].pk, "one_begins", "One begins.")
    return request, posts
