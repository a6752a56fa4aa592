"""Lists in pages that cost the same at the millionth row as at the first.

A cursor names the last row seen, and the next page is everything beyond it: a comparison of whole rows
`(created_at, id) < (…)`, which PostgreSQL answers from one place in the index. No OFFSET, no COUNT.
"""

import base64
import binascii
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any
from urllib.parse import urlencode

import orjson
from django.core.exceptions import ValidationError
from django.db.models import F, Field, QuerySet
from django.db.models.fields.tuple_lookups import Tuple, TupleGreaterThan, TupleLessThan
from rest_framework.pagination import BasePagination
from rest_framework.request import Request

from core.errors import Invalid
from core.rows import STRAIGHT_TO_JSON
from core.statements import Parameter, Statement

PAGE_SIZE = 20
LARGEST_PAGE = 100
LONGEST_CURSOR = 300
# Before the names of the values that a cursor brings.
AFTER = "after_"


@dataclass(frozen=True, slots=True)
class Cursor:
    """The row to go on from, and the way to go."""

    values: list[Any]
    backwards: bool = False

    def encode(self) -> str:
        raw = orjson.dumps([int(self.backwards), *self.values])
        return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


class Listing:
    """A list to be read by pages; `rows` answers the query, given the names of the values that narrow it.

    A page never has more than `largest` rows, whatever is asked for: for rows that may be long.
    `order` must be indexed and unique. The query is built with a `Parameter` for each name, once for each set of them.
    """

    def __init__(
        self,
        rows: Callable[[Collection[str]], QuerySet[Any, Any]],
        *,
        fields: Iterable[str],
        order: tuple[str, ...],
        descending: bool = True,
        largest: int = LARGEST_PAGE,
    ) -> None:
        self.largest = largest
        self.rows, self.fields, self.order, self.descending = rows, tuple(fields), order, descending
        self.statements: dict[tuple[frozenset[str], bool, bool], Statement] = {}

    @cached_property
    def order_fields(self) -> "list[Field[Any, Any]]":
        model = self.rows(()).model
        return [model._meta.get_field(name) for name in self.order]

    def page(self, request: Request, given: Mapping[str, Any]) -> dict[str, Any]:
        """Answer the page that the request asks for."""
        size, cursor = min(_page_size(request), self.largest), self._cursor(request)
        backwards = cursor is not None and cursor.backwards
        found = self._read(given, cursor, size + 1)
        more, found = len(found) > size, found[:size]
        if backwards:
            found.reverse()
        has_next, has_previous = (True, more) if backwards else (more, cursor is not None)
        return {
            "next": self._link(request, found[-1:], backwards=False) if has_next else None,
            "previous": self._link(request, found[:1], backwards=True) if has_previous else None,
            "results": found,
        }

    def _read(self, given: Mapping[str, Any], cursor: Cursor | None, count: int) -> list[dict[str, Any]]:
        falling = self.descending is not (cursor is not None and cursor.backwards)
        statement = self._statement(frozenset(given), after=cursor is not None, falling=falling)
        there = zip(self.order, cursor.values, strict=True) if cursor else ()
        rows = statement.rows(count, **given, **{AFTER + name: value for name, value in there})
        return [dict(zip(self.fields, row, strict=True)) for row in rows]

    def _statement(self, given: frozenset[str], *, after: bool, falling: bool) -> Statement:
        key = (given, after, falling)
        if key not in self.statements:
            build = partial(self._query, given, after=after, falling=falling)
            self.statements[key] = Statement(build, tail="LIMIT %s", loaders=STRAIGHT_TO_JSON)
        return self.statements[key]

    def _query(self, given: Collection[str], *, after: bool, falling: bool) -> QuerySet[Any, Any]:
        rows = self.rows(given).order_by(*(f"-{name}" if falling else name for name in self.order))
        if after:
            here = Tuple(*(F(name) for name in self.order))
            there = tuple(Parameter(AFTER + field.name, field) for field in self.order_fields)
            rows = rows.filter(TupleLessThan(here, there) if falling else TupleGreaterThan(here, there))
        return rows.values_list(*self.fields)

    def _cursor(self, request: Request) -> Cursor | None:
        text = request.query_params.get("cursor", "")
        if not text:
            return None
        try:
            backwards, *values = orjson.loads(base64.urlsafe_b64decode(text[:LONGEST_CURSOR] + "=" * (-len(text) % 4)))
            clean = [field.to_python(value) for field, value in zip(self.order_fields, values, strict=True)]
            return Cursor(clean, backwards=bool(backwards))
        except (binascii.Error, ValueError, TypeError, ArithmeticError, ValidationError) as error:
            raise Invalid(details={"cursor": ["This cursor is not one of ours."]}) from error

    def _link(self, request: Request, rows: list[dict[str, Any]], *, backwards: bool) -> str | None:
        if not rows:
            return None
        cursor = Cursor([rows[0][name] for name in self.order], backwards=backwards).encode()
        query = {**request.query_params.dict(), "cursor": cursor}
        return f"{request.scheme}://{request.get_host()}{request.path}?{urlencode(query)}"


def _page_size(request: Request) -> int:
    text = request.query_params.get("page_size", str(PAGE_SIZE))
    if not (text.isascii() and text.isdigit() and len(text) <= 3 and 1 <= int(text) <= LARGEST_PAGE):
        raise Invalid(details={"page_size": [f"A whole number from 1 to {LARGEST_PAGE}."]})
    return int(text)


class KeysetPagination(BasePagination):
    """What `Listing` does, told to the schema generator."""

    def get_paginated_response_schema(self, schema: dict[str, Any]) -> dict[str, Any]:
        link = {"type": ["string", "null"], "format": "uri"}
        properties = {
            "next": {**link, "description": "The page after this one; null at the end.", "example": None},
            "previous": {**link, "description": "The page before this one; null at the beginning.", "example": None},
            "results": schema,
        }
        return {"type": "object", "required": list(properties), "properties": properties}

    def get_schema_operation_parameters(self, view: Any) -> list[dict[str, Any]]:
        size = {"type": "integer", "minimum": 1, "maximum": LARGEST_PAGE, "default": PAGE_SIZE}
        cursor = {"type": "string", "pattern": "^[A-Za-z0-9_-]*$", "maxLength": LONGEST_CURSOR}
        return [
            {"name": "cursor", "in": "query", "description": "Taken from `next` or `previous`.", "schema": cursor},
            {"name": "page_size", "in": "query", "description": "Rows on a page, at most.", "schema": size},
        ]
