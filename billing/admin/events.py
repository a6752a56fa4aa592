"""The desk for what providers sent: what it was about, what became of it, and having it processed again."""

from collections.abc import Iterator
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse

from accounts.models import User
from billing import inbox
from billing.admin.money import NAMED, link_to
from billing.models import BillingEvent, Customer
from billing.providers import PROVIDERS
from core.admin import Between, ReadOnlyAdmin, counted, one_of, table


@admin.register(BillingEvent)
class BillingEventAdmin(ReadOnlyAdmin):
    """What providers sent, and what became of it."""

    list_display = ["created_at", "provider", "type", "state", "attempts", "error", "processed_at"]
    list_filter = [
        ("created_at", Between), one_of("state", BillingEvent.State.values), one_of("provider", [*PROVIDERS]),
    ]  # fmt: skip
    ordering = ["-created_at", "-id"]
    search_fields = ["id", "delivery_id"]
    search_help_text = "The id here, or the delivery's at the provider."
    exclude = ("body",)
    actions = ["process_again"]
    nothing = "Events show here as soon as a provider sends one."

    def get_queryset(self, request: HttpRequest) -> QuerySet[BillingEvent]:
        rows: QuerySet[BillingEvent] = super().get_queryset(request)
        return rows.defer("body")

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        seen = ["led_to"] if request.user.has_perm("billing.view_payment") else []
        return [*super().get_fields(request, obj), *seen]

    @admin.display(description="led to")
    def led_to(self, event: BillingEvent) -> str:
        """The rows that it names; what is not here yet, or never will be, by its id at the provider."""
        return table(["kind", "id at the provider", "here"], _rows_of(event))

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


def _rows_of(event: BillingEvent) -> Iterator[tuple[str, str, str]]:
    about = event.about if isinstance(event.about, dict) else {}
    for kind, named in about.items():
        ids = [each for each in named if isinstance(each, str)] if isinstance(named, list) else []
        model: Any = NAMED.get(kind)
        own = model.objects.filter(provider=event.provider, provider_id__in=ids) if model else ()
        here = {row.provider_id: row for row in own} or _people(event.provider, ids)
        for each in ids:
            yield kind, each, link_to(here[each], "open") if each in here else "-"


def _people(provider: str, ids: list[str]) -> dict[str, User]:
    """Whoever is called so there."""
    known = Customer.objects.filter(provider=provider, customer_id__in=ids).select_related("user")
    return {each.customer_id: each.user for each in known}
