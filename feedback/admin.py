"""The desk for feedback: see what came in, take it, answer it. What the user said is shown and never changed."""

from typing import Any, cast

from django import forms
from django.contrib import admin, messages
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.template.defaultfilters import linebreaksbr
from django.utils.text import Truncator
from unfold.widgets import UnfoldAdminTextareaWidget

from accounts.models import OutgoingMail, User
from core.admin import Between, RowAdmin, Threaded
from feedback.models import LONGEST_TEXT, Feedback
from feedback.services import answer, move, sort, take

SAID = [
    "user", "created_at", "kind", "rating", "text", "page", "post_analysis_id", "claim", "thread", "user_agent",
]  # fmt: skip
SORTED = {"status", "assignee"}
REPLIED = ["sent_reply", "replied_at", "replied_by", "reply_mail"]


class AssigneeFilter(admin.SimpleListFilter):
    """Whose it is to deal with."""

    title = "assignee"
    parameter_name = "assignee"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("me", "Me"), ("nobody", "Nobody"), ("colleagues", "Colleagues")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Feedback]) -> QuerySet[Feedback]:
        mine, nobodys = Q(assignee=_staff(request)), Q(assignee=None)
        choices = {"me": mine, "nobody": nobodys, "colleagues": ~mine & ~nobodys}
        return queryset.filter(choices.get(str(self.value()), Q()))

    def with_index(self, request: HttpRequest, queryset: QuerySet[Feedback]) -> QuerySet[Feedback] | None:
        # All but somebody are found by no index in the list's order.
        return None if self.value() == "colleagues" else self.queryset(request, queryset)


class TriageForm(forms.ModelForm):  # type: ignore[type-arg]
    """What the team decides."""

    reply = forms.CharField(
        max_length=LONGEST_TEXT,
        required=False,
        widget=UnfoldAdminTextareaWidget,
        help_text="Sent by mail when you save, once, and shown to the user in the app.",
    )

    class Meta:
        model = Feedback
        fields = ["status", "assignee", "reply"]

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        # A change is what differs from what the page showed: a page opened before a colleague's change, or sent twice,
        # must not undo it.
        for name in SORTED & self.fields.keys():
            self.fields[name].show_hidden_initial = True

    def clean(self) -> dict[str, Any]:
        said = self.cleaned_data
        if said.get("status") == Feedback.Status.ANSWERED and not (said.get("reply") or self.instance.replied_at):
            self.add_error("status", "Write a reply: that is what makes it answered.")
        return said


@admin.register(Feedback)
class FeedbackAdmin(Threaded, RowAdmin):
    """What somebody said."""

    form = TriageForm
    list_display = ["beginning", "kind", "rating", "status", "assignee", "user", "created_at"]
    list_filter = ["status", "kind", AssigneeFilter, "rating", ("created_at", Between)]
    list_select_related = ["user", "assignee"]
    search_fields = ["user__email__startswith", "user__pk", "request_id__exact"]
    search_help_text = "The beginning of an e-mail address, a user's id, a request's id."
    export_fields = (
        "id", "created_at", "user", "kind", "rating", "message", "page", "post_analysis_id", "claim", "status",
        "assignee", "reply", "replied_at",
    )  # fmt: skip
    ordering = ["-created_at", "-id"]
    autocomplete_fields = ["assignee"]
    actions = ["take_it", "mark_seen", "mark_planned", "mark_closed"]

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Feedback | None = None) -> bool:
        return False

    def get_readonly_fields(self, request: HttpRequest, obj: Feedback | None = None) -> list[str]:
        return [*SAID, *REPLIED]

    def get_fieldsets(self, request: HttpRequest, obj: Feedback | None = None) -> Any:
        reply = REPLIED if obj and obj.replied_at else ["reply"]
        return [("Said", {"fields": SAID}), ("Triage", {"fields": ["status", "assignee", *reply]})]

    @admin.display(description="message")
    def beginning(self, feedback: Feedback) -> str:
        return Truncator(feedback.message).chars(80)

    @admin.display(description="message")
    def text(self, feedback: Feedback) -> str:
        return linebreaksbr(feedback.message)

    @admin.display(description="reply")
    def sent_reply(self, feedback: Feedback) -> str:
        return linebreaksbr(feedback.reply)

    @admin.display(description="mail")
    def reply_mail(self, feedback: Feedback) -> str | None:
        if feedback.reply_mail_id is None:
            return None
        mail = OutgoingMail.objects.filter(pk=feedback.reply_mail_id).first()
        if mail is None:
            return "Its record is no longer kept."
        return "Done." if mail.sent_at else f"Waiting, after {mail.attempts} attempts."

    def save_model(self, request: HttpRequest, obj: Feedback, form: Any, change: bool) -> None:
        reply = form.cleaned_data["reply"]
        # First, for only what has a reply can be answered; a status chosen besides has the last word.
        if reply and not answer(obj, reply, by=_staff(request)):
            self.message_user(request, "Somebody has replied before you: your reply was not sent.", messages.ERROR)
        changes = {name: form.cleaned_data[name] for name in SORTED & {*form.changed_data}}
        if reply and changes.get("status") == Feedback.Status.ANSWERED:
            del changes["status"]
        if changes:
            sort(obj, **changes)

    @admin.action(description="Take it", permissions=["change"])
    def take_it(self, request: HttpRequest, queryset: QuerySet[Feedback]) -> None:
        self._tell(request, take(queryset, by=_staff(request)), "taken")

    @admin.action(description="Mark seen", permissions=["change"])
    def mark_seen(self, request: HttpRequest, queryset: QuerySet[Feedback]) -> None:
        self._tell(request, move(queryset, to=Feedback.Status.SEEN), "marked seen")

    @admin.action(description="Mark planned", permissions=["change"])
    def mark_planned(self, request: HttpRequest, queryset: QuerySet[Feedback]) -> None:
        self._tell(request, move(queryset, to=Feedback.Status.PLANNED), "marked planned")

    @admin.action(description="Mark closed", permissions=["change"])
    def mark_closed(self, request: HttpRequest, queryset: QuerySet[Feedback]) -> None:
        self._tell(request, move(queryset, to=Feedback.Status.CLOSED), "marked closed")

    def _tell(self, request: HttpRequest, rows: list[Feedback], done: str) -> None:
        self.note(request, rows, f"{done.capitalize()}.")
        self.message_user(request, f"{len(rows)} {done}.")


def _staff(request: HttpRequest) -> User:
    return cast(User, request.user)
