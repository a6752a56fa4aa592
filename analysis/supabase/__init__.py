"""What lets a browser watch its own analyses through Supabase, and keeps it away from everything else (0026)."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, cast

from django.db import connection, models, transaction
from django.db.migrations.recorder import MigrationRecorder
from psycopg import sql

from accounts.identity import PROVIDERS
from analysis import bodies, events
from analysis.models import AnalysisStatusHistory, PostAnalysis, PostAnalysisRequest
from core.errors import NotConfigured

# What the API shows of each, and the plain columns behind what it computes.
WATCHED: dict[type[models.Model], tuple[str, ...]] = {
    PostAnalysisRequest: (*bodies.OF_REQUEST, "progress_points"),
    PostAnalysis: (*bodies.OF_POST, "cost_micros"),
    AnalysisStatusHistory: (*events.OF_ROW, "request_id"),
}
BROWSERS = ("anon", "authenticated")
# Whoever waits for a lock makes the pipeline wait behind it.
LOCK_TIMEOUT = "2s"
ADVISORY_LOCK = 0x77687973

State = dict[str, str]


@dataclass(frozen=True, slots=True)
class Change:
    """What a run made of the database, or would make of it."""

    before: State
    after: State
    left_open: list[str]


class RolesMissing(NotConfigured):
    """The roles anon and authenticated are Supabase's, and are not in this database."""


@dataclass(frozen=True, slots=True)
class _Relation:
    """A table or a sequence of ours, its name as SQL writes it."""

    name: str
    is_sequence: bool
    has_security: bool


@transaction.atomic
def set_up(*, apply: bool, create_roles: bool = False) -> Change:
    """Close every table of ours to browsers and let them watch their own analyses; safe to be run at any time."""
    before = _begin(create_roles=create_roles)
    relations = _relations()
    _run(
        _revoke(relations),
        _switch(relations, on=True),
        _script("set_up"),
        _show(),
        *([_script("listen")] if _has_realtime() else []),
    )
    return _end(before, shown=WATCHED, apply=apply)


@transaction.atomic
def remove(*, apply: bool) -> Change:
    """Take everything away again; the tables stay without grants, so nothing is opened by it."""
    before = _begin()
    unlisten = sql.SQL("DROP POLICY IF EXISTS whyral_status ON realtime.messages")
    relations = _relations()
    _run(*([unlisten] if _has_realtime() else []), _script("remove"), _revoke(relations), _switch(relations, on=False))
    return _end(before, shown={}, apply=apply)


def _begin(*, create_roles: bool = False) -> State:
    _ask("SELECT set_config('lock_timeout', %(most)s, true), pg_advisory_xact_lock(%(lock)s)",
         most=LOCK_TIMEOUT, lock=ADVISORY_LOCK)  # fmt: skip
    before = _state()
    missing = [role for role in BROWSERS if f"role {role}" not in before]
    if missing and not create_roles:
        raise RolesMissing(details={"roles": missing})
    _run(*(sql.SQL("CREATE ROLE {} NOLOGIN NOINHERIT").format(sql.Identifier(role)) for role in missing))
    return before


def _end(before: State, *, shown: dict[type[models.Model], tuple[str, ...]], apply: bool) -> Change:
    change = Change(before, _state(), _left_open(shown))
    # Without `apply` all of it was done, looked at, and is undone: what is told is what would happen.
    transaction.set_rollback(not apply)
    return change


def _switch(relations: Iterable[_Relation], *, on: bool) -> sql.Composable:
    """Row level security without a policy lets nobody in but the owner, which Django is."""
    switch = sql.SQL("ALTER TABLE {} ENABLE ROW LEVEL SECURITY" if on else "ALTER TABLE {} DISABLE ROW LEVEL SECURITY")
    # What is as it should be is not locked.
    others = [each for each in relations if not each.is_sequence and each.has_security is not on]
    return sql.SQL(";\n").join(switch.format(_quoted(each)) for each in others)


def _revoke(relations: Iterable[_Relation]) -> sql.Composable:
    revoke = sql.SQL("REVOKE ALL ON {} {} FROM anon, authenticated")
    kinds = {False: sql.SQL("TABLE"), True: sql.SQL("SEQUENCE")}
    return sql.SQL(";\n").join(revoke.format(kinds[each.is_sequence], _quoted(each)) for each in relations)


def _show() -> sql.Composable:
    grant = sql.SQL("GRANT SELECT ({}) ON {} TO authenticated")
    return sql.SQL(";\n").join(
        grant.format(sql.SQL(", ").join(map(sql.Identifier, _columns(model))), sql.Identifier(model._meta.db_table))
        for model in WATCHED
    )


def _columns(model: type[models.Model]) -> list[str]:
    stored = {field.attname for field in model._meta.concrete_fields}
    return [name for name in WATCHED[model] if name in stored]


def _relations() -> list[_Relation]:
    names = {*connection.introspection.django_table_names(), MigrationRecorder.Migration._meta.db_table}
    return [_Relation(*row) for row in _ask(_text("ours"), names=[*names])]


def _state() -> State:
    return dict(_ask(_text("state"), tables=[each.name for each in _relations()]))


def _left_open(shown: dict[type[models.Model], tuple[str, ...]]) -> list[str]:
    pairs = [(model._meta.db_table, column) for model in shown for column in _columns(model)]
    rows = _ask(
        _text("left_open"),
        tables=[each.name for each in _relations()],
        shown_tables=[table for table, _ in pairs],
        shown_columns=[column for _, column in pairs],
    )
    return sorted(words for (words,) in rows)


def _has_realtime() -> bool:
    [(has,)] = _ask(
        "SELECT to_regclass('realtime.messages') IS NOT NULL AND to_regprocedure('realtime.topic()') IS NOT NULL"
    )
    return bool(has)


def _script(name: str) -> sql.Composable:
    [(schema,)] = _ask("SELECT current_schema()")
    tables = {"requests": PostAnalysisRequest, "posts": PostAnalysis, "history": AnalysisStatusHistory}
    return sql.SQL(_text(name)).format(
        schema=sql.Identifier(schema),
        vouching=sql.Literal([provider for provider in PROVIDERS if provider != "local"]),
        pairs=sql.SQL(", ").join(_pairs()),
        **{name: sql.Identifier(schema, model._meta.db_table) for name, model in tables.items()},
    )


def _pairs() -> Iterator[sql.Composable]:
    for column in _columns(AnalysisStatusHistory):
        yield sql.SQL("{}, NEW.{}").format(sql.Literal(column), sql.Identifier(column))


def _quoted(relation: _Relation) -> sql.Composable:
    # PostgreSQL's own writing of the name, quoted where it must be.
    return sql.SQL(relation.name)


@cache
def _text(name: str) -> str:
    return (Path(__file__).parent / f"{name}.sql").read_text()


def _run(*scripts: sql.Composable) -> None:
    with connection.cursor() as cursor:
        for script in scripts:
            cursor.execute(script)


def _ask(text: str, **values: Any) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(text, values or None)
        return cast(list[tuple[Any, ...]], cursor.fetchall())
