"""The desk for people: find somebody, see their plan, change it, end their sessions, erase them."""

from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.auth.admin import GroupAdmin as DjangoGroupAdmin
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.auth.models import Group
from django.db import transaction
from django.db.models import OuterRef, QuerySet, Subquery
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from unfold.forms import AdminPasswordChangeForm, UserChangeForm, UserCreationForm
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextInputWidget

from accounts.admin_login import AdminLoginForm
from accounts.identity.sessions import end_all_sessions
from accounts.models import (
    Plan,
    Subscription,
    User,
    normal_email,
)
from accounts.services import ask_erasure
from accounts.subscriptions import AlreadySubscribed, grant
from accounts.usage import change_plan, ensure_live_subscription
from core.admin import Asked, RowAdmin, counted, one_of

admin.site.unregister(Group)
admin.site.login_form = AdminLoginForm

# What decides who may do what: whoever could write these could make themselves a superuser.
POWERS = ["is_staff", "is_superuser", "groups", "user_permissions"]
BY_PERSON = ["user__pk", "user__email__startswith"]
LONGEST_GRANT = timedelta(days=3652)
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


def not_yet_over(day: date) -> None:
    if not timezone.now().date() <= day <= timezone.now().date() + LONGEST_GRANT:
        raise forms.ValidationError("A day from today on, within ten years.")


class PlanAsked(Asked):
    """Which plan."""

    plan = forms.ModelChoiceField(Plan.objects.all(), widget=UnfoldAdminSelectWidget)


class GrantAsked(PlanAsked):
    """Which plan, and its last day."""

    last_day = forms.DateField(
        label="Last day, UTC",
        widget=UnfoldAdminTextInputWidget(attrs={"type": "date"}),
        validators=[not_yet_over],
    )


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
    actions = ["change_plan", "grant_plan", "end_sessions", "deactivate", "erase"]

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
        powers = [] if is_superuser(request) else POWERS
        return [*super().get_readonly_fields(request, obj), *address, *powers]

    def has_change_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        # A colleague's password would be a colleague's rights.
        may_touch = obj is None or not obj.is_staff or obj == request.user or is_superuser(request)
        return may_touch and super().has_change_permission(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        # A person is erased, here and at the identity provider, which a worker does.
        return False

    def has_erase_permission(self, request: HttpRequest) -> bool:
        return is_superuser(request)

    def save_model(self, request: HttpRequest, obj: User, form: Any, change: bool) -> None:
        super().save_model(request, obj, form, change)
        ensure_live_subscription(obj)

    @admin.action(description="Change the plan", permissions=["grant"])
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
        if len(changed) < len(users):
            self.message_user(request, "Whoever has it already, or pays for a plan, was left alone.", messages.WARNING)
        return None

    def has_grant_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("accounts.grant_subscription")

    @admin.action(description="Grant a plan until a day", permissions=["grant"])
    def grant_plan(self, request: HttpRequest, queryset: QuerySet[User]) -> HttpResponse | None:
        users = list(queryset)
        form = GrantAsked(request.POST if "confirmed" in request.POST else None)
        if not form.is_valid():
            question = "Grant a plan? It is theirs at once and paid by nobody; after its last day comes Free."
            return self.ask(request, users, action="grant_plan", question=question, form=form, tell=_with_plan)
        plan, last_day = form.cleaned_data["plan"], form.cleaned_data["last_day"]
        until = datetime.combine(last_day, time(), tzinfo=UTC) + timedelta(days=1)
        granted = [user for user in users if self._grant(request, user, plan, until)]
        self.note(request, granted, f"Granted {plan.slug} until the end of {last_day}.")
        self.message_user(request, f"{counted(len(granted), 'account has', 'accounts have')} {plan} to {last_day}.")
        return None

    def _grant(self, request: HttpRequest, user: User, plan: Plan, until: datetime) -> bool:
        try:
            grant(user, plan, until=until)
        except AlreadySubscribed:
            self.message_user(request, f"{user} pays for a plan: cancel that first.", messages.ERROR)
            return False
        return True

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
            question = "Erase these accounts and all that is theirs? Paid plans end at once. This cannot be undone."
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


def is_superuser(request: HttpRequest) -> bool:
    return bool(getattr(request.user, "is_superuser", False))
