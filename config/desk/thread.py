"""Everything that carries one request's id, on one page, in the order of time."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.contrib import admin
from django.db.models import Model, QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django_celery_results.models import TaskResult

from accounts.models import User
from analysis.models import PostAnalysisRequest, Status
from analytics.models import APIAccessLog, AuthenticationLog, ExternalAPICallLog
from core.requests import SANE_ID
from logs.models import AppLog

# Of each kind; a request that has more of one is shown its first, and told.
MOST = 200


@dataclass(frozen=True, slots=True)
class Entry:
    """One row, told as a line."""

    at: datetime
    kind: str
    title: str
    detail: str
    bad: bool
    link: str
    user: User | None = None
    cost_micros: int | None = None


def find(request: HttpRequest) -> HttpResponse:
    """Where the search box leads."""
    asked = request.GET.get("id", "").strip()
    if SANE_ID.fullmatch(asked):
        return HttpResponseRedirect(reverse("admin:thread", args=[asked]))
    return _page(request, asked, [], missed=bool(asked))


def show(request: HttpRequest, request_id: str) -> HttpResponse:
    if not SANE_ID.fullmatch(request_id):
        raise Http404
    return _page(request, request_id, entries_of(request, request_id))


def entries_of(request: HttpRequest, request_id: str) -> list[Entry]:
    """What this member of staff may see of a request."""
    told = [
        tell(row) for model, tell in KINDS.items() if _may_see(request, model) for row in rows_of(model, request_id)
    ]
    return sorted(told, key=lambda entry: entry.at)


def rows_of(model: Any, request_id: str) -> QuerySet[Any]:
    rows: QuerySet[Any]
    if model is TaskResult:
        ids = AppLog.objects.filter(request_id=request_id).exclude(task_id="").values_list("task_id", flat=True)
        rows = TaskResult.objects.filter(task_id__in=list(dict.fromkeys(ids[:MOST])))
    else:
        rows = model.objects.filter(request_id=request_id).order_by("created_at", "id")
    return (rows.select_related("user") if hasattr(model, "user") else rows)[:MOST]


def _page(request: HttpRequest, request_id: str, entries: list[Entry], *, missed: bool = False) -> TemplateResponse:
    spent = [entry.cost_micros for entry in entries if entry.cost_micros is not None]
    context = {
        **admin.site.each_context(request),
        "title": "Thread",
        "request_id": request_id,
        "entries": entries,
        "missed": missed,
        "cut": [kind for kind, count in _counts(entries).items() if count == MOST],
        "users": {entry.user.pk: entry.user for entry in entries if entry.user}.values(),
        "may_see_users": request.user.has_perm("accounts.view_user"),
        "cost": sum(spent) / 1_000_000 if spent else None,
    }
    return TemplateResponse(request, "desk/thread.html", context)


def _counts(entries: Iterable[Entry]) -> dict[str, int]:
    kinds = [entry.kind for entry in entries]
    return {kind: kinds.count(kind) for kind in dict.fromkeys(kinds)}


def _may_see(request: HttpRequest, model: type[Model]) -> bool:
    page = admin.site._registry.get(model)
    return bool(page and page.has_view_permission(request))


def _link(row: Model) -> str:
    return reverse(f"admin:{row._meta.app_label}_{row._meta.model_name}_change", args=[row.pk])


def _request(row: APIAccessLog) -> Entry:
    detail = f"{row.status}{f' {row.error_code}' if row.error_code else ''} in {row.duration_us / 1000:,.1f} ms"
    # Written down when it is answered: it came in before all that it caused.
    began = row.created_at - timedelta(microseconds=row.duration_us)
    return Entry(began, "Request", f"{row.method} {row.route}", detail, row.status >= 400, _link(row), row.user)


def _sign_in(row: AuthenticationLog) -> Entry:
    detail = " ".join(filter(None, ["done" if row.success else "refused", row.reason, row.ip]))
    return Entry(row.created_at, "Sign-in", row.event, detail, not row.success, _link(row), row.user)


def _analysis(row: PostAnalysisRequest) -> Entry:
    wrong = f"{row.error_category} at {row.error_stage}" if row.error_category else ""
    done = f"{row.posts_processed} of {row.total_posts} posts ended"
    detail = "; ".join(filter(None, [row.status.lower(), done, wrong, _dollars(row.cost_micros)]))
    bad = row.status == Status.FAILED or row.partial_success
    # What its calls cost stands with the calls.
    return Entry(row.created_at, "Analysis", str(row), detail, bad, _link(row), row.user)


def _line(row: AppLog) -> Entry:
    detail = " ".join(f"{name}={value}" for name, value in row.metadata.items())[:1000]
    title = f"{row.level} {row.category}: {row.message}"
    return Entry(row.created_at, "Log line", title, detail, row.level in ("WARNING", "ERROR", "CRITICAL"), _link(row))


def _task(row: TaskResult) -> Entry:
    detail = (row.traceback or row.result or "")[-1000:]
    title = f"{row.task_name or row.task_id} {row.status}"
    return Entry(row.date_done, "Task", title, detail, row.status == "FAILURE", _link(row))


def _vendor_call(row: ExternalAPICallLog) -> Entry:
    cost = _dollars(row.cost_micros)
    units = ", ".join(f"{amount} {unit}" for unit, amount in row.units.items())
    detail = "; ".join(filter(None, [row.outcome, f"{row.duration_ms:,} ms", units, cost, row.error]))
    title = " ".join(filter(None, [row.vendor, row.operation, row.model]))
    began = row.created_at - timedelta(milliseconds=row.duration_ms)
    return Entry(began, "Vendor call", title, detail, row.outcome != "ok", _link(row), row.user, row.cost_micros)


def _dollars(micros: int | None) -> str:
    return "no price" if micros is None else f"${micros / 1_000_000:,.6f}"


KINDS: dict[Any, Callable[[Any], Entry]] = {
    APIAccessLog: _request,
    AuthenticationLog: _sign_in,
    PostAnalysisRequest: _analysis,
    AppLog: _line,
    TaskResult: _task,
    ExternalAPICallLog: _vendor_call,
}
