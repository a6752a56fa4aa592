"""Queries that the ORM builds once and PostgreSQL plans once, for what is asked again and again.

Building and compiling a query costs more CPU than fetching its rows: a request that reads one page spends most of its
time there. A `Statement` is compiled at its first use, with a `Parameter` wherever a value will differ, and kept
prepared by each connection.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from functools import cached_property
from typing import Any, TypeVar, cast

import psycopg
from django.db import DEFAULT_DB_ALIAS, connection, connections
from django.db.models import Expression, Field, Model, QuerySet
from psycopg.adapt import Loader
from psycopg.pq import Format

Row = tuple[Any, ...]
M = TypeVar("M", bound=Model)


class Parameter(Expression):
    """A value that is not known yet."""

    def __init__(self, name: str, output_field: "Field[Any, Any] | None" = None) -> None:
        super().__init__(output_field=output_field)
        self.name = name

    def as_sql(self, compiler: Any, connection: Any) -> tuple[str, tuple[Any, ...]]:
        return "%s", (self,)


class Statement:
    """A query, compiled at its first use; `build` answers a `values_list`."""

    def __init__(
        self, build: Callable[[], QuerySet[Any, Any]], *, head: str = "", tail: str = "", loaders: Any = ()
    ) -> None:
        self.build, self.head, self.tail, self.loaders = build, head, tail, tuple(loaders)

    @cached_property
    def compiled(self) -> tuple[str, tuple[Any, ...]]:
        text, places = self.build().query.sql_with_params()
        return f"{self.head} {text} {self.tail}", places

    def rows(self, *tail: Any, **values: Any) -> list[Row]:
        text, places = self.compiled
        filled = [values[place.name] if isinstance(place, Parameter) else place for place in places]
        return ask(text, [*filled, *tail], loaders=self.loaders)


class PreparedCursor(psycopg.Cursor[Row]):
    """Sends the values apart from the text, which stays prepared; Django's own cursors write them into it."""

    def execute(self, query: Any, params: Any = None, **_: Any) -> "PreparedCursor":
        super().execute(query, params, prepare=True, binary=self.format is Format.BINARY)
        return self


def ask(
    text: str, values: Sequence[Any] | Mapping[str, Any], *, loaders: Sequence[tuple[str, type[Loader]]] = ()
) -> list[Row]:
    """Run a prepared statement, of which some answer no rows; whoever listens to Django's queries hears it too."""
    # Asked for once: each look through Django's `connection` finds the thread's own anew.
    own = connections[DEFAULT_DB_ALIAS]
    own.close_if_health_check_failed()
    own.ensure_connection()
    prepared = PreparedCursor(own.connection)
    for name, loader in loaders:
        prepared.adapters.register_loader(name, loader)
    # In binary, unless a loader wants the text.
    prepared.format = Format.TEXT if loaders else Format.BINARY
    wrapped = own.make_debug_cursor if own.queries_logged else own.make_cursor
    with wrapped(cast(Any, prepared)) as cursor:
        cursor.execute(text, values)
        return prepared.fetchall() if prepared.pgresult and prepared.pgresult.nfields else []


def columns_of(model: type[Model], path: str = "", *, only: Collection[str] = ()) -> list[str]:
    """What `model_of` needs, for `values_list`: all or some; `path` leads to a related model."""
    return [f"{path}{name}" for name in _names(model, only)]


def model_of(model: type[M], row: Row, *, only: Collection[str] = ()) -> M:
    return model.from_db(connection.alias, _names(model, only), row)


def _names(model: type[Model], only: Collection[str]) -> list[str]:
    return [field.attname for field in model._meta.concrete_fields if not only or field.attname in only]
