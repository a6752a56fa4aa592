"""What every admin page has in common: how it is read, searched, exported, and how an action asks first."""

from collections.abc import Callable
from typing import Any, ClassVar

from django import forms
from django.contrib import admin
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.admin.options import IncorrectLookupParameters, ShowFacets
from django.contrib.contenttypes.models import ContentType
from django.core.exceptions import PermissionDenied, ValidationError
from django.core.paginator import Paginator
from django.db.models import EmailField, Model, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, StreamingHttpResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from django.utils.text import capfirst
from unfold.admin import ModelAdmin
from unfold.forms import ActionForm

from core.admin.changelist import RowList, Uncounted
from core.admin.export import as_csv
from core.requests import SANE_ID

# A beginning that fits more people than this names nobody.
MOST_RELATED = 20


class TickedRows(ActionForm):
    """An action is for the rows that were ticked, never for all that a filter finds."""

    def clean_select_across(self) -> bool:
        return False


class Asked(forms.Form):
    """What an action needs to know before it begins; by itself only a yes."""

    confirmed = forms.CharField(widget=forms.HiddenInput, initial="yes")


class RowAdmin(ModelAdmin):
    """A page that stays fast: no COUNT over the table, no giant selects, one query for the related rows.

    `search_fields` are tried one after the other, exactly or by their beginning: name indexed columns only.
    """

    show_full_result_count = False
    show_facets = ShowFacets.NEVER
    list_per_page = 50
    list_fullwidth = True
    # One order, which an index has; sorting a table by any column would read all of it.
    sortable_by = ()
    ordering: ClassVar[Any] = ["-pk"]
    action_form = TickedRows
    change_list_template = "core/list.html"
    change_form_outer_before_template = "core/leads.html"
    # What an empty list says that nothing can be added to by hand.
    nothing: ClassVar[str] = "Nothing here."
    # The columns of an export; without any, those of the list that are columns of the table.
    export_fields: ClassVar[tuple[str, ...]] = ()

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[RowList]:
        return RowList

    def get_paginator(self, request: HttpRequest, queryset: QuerySet[Any], *rest: Any, **more: Any) -> Any:
        # The history of an object names its pages and their number; it is short enough to be counted.
        place = request.resolver_match
        kind = Paginator if place and str(place.url_name).endswith("_history") else Uncounted
        return kind(queryset, *rest, **more)

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        # By its name, and not "Select ... to view".
        context = {"title": _name_of(self.model), **(extra_context or {})}
        answer: HttpResponse = super().changelist_view(request, context)
        return answer

    def get_urls(self) -> list[URLPattern]:
        name = f"{self.opts.app_label}_{self.opts.model_name}_export"
        return [path("export/", self.admin_site.admin_view(self.export), name=name), *super().get_urls()]

    # Searching

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        term = search_term.strip()
        if not term:
            return queryset, False
        for field in self.get_search_fields(request):
            found = self._found(queryset, field, term)
            if found is not None:
                return found, False
        return queryset.none(), False

    def _found(self, rows: QuerySet[Any], field: str, term: str) -> QuerySet[Any] | None:
        """The rows that one field leads to; None where it leads nowhere, so that the next may be tried."""
        name, _, rest = field.partition("__")
        column = self.opts.get_field(name)
        if column.related_model and rest:
            keys = _keys(column.related_model, rest, term)
            return _of(rows, column, keys) if keys else None
        lookup = {field: _as_stored(column, term)}
        if not _exists(self.model, lookup):
            return None
        # By the order of the index that the beginning is found in.
        return rows.filter(**lookup).order_by(name) if rest == "startswith" else rows.filter(**lookup)

    # Exporting

    def export(self, request: HttpRequest) -> HttpResponse | StreamingHttpResponse:
        """The list, as it is searched and filtered, as CSV."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        try:
            rows = self.get_changelist_instance(request)
        except IncorrectLookupParameters:
            return HttpResponseRedirect("../")
        self._note_export(request)
        return as_csv(rows.within, rows.wanted, order=rows.order, columns=self.get_export_fields(request))

    def get_export_fields(self, request: HttpRequest) -> list[str]:
        columns = {field.name: field.attname for field in self.opts.concrete_fields}
        listed = self.export_fields or [self.opts.pk.name, *self.get_list_display(request)]
        return list(dict.fromkeys(columns[name] for name in listed if name in columns))

    def _note_export(self, request: HttpRequest) -> None:
        # The names of the filters and not their values, which may say who somebody is.
        by = ", ".join(sorted(name for name in request.GET if name != "p")) or "nothing"
        LogEntry.objects.create(
            user_id=str(request.user.pk),
            content_type=ContentType.objects.get_for_model(self.model),
            object_repr=str(self.opts.verbose_name_plural),
            action_flag=CHANGE,
            change_message=f"Exported, narrowed by {by}.",
        )

    # Asking first

    def ask(
        self,
        request: HttpRequest,
        rows: list[Any],
        *,
        action: str,
        question: str,
        form: forms.Form | None = None,
        tell: Callable[[Any], str] = str,
    ) -> TemplateResponse:
        """The page between choosing an action and doing it; it tells what each row is."""
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": question,
            "rows": [(row.pk, tell(row)) for row in rows],
            "action": action,
            "form": form or Asked(),
            "back": request.get_full_path(),
        }
        return TemplateResponse(request, "core/ask.html", context)

    def note(self, request: HttpRequest, rows: list[Any], what: str) -> None:
        """Keep who did it, in the history of each row."""
        LogEntry.objects.log_actions(str(request.user.pk), rows, CHANGE, what)

    # Leading on

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        leads = [*self.leads(request, object_id)]
        context = {**(extra_context or {}), "leads": leads}
        answer: HttpResponse = super().change_view(request, object_id, form_url, context)
        return answer

    def leads(self, request: HttpRequest, object_id: str) -> list[tuple[str, str]]:
        """Where else to look from a row: titles and addresses. Every list that can be searched by this row's key."""
        return [
            (_name_of(model), f"{_list_of(model)}?q={object_id}")
            for model, page in self.admin_site._registry.items()
            if any(_leads_to(model, name, self.model) for name in page.get_search_fields(request))
            and page.has_view_permission(request)
        ]


class ReadOnlyAdmin(RowAdmin):
    """For history, which nobody may edit."""

    # Columns that a row's own page tells as its list does.
    told_by: ClassVar[dict[str, str]] = {}

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def get_fields(self, request: HttpRequest, obj: Model | None = None) -> Any:
        """Every column, those too that a form would leave out; the time first."""
        if self.fields:
            return self.fields
        hidden = {self.opts.pk.name, *(self.exclude or ())}
        names = [field.name for field in self.opts.concrete_fields if field.name not in hidden]
        return [self.told_by.get(name, name) for name in sorted(names, key=lambda name: name != "created_at")]


class Threaded:
    """For rows that carry a request's id: it leads to everything else that carries it."""

    @admin.display(description="thread")
    def thread(self, row: Any) -> str:
        return thread_link(row.request_id, row.request_id[-8:])

    @admin.display(description="thread of request")
    def whole_thread(self, row: Any) -> str:
        return thread_link(row.request_id, row.request_id)


def thread_link(request_id: str, text: str) -> str:
    if not SANE_ID.fullmatch(request_id):
        return request_id or "-"
    link = '<a href="{}" class="whyral-id" title="{}">{}</a>'
    return format_html(link, reverse("admin:thread", args=[request_id]), request_id, text)


def counted(number: int, one: str, several: str) -> str:
    """A number and what there are so many of."""
    return f"{number:,} {one if number == 1 else several}"


def _name_of(model: type[Model]) -> str:
    return capfirst(str(model._meta.verbose_name_plural))


def _list_of(model: type[Model]) -> str:
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")


def _leads_to(model: type[Model], field: str, target: type[Model]) -> bool:
    name, _, rest = field.partition("__")
    return rest == "pk" and model._meta.get_field(name).related_model is target


def _of(rows: QuerySet[Any], column: Any, keys: list[Any]) -> QuerySet[Any]:
    """The rows of one, in their order; or of several, one after the other, as the index has them."""
    if len(keys) == 1:
        return rows.filter(**{column.name: keys[0]})
    order = [str(name) for name in rows.query.order_by]
    first = f"-{column.attname}" if order[0].startswith("-") else column.attname
    return rows.filter(**{f"{column.name}__in": keys}).order_by(first, *order)


def _keys(model: Any, field: str, term: str) -> list[Any]:
    name = field.partition("__")[0]
    lookup = {field: term if name == "pk" else _as_stored(model._meta.get_field(name), term)}
    try:
        return list(model._default_manager.filter(**lookup).order_by(name).values_list("pk", flat=True)[:MOST_RELATED])
    except (ValueError, ValidationError):
        return []


def _exists(model: Any, lookup: dict[str, str]) -> bool:
    try:
        return bool(model._default_manager.filter(**lookup).exists())
    except (ValueError, ValidationError):
        return False


def _as_stored(column: Any, term: str) -> str:
    return term.lower() if isinstance(column, EmailField) else term
