"""What the pages about money have in common: sums as people write them, and the ways from one row to the others."""

from collections.abc import Callable, Iterable
from typing import Any, ClassVar

from django.contrib import admin, messages
from django.db.models import Model, QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.formats import date_format
from django.utils.html import format_html
from django.utils.timezone import localtime

from accounts.models import Subscription
from billing.amounts import told
from billing.models import BillingEvent, Payment, Refund
from core.admin import Between, ReadOnlyAdmin, table
from core.errors import Problem

# Of each kind on one page; more of them are in the list that the page leads to.
MOST = 20
# What an event names, under the name by which it is kept there.
NAMED: dict[str, type[Model]] = {"payments": Payment, "refunds": Refund, "subscriptions": Subscription}


class MoneyAdmin(ReadOnlyAdmin):
    """Rows that only a provider changes."""

    ordering = ["-created_at", "-id"]
    list_filter: ClassVar[Any] = [("created_at", Between)]
    # What a row's page shows of other rows, for whoever may see those.
    shown: ClassVar[dict[str, str]] = {}

    def get_fields(self, request: HttpRequest, obj: Model | None = None) -> Any:
        seen = [name for name, permission in self.shown.items() if request.user.has_perm(permission)]
        return [*super().get_fields(request, obj), *seen]

    def leads(self, request: HttpRequest, object_id: str) -> list[tuple[str, str]]:
        """To itself in its list as well, which is where it can be ticked and something be done."""
        found = super().leads(request, object_id)
        where = reverse(f"admin:{self.opts.app_label}_{self.opts.model_name}_changelist")
        return [("What can be done", f"{where}?q={object_id}"), *found] if self.get_actions(request) else found

    @admin.display(description="amount")
    def sum_of(self, row: Any) -> str:
        return told(row.amount, row.currency)

    def done(self, request: HttpRequest, rows: Iterable[Any], act: Callable[[Any], Any], note: str) -> int:
        """Do something to each at its provider, keep who did it, and tell on the page what could not be done."""
        count = 0
        for row in rows:
            try:
                act(row)
            except Problem as problem:
                self.message_user(request, f"{row}: {problem.message} ({problem.code})", messages.ERROR)
                # Perhaps it was done, and only the look at it failed: who tried is kept.
                self.note(request, [row], f"Tried ({problem.code}): {note}")
            else:
                self.note(request, [row], note)
                count += 1
        return count


def link_to(row: Any, text: str = "") -> str:
    address = reverse(f"admin:{row._meta.app_label}_{row._meta.model_name}_change", args=[row.pk])
    return format_html('<a href="{}">{}</a>', address, text or str(row))


def moment(when: Any) -> str:
    """As the lists write it."""
    return date_format(localtime(when), "DATETIME_FORMAT") if when else "-"


def events_about(kind: str, provider: str, provider_id: str | None) -> str:
    """The latest that name it, found by what they name."""
    if not provider_id:
        return table([], [])
    found = BillingEvent.objects.filter(provider=provider, about__contains={kind: [provider_id]})
    rows = found.defer("body", "headers").order_by("-created_at")[:MOST]
    lines = ((link_to(each, moment(each.created_at)), each.type, each.state, each.error) for each in rows)
    return table(["received", "type", "state", "error"], lines)


def payments_in(rows: QuerySet[Payment]) -> str:
    lines = (
        (link_to(each, moment(each.created_at)), each.reason, told(each.amount, each.currency),
         each.get_status_display(), told(each.refunded, each.currency), each.failure or "-")
        for each in rows.order_by("-created_at")[:MOST]
    )  # fmt: skip
    return table(["since", "for", "amount", "status", "given back", "failure"], lines)


def refunds_in(rows: QuerySet[Refund]) -> str:
    lines = (
        (link_to(each, moment(each.created_at)), told(each.amount, each.currency), each.get_status_display(),
         each.reason or "-")
        for each in rows.order_by("-created_at")[:MOST]
    )  # fmt: skip
    return table(["since", "amount", "status", "reason"], lines)
