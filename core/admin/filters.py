"""Filters that never read a table to know what can be chosen, and what an index can do for them."""

from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from typing import Any

from django.contrib.admin import FieldListFilter, SimpleListFilter
from django.db.models import Model, QuerySet, UniqueConstraint
from django.http import HttpRequest
from django.utils.dateparse import parse_datetime

Choices = Iterable[str] | Callable[[], Iterable[str]]


def one_of(field: str, choices: Choices) -> type[SimpleListFilter]:
    """A filter by one of these values; Django's own would ask the table for its DISTINCT values."""

    class OneOf(SimpleListFilter):
        title = parameter_name = field

        def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
            return [(value, value) for value in (choices() if callable(choices) else choices)]

        def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
            return queryset.filter(**{field: self.value()}) if self.value() else queryset

    OneOf.title = field.replace("_", " ")
    return OneOf


class Between(FieldListFilter):
    """From one moment to another, both UTC, either of them open."""

    template = "core/between.html"

    def __init__(self, field: Any, request: HttpRequest, params: dict[str, Any], *rest: Any, **more: Any) -> None:
        super().__init__(field, request, params, *rest, **more)
        self.title = field.verbose_name

    def expected_parameters(self) -> list[str | None]:
        return [*self._names()]

    def _names(self) -> list[str]:
        return [f"{self.field_path}_from", f"{self.field_path}_until"]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        for name, lookup in zip(self._names(), ("gte", "lt"), strict=True):
            if moment := self._moment(name):
                queryset = queryset.filter(**{f"{self.field_path}__{lookup}": moment})
        return queryset

    def choices(self, changelist: Any) -> Iterator[Any]:
        """One form: its own two fields, and what else the list is narrowed by."""
        kept = {name: values for name, values in changelist.filter_params.items() if name not in self._names()}
        moments = {name: self._moment(name) for name in self._names()}
        fields = [
            {"name": name, "label": label, "value": moment.strftime("%Y-%m-%dT%H:%M") if moment else ""}
            for (name, moment), label in zip(moments.items(), ("From", "Until"), strict=True)
        ]
        yield {"fields": fields, "kept": [(name, value) for name, values in kept.items() for value in values]}

    def _moment(self, name: str) -> datetime | None:
        given = self.used_parameters.get(name)
        text = str(given[-1] if isinstance(given, list) else given or "")
        try:
            moment = parse_datetime(text)
        except ValueError:
            return None
        return moment if moment is None or moment.tzinfo else moment.replace(tzinfo=UTC)


def with_index(spec: Any, request: HttpRequest, rows: QuerySet[Any]) -> QuerySet[Any] | None:
    """The rows that a filter finds by an index which also has the list's order; None where there is no such index."""
    if hasattr(spec, "with_index"):
        found: QuerySet[Any] | None = spec.with_index(request, rows)
        return found
    name = getattr(spec, "field_path", None) or getattr(spec, "parameter_name", "")
    # A range of such a column is not in the list's order any more.
    return (
        None if isinstance(spec, Between) or name not in leading_columns(rows.model) else spec.queryset(request, rows)
    )


def leading_columns(model: type[Model]) -> set[str]:
    """The columns that an index of the whole table begins with."""
    columns: Iterable[Any] = model._meta.concrete_fields
    fields = {field.name for field in columns if field.unique or field.db_index}
    unique = [each for each in model._meta.constraints if isinstance(each, UniqueConstraint) and not each.condition]
    indexes = [index for index in model._meta.indexes if not index.condition]
    return fields | {_first_column(each) for each in (*unique, *indexes)}


def _first_column(index: Any) -> str:
    if index.fields:
        return str(index.fields[0]).removeprefix("-")
    return str(getattr(index.expressions[0], "name", ""))
