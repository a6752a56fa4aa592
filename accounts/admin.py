"""The desk for accounts: find somebody, see their plan and use, end their sessions."""

from typing import Any

from django import forms
from django.contrib import admin
from django.contrib.auth.admin import GroupAdmin as DjangoGroupAdmin
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.auth.models import Group
from django.db.models import QuerySet
from django.http import HttpRequest
from unfold.forms import AdminPasswordChangeForm, UserChangeForm, UserCreationForm

from accounts.identity.sessions import end_all_sessions
from accounts.models import OutgoingMail, Plan, Subscription, UsageEntry, User, UserSession, UserUsage, normal_email
from accounts.usage import ensure_live_subscription
from core.admin import ReadOnlyAdmin, RowAdmin

admin.site.unregister(Group)


@admin.register(Group)
class GroupAdmin(DjangoGroupAdmin, RowAdmin):
    """What members of staff may do."""


class NewUserForm(UserCreationForm):
    """A new person, with an address that nobody has in any case."""

    def clean_email(self) -> str:
        email = normal_email(self.cleaned_data["email"])
        if User.objects.filter(email=email).exists():
            raise forms.ValidationError("This address has an account.")
        return email


@admin.register(User)
class UserAdmin(DjangoUserAdmin, RowAdmin):  # type: ignore[type-arg]
    """A person."""

    form = UserChangeForm
    add_form = NewUserForm
    change_password_form = AdminPasswordChangeForm
    list_display = ["email", "full_name", "email_verified", "provider", "is_active", "is_staff", "created_at"]
    list_filter = ["is_active", "is_staff", "email_verified", "provider"]
    search_fields = ["email__startswith"]
    search_help_text = "The beginning of an e-mail address."
    ordering = ["-created_at"]
    readonly_fields = ["provider", "provider_id", "created_at", "updated_at", "last_login", "erasure_asked_at"]
    fieldsets = [
        (None, {"fields": ["email", "email_verified", "password", "full_name", "company_name"]}),
        ("Where from", {"fields": ["provider", "provider_id", "created_at", "last_login", "erasure_asked_at"]}),
        ("May", {"fields": ["is_active", "is_staff", "is_superuser", "groups", "user_permissions"]}),
    ]
    add_fieldsets = [(None, {"fields": ["email", "full_name", "password1", "password2"]})]
    autocomplete_fields = ["groups"]
    actions = ["end_sessions", "deactivate"]

    def get_readonly_fields(self, request: HttpRequest, obj: User | None = None) -> list[str]:
        # An address is proved by its owner; a new one would have to be proved again.
        return [*super().get_readonly_fields(request, obj), *(["email"] if obj else [])]

    def save_model(self, request: HttpRequest, obj: User, form: Any, change: bool) -> None:
        super().save_model(request, obj, form, change)
        ensure_live_subscription(obj)
        if change and "password" in form.changed_data:
            end_all_sessions(obj, why="password_changed_by_staff")

    @admin.action(description="End every session")
    def end_sessions(self, request: HttpRequest, queryset: QuerySet[User]) -> None:
        ended = sum(end_all_sessions(user, why="ended_by_staff") for user in queryset)
        self.message_user(request, f"{ended} sessions ended.")

    @admin.action(description="Deactivate and end every session")
    def deactivate(self, request: HttpRequest, queryset: QuerySet[User]) -> None:
        queryset.update(is_active=False)
        self.end_sessions(request, queryset)


@admin.register(Plan)
class PlanAdmin(RowAdmin):
    """What can be subscribed to."""

    list_display = [
        "name", "slug", "price", "currency", "interval", "max_urls", "max_analyses_per_day",
        "max_questions_per_day", "is_public",
    ]  # fmt: skip
    search_fields = ["name", "slug"]


@admin.register(Subscription)
class SubscriptionAdmin(ReadOnlyAdmin):
    """Who has which plan."""

    list_display = ["user", "plan", "status", "current_period_end", "cancel_at_period_end", "created_at"]
    list_filter = ["status", "plan"]
    list_select_related = ["user", "plan"]
    search_fields = ["user__email__startswith"]


@admin.register(UserUsage)
class UserUsageAdmin(ReadOnlyAdmin):
    """What was used on a day."""

    list_display = ["user", "day", "platform", "url_lookups", "handle_analyses", "questions_asked", "post_suggestions"]
    list_select_related = ["user"]
    search_fields = ["user__email__startswith"]
    list_filter = ["platform"]


@admin.register(UsageEntry)
class UsageEntryAdmin(ReadOnlyAdmin):
    """What each unit was spent on."""

    list_display = ["source", "kind", "amount", "user", "platform", "day", "given_back_at"]
    list_select_related = ["user"]
    list_filter = ["kind", "platform"]
    search_fields = ["source__exact", "user__email__startswith"]


@admin.register(UserSession)
class UserSessionAdmin(ReadOnlyAdmin):
    """Who is signed in."""

    list_display = ["user", "created_at", "expires_at", "revoked_at", "revoked_why"]
    list_select_related = ["user"]
    search_fields = ["user__email__startswith"]


@admin.register(OutgoingMail)
class OutgoingMailAdmin(ReadOnlyAdmin):
    """What is owed to whom, and whether it was sent."""

    list_display = ["template", "user", "attempts", "run_after", "sent_at", "created_at"]
    list_select_related = ["user"]
    list_filter = ["template"]
    search_fields = ["user__email__startswith"]
