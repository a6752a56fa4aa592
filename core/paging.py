"""Lists in pages that cost the same at the millionth row as at the first.

A cursor names the last row seen, and the next page is everything beyond it: a comparison of whole rows
`(created_at, id) < (…)`, which PostgreSQL answers from one place in the index. No OFFSET, no COUNT.
"""

import base64
import binascii
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

import orjson
from django.core.exceptions import ValidationError
from django.db.models import F, QuerySet, Value
from django.db.models.fields.tuple_lookups import Tuple, TupleGreaterThan, TupleLessThan
from rest_framework.pagination import BasePagination
from rest_framework.request import Request

from core.errors import Invalid
from core.rows import json_rows

PAGE_SIZE = 20
LARGEST_PAGE = 100
LONGEST_CURSOR = 300


@dataclass(frozen=True, slots=True)
class Cursor:
    """The row to go on from, and the way to go."""

    values: list[Any]
    backwards: bool = False

    def encode(self) -> str:
        raw = orjson.dumps([int(self.backwards), *self.values])
        return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def page_of(
    request: Request,
    rows: QuerySet[Any],
    *,
    fields: tuple[str, ...],
    order: tuple[str, ...],
    descending: bool = True,
) -> dict[str, Any]:
    """Answer the page of `rows` (a `.values()` query) that the request asks for; `order` must be indexed and unique."""
    size, cursor = _page_size(request), _cursor(request, rows, order)
    backwards = cursor is not None and cursor.backwards
    found = json_rows(_beyond(rows, order, cursor, falling=descending is not backwards)[: size + 1], fields)
    more, found = len(found) > size, found[:size]
    if backwards:
        found.reverse()
    has_next, has_previous = (True, more) if backwards else (more, cursor is not None)
    return {
        "next": _link(request, order, found[-1:], backwards=False) if has_next else None,
        "previous": _link(request, order, found[:1], backwards=True) if has_previous else None,
        "results": found,
    }


def _beyond(
    rows: QuerySet[Any, Any], order: tuple[str, ...], cursor: Cursor | None, *, falling: bool
) -> QuerySet[Any, Any]:
    rows = rows.order_by(*(f"-{name}" if falling else name for name in order))
    if cursor is None:
        return rows
    here = Tuple(*(F(name) for name in order))
    fields = [rows.model._meta.get_field(name) for name in order]
    there = tuple(Value(value, field) for value, field in zip(cursor.values, fields, strict=True))
    return rows.filter(TupleLessThan(here, there) if falling else TupleGreaterThan(here, there))


def _page_size(request: Request) -> int:
    text = request.query_params.get("page_size", str(PAGE_SIZE))
    if not (text.isascii() and text.isdigit() and len(text) <= 3 and 1 <= int(text) <= LARGEST_PAGE):
        raise Invalid(details={"page_size": [f"A whole number from 1 to {LARGEST_PAGE}."]})
    return int(text)


def _cursor(request: Request, rows: QuerySet[Any, Any], order: tuple[str, ...]) -> Cursor | None:
    text = request.query_params.get("cursor", "")
    if not text:
        return None
    try:
        backwards, *values = orjson.loads(base64.urlsafe_b64decode(text[:LONGEST_CURSOR] + "=" * (-len(text) % 4)))
        fields = [rows.model._meta.get_field(name) for name in order]
        clean = [field.to_python(value) for field, value in zip(fields, values, strict=True)]
        return Cursor(clean, backwards=bool(backwards))
    except (binascii.Error, ValueError, TypeError, ArithmeticError, ValidationError) as error:
        raise Invalid(details={"cursor": ["This cursor is not one of ours."]}) from error


def _link(request: Request, order: tuple[str, ...], rows: list[dict[str, Any]], *, backwards: bool) -> str | None:
    if not rows:
        return None
    cursor = Cursor([rows[0][name] for name in order], backwards=backwards).encode()
    query = {**request.query_params.dict(), "cursor": cursor}
    return f"{request.scheme}://{request.get_host()}{request.path}?{urlencode(query)}"


class KeysetPagination(BasePagination):
    """What `page_of` does, told to the schema generator."""

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
            {"name": "page_size", "in": "query", "description": "Rows on a page.", "schema": size},
        ]
