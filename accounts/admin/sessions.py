"""The desk for who is signed in, and what mail is owed to whom."""

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from accounts.admin.people import BY_PERSON, PERSON, is_superuser
from accounts.identity.sessions import end_session
from accounts.models import OutgoingMail, UserSession
from core.admin import Between, ReadOnlyAdmin, counted


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
        touchable = [each for each in queryset if is_superuser(request) or not each.user.is_superuser]
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
