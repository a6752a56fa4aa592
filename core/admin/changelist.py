"""The admin's list page, read by places and not by page numbers."""

import base64
from typing import Any

import orjson
from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.admin.views.main import PAGE_VAR
from django.core.exceptions import ValidationError
from django.core.paginator import Page, Paginator
from django.db import connection
from django.db.models import Model, QuerySet
from django.http import HttpRequest
from unfold.views import ChangeList

from core.admin.filters import with_index
from core.admin.look import READ_AT_ONCE, Look, Order, Place, look
from core.paging import LONGEST_CURSOR, Cursor

# The leaves, since a partitioned table has the sum of theirs; -1 stands for a table that was never analysed.
ESTIMATE = """
SELECT sum(greatest(reltuples, 0))::bigint FROM pg_class
WHERE oid = %(table)s::regclass AND relkind = 'r'
    OR oid IN (SELECT relid FROM pg_partition_tree(%(table)s::regclass) WHERE isleaf)
"""


class RowList(ChangeList):
    """Rows in an order that an index has, from a place onwards."""

    def get_queryset(self, request: HttpRequest, exclude_parameters: Any = None) -> QuerySet[Any]:
        specs, self.has_filters, unknown, _, self.has_active_filters = self.get_filters(request)
        if unknown or any("\0" in value for name, value in request.GET.items() if name != PAGE_VAR):
            # What no text can hold, and whatever no filter claims: a lookup by hand could ask for anything, a
            # password's first letter too.
            raise IncorrectLookupParameters
        self.filter_specs = specs
        self.clear_all_filters_qs = self.get_query_string(remove=self.get_filters_params())
        rows = self.root_queryset.order_by(*self.model_admin.get_ordering(request))
        rows, _ = self.model_admin.get_search_results(request, self.apply_select_related(rows), self.query)
        self.order = Order.of(rows)
        self.within, self.wanted = self._narrowed(request, rows)
        return self.wanted

    def _narrowed(self, request: HttpRequest, rows: QuerySet[Any]) -> tuple[QuerySet[Any], QuerySet[Any]]:
        """What one index finds in order, and what is wanted of that; the same where there is no more to it."""
        taken, left = bool(self.query), []
        for spec in (spec for spec in self.filter_specs if spec.used_parameters):
            if getattr(spec, "field_path", None) == self.order.names[0]:
                rows = spec.queryset(request, rows)
                continue
            indexed = None if taken else with_index(spec, request, rows)
            rows, taken = (rows, taken) if indexed is None else (indexed, True)
            left += [spec] if indexed is None or hasattr(spec, "with_index") else []
        wanted = rows
        for spec in left:
            wanted = spec.queryset(request, wanted)
        return rows, wanted

    def get_results(self, request: HttpRequest) -> None:
        start, backwards = self._start(request)
        seen = self.look(start, backwards=backwards)
        self.result_list = seen.rows[::-1] if backwards else seen.rows
        self.result_count = self.full_result_count = len(seen.rows)
        self.cut_short, self.is_first = seen.cut_short, start is None
        self._link(seen, start, backwards=backwards)
        self.show_full_result_count = self.can_show_all = self.multi_page = False
        self.show_admin_actions = True
        self.paginator = self.model_admin.get_paginator(request, self.wanted, self.list_per_page)

    def look(self, start: Place | None, *, backwards: bool = False) -> Look:
        order = self.order.reversed() if backwards else self.order
        return look(self.within, self.wanted, order=order, start=start, size=self.list_per_page)

    def _link(self, seen: Look, start: Place | None, *, backwards: bool) -> None:
        first, last = (self.order.place_of(self.result_list[end]) if self.result_list else None for end in (0, -1))
        if backwards:
            ahead, behind = last or start, seen.further
        else:
            ahead, behind = seen.further, first if start else None
        self.onwards = self._url(ahead, backwards=False)
        self.back = self._url(behind, backwards=True)

    def _url(self, place: Place | None, *, backwards: bool) -> str:
        if place is None:
            return ""
        return str(self.get_query_string({PAGE_VAR: Cursor([*place], backwards=backwards).encode()}))

    def _start(self, request: HttpRequest) -> tuple[Place | None, bool]:
        """The place that the address names; the beginning where it names none, or none that makes sense."""
        text = request.GET.get(PAGE_VAR, "")[:LONGEST_CURSOR]
        fields = [self.model._meta.get_field(name) for name in self.order.names]
        try:
            backwards, *values = orjson.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
            place = tuple(field.to_python(value) for field, value in zip(fields, values, strict=True))
        except (ValueError, TypeError, ValidationError):
            return None, False
        return place, bool(backwards)

    @property
    def first_url(self) -> str:
        return str(self.get_query_string())

    @property
    def about(self) -> str:
        """About how many rows the whole table has; nothing where this is not the whole table, or all of it."""
        whole = not (self.query or self.has_active_filters) and (self.onwards or self.back)
        return f"{estimated_rows(self.model):,}" if whole else ""

    @property
    def read(self) -> str:
        return f"{READ_AT_ONCE:,}"


def estimated_rows(model: type[Model]) -> int:
    """From the planner's own statistics."""
    with connection.cursor() as cursor:
        cursor.execute(ESTIMATE, {"table": model._meta.db_table})
        return int(cursor.fetchone()[0] or 0)


class UncountedPage(Page):  # type: ignore[type-arg]
    """Whether there is a next page is seen from the page itself."""

    def has_next(self) -> bool:
        return len(self.object_list) >= self.paginator.per_page


class Uncounted(Paginator):  # type: ignore[type-arg]
    """For what still wants page numbers, the autocomplete boxes: a few pages, never counted."""

    template_name = "core/pages.html"
    count = 1000

    def _get_page(self, *given: Any, **more: Any) -> UncountedPage:
        return UncountedPage(*given, **more)
