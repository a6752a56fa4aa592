"""The desk for accounts: find somebody, see their plan and use, end their sessions."""

from typing import Any

from django import forms
from django.contrib import admin
from django.contrib.auth.admin import GroupAdmin as DjangoGroupAdmin
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.auth.models import Group
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest
from unfold.forms import AdminPasswordChangeForm, UserChangeForm, UserCreationForm

from accounts.admin_login import AdminLoginForm
from accounts.identity.sessions import end_all_sessions
from accounts.models import OutgoingMail, Plan, Subscription, UsageEntry, User, UserSession, UserUsage, normal_email
from accounts.services import ask_erasure
from accounts.usage import ensure_live_subscription
from core.admin import ReadOnlyAdmin, RowAdmin

admin.site.unregister(Group)
admin.site.login_form = AdminLoginForm

# What decides who may do what: whoever could write these could make themselves a superuser.
POWERS = ["is_staff", "is_superuser", "groups", "user_permissions"]


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


class NewPasswordForm(AdminPasswordChangeForm):
    """A new password, which whoever came in with the old one does not survive."""

    def save(self, commit: bool = True) -> User:
        with transaction.atomic():
            user: User = super().save(commit)
            end_all_sessions(user, why="password_changed_by_staff")
        return user


@admin.register(User)
class UserAdmin(DjangoUserAdmin, RowAdmin):  # type: ignore[type-arg]
    """A person."""

    form = UserChangeForm
    add_form = NewUserForm
    change_password_form = NewPasswordForm
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
    actions = ["end_sessions", "deactivate", "erase"]

    def get_readonly_fields(self, request: HttpRequest, obj: User | None = None) -> list[str]:
        # An address is proved by its owner; a new one would have to be proved again.
        address = ["email"] if obj else []
        powers = [] if _is_superuser(request) else POWERS
        return [*super().get_readonly_fields(request, obj), *address, *powers]

    def has_change_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        may_touch = obj is None or not obj.is_superuser or _is_superuser(request)
        return may_touch and super().has_change_permission(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        # A person is erased, here and at the identity provider, which a worker does.
        return False

    def has_erase_permission(self, request: HttpRequest) -> bool:
        return _is_superuser(request)

    def save_model(self, request: HttpRequest, obj: User, form: Any, change: bool) -> None:
        super().save_model(request, obj, form, change)
        ensure_live_subscription(obj)

    @admin.action(description="End every session", permissions=["change"])
    def end_sessions(self, request: HttpRequest, queryset: QuerySet[User]) -> None:
        self._end_sessions_of(self._touchable(request, queryset), request)

    @admin.action(description="Deactivate and end every session", permissions=["change"])
    def deactivate(self, request: HttpRequest, queryset: QuerySet[User]) -> None:
        # Fetched first: a list filtered by "active" would be empty after the update.
        users = self._touchable(request, queryset)
        User.objects.filter(pk__in=[user.pk for user in users]).update(is_active=False)
        self._end_sessions_of(users, request)

    @admin.action(description="Erase for ever", permissions=["erase"])
    def erase(self, request: HttpRequest, queryset: QuerySet[User]) -> None:
        users = list(queryset)
        for user in users:
            ask_erasure(user)
        self.message_user(request, f"{len(users)} accounts are shut and will be erased.")

    def _touchable(self, request: HttpRequest, queryset: QuerySet[User]) -> list[User]:
        return [user for user in queryset if self.has_change_permission(request, user)]

    def _end_sessions_of(self, users: list[User], request: HttpRequest) -> None:
        ended = sum(end_all_sessions(user, why="ended_by_staff") for user in users)
        self.message_user(request, f"{ended} sessions of {len(users)} accounts ended.")


def _is_superuser(request: HttpRequest) -> bool:
    return bool(getattr(request.user, "is_superuser", False))


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
