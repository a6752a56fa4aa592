"""The desk for accounts: find somebody, see their plan and use, change it, end their sessions."""

from typing import Any

from django import forms
from django.contrib import admin
from django.contrib.auth.admin import GroupAdmin as DjangoGroupAdmin
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.auth.models import Group
from django.db import transaction
from django.db.models import OuterRef, QuerySet, Subquery
from django.http import HttpRequest, HttpResponse
from unfold.forms import AdminPasswordChangeForm, UserChangeForm, UserCreationForm
from unfold.widgets import UnfoldAdminSelectWidget

from accounts.admin_login import AdminLoginForm
from accounts.identity.sessions import end_all_sessions, end_session
from accounts.models import (
    OutgoingMail,
    Plan,
    Subscription,
    UsageEntry,
    UsageKind,
    User,
    UserSession,
    UserUsage,
    normal_email,
)
from accounts.services import ask_erasure
from accounts.usage import change_plan, ensure_live_subscription, give_back
from core.admin import Asked, Between, ReadOnlyAdmin, RowAdmin, counted, one_of

admin.site.unregister(Group)
admin.site.login_form = AdminLoginForm

# What decides who may do what: whoever could write these could make themselves a superuser.
POWERS = ["is_staff", "is_superuser", "groups", "user_permissions"]
BY_PERSON = ["user__pk", "user__email__startswith"]
PERSON = "The beginning of an e-mail address, or a user's id."


@admin.register(Group)
class GroupAdmin(DjangoGroupAdmin, RowAdmin):  # type: ignore[misc]
    """What members of staff may do."""

    ordering = ["name"]
    search_fields = ["name__startswith"]


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


class PlanAsked(Asked):
    """Which plan."""

    plan = forms.ModelChoiceField(Plan.objects.all(), widget=UnfoldAdminSelectWidget)


@admin.register(User)
class UserAdmin(DjangoUserAdmin, RowAdmin):  # type: ignore[type-arg,misc]
    """A person."""

    form = UserChangeForm
    add_form = NewUserForm
    change_password_form = NewPasswordForm
    list_display = ["email", "full_name", "plan", "email_verified", "provider", "is_active", "is_staff", "created_at"]
    list_filter = ["is_active", "is_staff", "email_verified", one_of("provider", ("local", "clerk"))]
    search_fields = ["id", "email__startswith"]
    search_help_text = "The beginning of an e-mail address, or an id."
    # The ids sort by the time they were made.
    ordering = ["-pk"]
    export_fields = ("id", "email", "full_name", "email_verified", "provider", "is_active", "created_at", "last_login")
    readonly_fields = ["plan", "provider", "provider_id", "created_at", "updated_at", "last_login", "erasure_asked_at"]
    fieldsets = [
        (None, {"fields": ["email", "email_verified", "password", "full_name", "company_name", "plan"]}),
        ("Where from", {"fields": ["provider", "provider_id", "created_at", "last_login", "erasure_asked_at"]}),
        ("May", {"fields": ["is_active", "is_staff", "is_superuser", "groups", "user_permissions"]}),
    ]
    add_fieldsets = [(None, {"fields": ["email", "full_name", "password1", "password2"]})]
    autocomplete_fields = ["groups"]
    actions = ["change_plan", "end_sessions", "deactivate", "erase"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[User]:
        live = Subscription.objects.filter(user=OuterRef("pk"), status__in=Subscription.LIVE)
        people: QuerySet[User] = super().get_queryset(request)
        return people.annotate(live_plan=Subquery(live.values("plan__name")[:1]))

    @admin.display(description="plan")
    def plan(self, user: Any) -> str:
        return str(user.live_plan or "-")

    def get_readonly_fields(self, request: HttpRequest, obj: User | None = None) -> list[str]:
        # An address is proved by its owner; a new one would have to be proved again.
        address = ["email"] if obj else []
        powers = [] if _is_superuser(request) else POWERS
        return [*super().get_readonly_fields(request, obj), *address, *powers]

    def has_change_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        # A colleague's password would be a colleague's rights.
        may_touch = obj is None or not obj.is_staff or obj == request.user or _is_superuser(request)
        return may_touch and super().has_change_permission(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        # A person is erased, here and at the identity provider, which a worker does.
        return False

    def has_erase_permission(self, request: HttpRequest) -> bool:
        return _is_superuser(request)

    def has_plan_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("accounts.change_subscription")

    def save_model(self, request: HttpRequest, obj: User, form: Any, change: bool) -> None:
        super().save_model(request, obj, form, change)
        ensure_live_subscription(obj)

    @admin.action(description="Change the plan", permissions=["plan"])
    def change_plan(self, request: HttpRequest, queryset: QuerySet[User]) -> HttpResponse | None:
        users = list(queryset)
        form = PlanAsked(request.POST if "confirmed" in request.POST else None)
        if not form.is_valid():
            question = "Change the plan? It is theirs at once, and nobody is charged or paid back."
            return self.ask(request, users, action="change_plan", question=question, form=form, tell=_with_plan)
        plan = form.cleaned_data["plan"]
        changed = [user for user in users if change_plan(user, plan)]
        self.note(request, changed, f"Plan changed to {plan.slug}.")
        self.message_user(request, f"{counted(len(changed), 'account is', 'accounts are')} on {plan} now.")
        return None

    @admin.action(description="End every session", permissions=["change"])
    def end_sessions(self, request: HttpRequest, queryset: QuerySet[User]) -> None:
        self._end_sessions_of(self._touchable(request, queryset), request)

    @admin.action(description="Deactivate and end every session", permissions=["change"])
    def deactivate(self, request: HttpRequest, queryset: QuerySet[User]) -> None:
        # Fetched first: a list filtered by "active" would be empty after the update.
        users = self._touchable(request, queryset)
        User.objects.filter(pk__in=[user.pk for user in users]).update(is_active=False)
        self.note(request, users, "Deactivated.")
        self._end_sessions_of(users, request)

    @admin.action(description="Erase for ever", permissions=["erase"])
    def erase(self, request: HttpRequest, queryset: QuerySet[User]) -> HttpResponse | None:
        users = list(queryset)
        if "confirmed" not in request.POST:
            question = "Erase these accounts and all that is theirs? This cannot be undone."
            return self.ask(request, users, action="erase", question=question)
        for user in users:
            ask_erasure(user)
        self.note(request, users, "Erasure asked for.")
        self.message_user(request, f"{counted(len(users), 'account is', 'accounts are')} shut and will be erased.")
        return None

    def _touchable(self, request: HttpRequest, queryset: QuerySet[User]) -> list[User]:
        return [user for user in queryset if self.has_change_permission(request, user)]

    def _end_sessions_of(self, users: list[User], request: HttpRequest) -> None:
        ended = sum(end_all_sessions(user, why="ended_by_staff") for user in users)
        self.note(request, users, "Sessions ended.")
        sessions, people = counted(ended, "session", "sessions"), counted(len(users), "account", "accounts")
        self.message_user(request, f"{sessions} of {people} ended.")


def _with_plan(user: Any) -> str:
    return f"{user} ({user.live_plan or 'no plan'})"


def _is_superuser(request: HttpRequest) -> bool:
    return bool(getattr(request.user, "is_superuser", False))


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


@admin.register(UserSession)
class UserSessionAdmin(ReadOnlyAdmin):
    """Who is signed in."""

    list_display = ["user", "created_at", "expires_at", "revoked_at", "revoked_why"]
    list_select_related = ["user"]
    list_filter = [("expires_at", Between)]
    search_fields = BY_PERSON
    search_help_text = PERSON
    # A session's key is what its tokens carry: of use to nobody here.
    exclude = ["key", "refresh_id"]
    actions = ["end"]

    def has_end_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("accounts.change_usersession")

    @admin.action(description="End these sessions", permissions=["end"])
    def end(self, request: HttpRequest, queryset: QuerySet[UserSession]) -> None:
        touchable = [each for each in queryset if _is_superuser(request) or not each.user.is_superuser]
        ended = [session for session in touchable if end_session(session.key, why="ended_by_staff")]
        self.note(request, ended, "Ended.")
        self.message_user(request, f"{counted(len(ended), 'session', 'sessions')} ended.")


@admin.register(OutgoingMail)
class OutgoingMailAdmin(ReadOnlyAdmin):
    """What is owed to whom, and whether it was sent."""

    list_display = ["template", "user", "attempts", "run_after", "sent_at", "created_at"]
    list_select_related = ["user"]
    list_filter = [("created_at", Between)]
    ordering = ["-created_at", "-pk"]
    search_fields = BY_PERSON
    search_help_text = PERSON
