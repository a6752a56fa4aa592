"""The desk for what happened: requests, sign-ins, vendor calls and what they cost. Looked at and never edited."""

from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import Model, Q, QuerySet
from django.http import HttpRequest
from django.utils import timezone
from unfold.decorators import display

from analytics.models import APIAccessLog, AuthenticationLog, ExternalAPICallLog, VendorPrice
from core.admin import Between, ReadOnlyAdmin, RowAdmin, Threaded, one_of

PERSON_OR_REQUEST = "A request id in full, a user's id, or the beginning of an e-mail address."
EVENTS = (
    "signup", "login", "admin_login", "logout", "token_refresh", "password_reset_asked", "password_reset",
    "email_verified",
)  # fmt: skip


def priced_vendors() -> list[str]:
    return sorted(set(VendorPrice.objects.values_list("vendor", flat=True)))


def every_column(model: type[Model]) -> tuple[str, ...]:
    return tuple(field.name for field in model._meta.concrete_fields)


class StatusFilter(admin.SimpleListFilter):
    """How a request was answered. The failures have an index of their own."""

    title = parameter_name = "status"
    CLASSES = {"2": Q(status__range=(200, 299)), "3": Q(status__range=(300, 399)), "failed": Q(status__gte=400)}
    FAILURES = {"4": Q(status__range=(400, 499)), "5": Q(status__gte=500)}

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("failed", "Failed"), ("5", "5xx"), ("4", "4xx"), ("3", "3xx"), ("2", "2xx")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset.filter((self.CLASSES | self.FAILURES).get(self.value() or "", Q()))

    def with_index(self, request: HttpRequest, rows: QuerySet[Any]) -> QuerySet[Any] | None:
        return rows.filter(self.CLASSES["failed"]) if self.value() in ("failed", *self.FAILURES) else None


@admin.register(APIAccessLog)
class APIAccessLogAdmin(Threaded, ReadOnlyAdmin):
    """Who asked for what, and how it was answered."""

    list_display = ["created_at", "asked", "answer", "took", "error_code", "user", "ip", "thread"]
    list_filter = [("created_at", Between), StatusFilter, one_of("method", ("GET", "POST", "PATCH", "PUT", "DELETE"))]
    list_select_related = ["user"]
    told_by = {"request_id": "whole_thread", "duration_us": "took"}
    search_fields = ["request_id", "user__pk", "user__email__startswith"]
    search_help_text = PERSON_OR_REQUEST
    ordering = ["-created_at", "-id"]
    export_fields = every_column(APIAccessLog)

    @admin.display(description="request")
    def asked(self, row: APIAccessLog) -> str:
        return f"{row.method} {row.route or '(no such address)'}"

    @display(description="status", label={"2xx": "success", "3xx": "info", "4xx": "warning", "5xx": "danger"})
    def answer(self, row: APIAccessLog) -> tuple[str, str]:
        return f"{row.status // 100}xx", str(row.status)

    @admin.display(description="took")
    def took(self, row: APIAccessLog) -> str:
        return f"{row.duration_us / 1000:,.1f}\N{NO-BREAK SPACE}ms"


@admin.register(AuthenticationLog)
class AuthenticationLogAdmin(Threaded, ReadOnlyAdmin):
    """Who came in, or tried to."""

    list_display = ["created_at", "event", "success", "reason", "user", "ip", "thread"]
    list_filter = [("created_at", Between), one_of("event", EVENTS), "success"]
    list_select_related = ["user"]
    told_by = {"request_id": "whole_thread"}
    search_fields = ["request_id", "user__pk", "user__email__startswith", "ip"]
    search_help_text = PERSON_OR_REQUEST.replace("A request id", "An IP address or request id")
    ordering = ["-created_at", "-id"]
    export_fields = every_column(AuthenticationLog)


@admin.register(ExternalAPICallLog)
class ExternalAPICallLogAdmin(Threaded, ReadOnlyAdmin):
    """What was asked of vendors, and what it cost."""

    list_display = [
        "created_at", "vendor", "operation", "model", "outcome", "took", "attempts", "cost", "user", "thread",
    ]  # fmt: skip
    list_filter = [("created_at", Between), one_of("vendor", priced_vendors)]
    list_select_related = ["user"]
    told_by = {"request_id": "whole_thread", "duration_ms": "took", "cost_micros": "cost"}
    search_fields = ["request_id", "user__pk", "user__email__startswith", "analysis_id"]
    search_help_text = PERSON_OR_REQUEST.replace("A request id", "An analysis or request id")
    ordering = ["-created_at", "-id"]
    export_fields = every_column(ExternalAPICallLog)

    @admin.display(description="took")
    def took(self, row: ExternalAPICallLog) -> str:
        return f"{row.duration_ms:,}\N{NO-BREAK SPACE}ms"

    @admin.display(description="cost")
    def cost(self, row: ExternalAPICallLog) -> str:
        return "no price" if row.cost_micros is None else f"${row.cost_micros / 1_000_000:,.6f}"


class PriceForm(forms.ModelForm):  # type: ignore[type-arg]
    """A price, with what its unit means."""

    class Meta:
        help_texts = {"micros_per_million": "Micro-dollars: 100000 is $0.10 for a million units."}


@admin.register(VendorPrice)
class VendorPriceAdmin(RowAdmin):
    """What a vendor asks, and since when. A price that has been used is ended, and a new one begun."""

    form = PriceForm
    list_display = [
        "vendor", "operation", "model", "unit", "per_million", "tier_unit", "tier_from", "valid_from", "valid_until",
    ]  # fmt: skip
    list_filter = [one_of("vendor", priced_vendors)]
    search_fields = ["vendor__startswith", "model__startswith"]
    search_help_text = "The beginning of a vendor's or a model's name."
    export_fields = every_column(VendorPrice)

    def get_readonly_fields(self, request: HttpRequest, obj: VendorPrice | None = None) -> list[str]:
        # Calls have been costed by the rest.
        kept = [name for name in every_column(VendorPrice) if name not in ("id", "valid_until")]
        return kept if obj else []

    def has_delete_permission(self, request: HttpRequest, obj: VendorPrice | None = None) -> bool:
        # A price cannot end before it begins, so a mistaken one goes; once it has begun, calls may have been costed.
        return bool(obj and obj.valid_from > timezone.now()) and super().has_delete_permission(request, obj)

    @admin.display(description="for a million")
    def per_million(self, price: VendorPrice) -> str:
        return f"${price.micros_per_million / 1_000_000:,.4f}"
