"""The desk for plans and what is used of them."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse

from accounts.admin.people import BY_PERSON, PERSON
from accounts.models import Plan, UsageEntry, UsageKind, UserUsage
from accounts.usage import give_back
from core.admin import ReadOnlyAdmin, RowAdmin, counted, one_of

PRODUCTS = (
    'What it is called by each payment provider: {"stripe": "price_new"}. To change a price, make a new one there '
    'and put its name before the old ones, {"stripe": ["price_new", "price_old"]}: the first is sold, and whoever '
    "bought under another keeps the plan."
)


@admin.register(Plan)
class PlanAdmin(RowAdmin):
    """What can be subscribed to."""

    list_display = [
        "name", "slug", "price", "currency", "interval", "max_urls", "max_analyses_per_day",
        "max_questions_per_day", "is_public",
    ]  # fmt: skip
    list_filter = ["is_public"]
    search_fields = ["slug__startswith"]
    search_help_text = "The beginning of a slug."
    ordering = ["slug"]

    def get_form(self, request: HttpRequest, obj: Plan | None = None, change: bool = False, **kwargs: Any) -> Any:
        told = {"help_texts": {"products": PRODUCTS}, **kwargs}
        return super().get_form(request, obj, change=change, **told)

    def has_delete_permission(self, request: HttpRequest, obj: Plan | None = None) -> bool:
        # Subscriptions refer to it for as long as they are kept; one that is over is made not public.
        return False


@admin.register(UserUsage)
class UserUsageAdmin(ReadOnlyAdmin):
    """What was used on a day."""

    list_display = ["user", "day", "platform", "url_lookups", "handle_analyses", "questions_asked", "post_suggestions"]
    list_select_related = ["user"]
    search_fields = BY_PERSON
    search_help_text = PERSON


@admin.register(UsageEntry)
class UsageEntryAdmin(ReadOnlyAdmin):
    """What each unit was spent on."""

    list_display = ["source", "kind", "amount", "user", "platform", "day", "given_back_at"]
    list_select_related = ["user"]
    list_filter = [one_of("kind", UsageKind.values)]
    search_fields = [*BY_PERSON, "source"]
    search_help_text = "What it was spent on (kind:id), the beginning of an e-mail address, or a user's id."
    actions = ["give_back"]

    def has_give_back_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("accounts.change_usageentry")

    @admin.action(description="Give the units back", permissions=["give_back"])
    def give_back(self, request: HttpRequest, queryset: QuerySet[UsageEntry]) -> HttpResponse | None:
        entries = list(queryset)
        if "confirmed" not in request.POST:
            question = "Give these units back? Each can be given back once, and not taken again."
            return self.ask(request, entries, action="give_back", question=question)
        given = [entry for entry in entries if give_back(source=entry.source, kind=entry.kind)]
        self.note(request, given, "Units given back.")
        units = counted(sum(entry.amount for entry in given), "unit", "units")
        self.message_user(request, f"{units} of {counted(len(given), 'entry', 'entries')} given back.")
        return None
