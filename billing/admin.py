"""The desk for money: from an event to a payment to a subscription, read-only but for what is done again."""

from typing import Any, ClassVar

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse

from billing import inbox
from billing.models import BillingEvent, Invoice, Payment, PaymentMethod, Refund
from billing.providers import PROVIDERS
from core.admin import Between, ReadOnlyAdmin, counted, one_of


def money(amount: int, currency: str) -> str:
    return f"{amount / 100:,.2f} {currency}"


class MoneyAdmin(ReadOnlyAdmin):
    """Rows that only a provider changes."""

    ordering = ["-created_at", "-id"]
    list_filter: ClassVar[Any] = [("created_at", Between)]

    @admin.display(description="amount")
    def sum_of(self, row: Any) -> str:
        return money(row.amount, row.currency)


@admin.register(Payment)
class PaymentAdmin(MoneyAdmin):
    """Charges, and what came back of them."""

    list_display = ["created_at", "user", "sum_of", "status", "reason", "failure", "disputed", "provider"]
    list_filter = [("created_at", Between), one_of("status", [*Payment.Status.values])]
    list_select_related = ["user"]
    search_fields = ["id", "provider_id", "user__email"]
    search_help_text = "The id here or at the provider, or the user's address."
    nothing = "Payments show here as soon as somebody has paid."


@admin.register(Invoice)
class InvoiceAdmin(MoneyAdmin):
    """Invoices; their PDFs stay with the provider."""

    list_display = ["created_at", "number", "user", "sum_of", "issued_at"]
    list_select_related = ["user"]
    search_fields = ["id", "user__email"]
    search_help_text = "The id, or the user's address."
    nothing = "Invoices show here with the first payment."


@admin.register(Refund)
class RefundAdmin(MoneyAdmin):
    """Money that went back."""

    list_display = ["created_at", "user", "sum_of", "status", "partial", "reason"]
    list_select_related = ["user"]
    search_fields = ["id", "provider_id", "user__email"]
    search_help_text = "The id here or at the provider, or the user's address."
    nothing = "Refunds show here."


@admin.register(PaymentMethod)
class PaymentMethodAdmin(ReadOnlyAdmin):
    """Cards, as far as we know them."""

    list_display = ["created_at", "user", "kind", "brand", "last4", "is_default", "provider"]
    list_select_related = ["user"]
    ordering = ["-created_at", "-id"]
    search_fields = ["id", "provider_id", "user__email"]
    search_help_text = "The id here or at the provider, or the user's address."
    nothing = "Means of payment show here with the first payment."


@admin.register(BillingEvent)
class BillingEventAdmin(ReadOnlyAdmin):
    """What providers sent, and what became of it."""

    list_display = ["created_at", "provider", "type", "state", "attempts", "error", "processed_at"]
    list_filter = [("created_at", Between), one_of("provider", [*PROVIDERS])]
    ordering = ["-created_at", "-id"]
    search_fields = ["id", "delivery_id"]
    search_help_text = "The id here, or the delivery's at the provider."
    exclude = ("body",)
    actions = ["process_again"]
    nothing = "Events show here as soon as a provider sends one."

    def get_queryset(self, request: HttpRequest) -> QuerySet[BillingEvent]:
        rows: QuerySet[BillingEvent] = super().get_queryset(request)
        return rows.defer("body")

    def has_work_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("billing.change_billingevent")

    @admin.action(description="Process again", permissions=["work"])
    def process_again(self, request: HttpRequest, queryset: QuerySet[BillingEvent]) -> HttpResponse | None:
        events = list(queryset)
        if "confirmed" not in request.POST:
            question = "Process these events again? What they name is looked at where it is now; twice does no harm."
            return self.ask(request, events, action="process_again", question=question)
        count = inbox.replay(BillingEvent.objects.filter(pk__in=[event.pk for event in events]))
        self.note(request, events, "Processed again.")
        self.message_user(request, f"{counted(count, 'event is', 'events are')} processed again.")
        return None
