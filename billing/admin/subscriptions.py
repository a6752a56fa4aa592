"""The desk for subscriptions: who has which plan, what was paid for it, and ending it where it is paid."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from unfold.widgets import UnfoldAdminSelectWidget

from accounts.models import Subscription
from billing import counter, figures
from billing.admin.money import MoneyAdmin, events_about, moment, payments_in
from billing.figures import Month
from core.admin import Asked, Between, counted

WHEN = [("end", "At the end of what is paid for"), ("now", "At once at the provider")]


class PaidFilter(admin.SimpleListFilter):
    """Whether a provider is paid for it."""

    title = "paid for"
    parameter_name = "paid"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("yes", "At a provider"), ("no", "By nobody")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        wanted = {"yes": False, "no": True}.get(self.value() or "")
        return queryset if wanted is None else queryset.filter(provider_id__isnull=wanted)


class CountedFilter(admin.SimpleListFilter):
    """The rows behind a month's figures."""

    title = "counted in"
    parameter_name = "counted"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        month = Month.now()
        return [(f"{kind}-{each}", f"{KINDS[kind]} {each}") for each in (month, month.before) for kind in KINDS]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        kind, _, text = (self.value() or "").partition("-")
        month = Month.named(text)
        if month is None or kind not in KINDS:
            return queryset
        return queryset.filter(figures.paid_at_start(month) if kind == "paid" else figures.churned(month))


KINDS = {"paid": "Paid at the start of", "ended": "Ended in"}


class CancelAsked(Asked):
    """When."""

    when = forms.ChoiceField(choices=WHEN, widget=UnfoldAdminSelectWidget)


@admin.register(Subscription)
class SubscriptionAdmin(MoneyAdmin):
    """Who has which plan."""

    list_display = ["user", "plan", "status", "provider", "current_period_end", "cancel_at_period_end", "created_at"]
    list_filter = ["status", "plan", PaidFilter, CountedFilter, ("ended_at", Between)]
    list_select_related = ["user", "plan"]
    ordering = ["-pk"]
    search_fields = ["id", "user__pk", "user__email__startswith", "provider_id"]
    search_help_text = "The id here or at the provider, a user's id, or the beginning of an e-mail address."
    exclude = ("changing_until",)
    shown = {"payments": "billing.view_payment", "events": "billing.view_billingevent"}
    actions = ["cancel", "look_again"]

    @admin.display(description="payments")
    def payments(self, subscription: Subscription) -> str:
        return payments_in(subscription.payments.all())

    @admin.display(description="events")
    def events(self, subscription: Subscription) -> str:
        return events_about("subscriptions", subscription.provider, subscription.provider_id)

    def has_cancel_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("accounts.cancel_subscription")

    def has_look_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("accounts.change_subscription")

    @admin.action(description="Cancel at the provider", permissions=["cancel"])
    def cancel(self, request: HttpRequest, queryset: QuerySet[Subscription]) -> HttpResponse | None:
        rows = list(queryset)
        if unpaid := [row for row in rows if not row.provider_id]:
            found = "; ".join(map(_with_user, unpaid))
            self.message_user(request, f"{counter.NoProvider().message} Leave out: {found}", messages.ERROR)
            return None
        form = CancelAsked(request.POST if "confirmed" in request.POST else None)
        if not form.is_valid():
            question = "Cancel? Nothing more will be charged. What is paid for is given to its end, either way."
            return self.ask(request, rows, action="cancel", question=question, form=form, tell=_with_user)
        now = form.cleaned_data["when"] == "now"
        note = "Cancelled at the provider, at once." if now else "Cancelled at the end of what is paid for."
        count = self.done(request, rows, lambda row: counter.cancel(row, now=now), note)
        self.message_user(request, f"{counted(count, 'subscription is', 'subscriptions are')} cancelled.")
        return None

    @admin.action(description="Look again at the provider", permissions=["look"])
    def look_again(self, request: HttpRequest, queryset: QuerySet[Subscription]) -> None:
        count = self.done(request, queryset, counter.look_again, "Looked at again.")
        self.message_user(request, f"{counted(count, 'subscription was', 'subscriptions were')} looked at.")


def _with_user(subscription: Any) -> str:
    until = f", until {moment(subscription.current_period_end)}" if subscription.current_period_end else ""
    return f"{subscription.user}: {subscription.plan}, {subscription.get_status_display()}{until}"
