"""The desk for the posts of requests: each run of each stage, the verdict, the claims and what they rest on."""

from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.text import Truncator
from unfold.widgets import UnfoldAdminSelectWidget

from accounts.models import User
from analysis import pipeline, services
from analysis.admin import shown
from analysis.admin.base import ERROR_CATEGORIES, MOST_FOUND, AnalysisAdmin, analyses_at
from analysis.models import PostAnalysis, PostAnalysisRequest, StageRun
from core.admin import Asked, Between, counted, one_of
from social.platforms import PLATFORMS

OF_PERSON = "request__user__email__startswith"
MOST_PEOPLE = 20
# What its list does not show, and may be long.
LONG = (*shown.CLAIMS, "confounders", "demand", "evidence", "grounding", "metadata_used", "tokens")


class StageAsked(Asked):
    """Which stage to go back to."""

    stage = forms.ChoiceField(widget=UnfoldAdminSelectWidget)

    def __init__(self, stages: list[str], *args: Any) -> None:
        super().__init__(*args)
        self.fields["stage"].choices = [(name, name) for name in stages]  # type: ignore[attr-defined]


@admin.register(PostAnalysis)
class PostAnalysisAdmin(AnalysisAdmin):
    """One post of a request."""

    list_display = [
        "created_at", "address", "state", "stage", shown.verdict_label, "provider", "error_category", "cost", "of",
    ]  # fmt: skip
    list_filter = [
        ("created_at", Between), "status", one_of("platform", [*PLATFORMS]), one_of("error_category", ERROR_CATEGORIES),
    ]  # fmt: skip
    list_select_related = ["request__user"]
    search_fields = ["id", "request__pk", "post__pk", OF_PERSON]
    search_help_text = "The address of a post, the beginning of an e-mail address, the id of an analysis or a request."
    ordering = ["-created_at", "-id"]
    fieldsets = [
        ("Post", {"fields": ["created_at", shown.link, "post", "request", "of"]}),
        ("How far it is", {"fields": ["state", "stage", "tries", "lease_until", "run_after", "finished_at", "cost"]}),
        ("What went wrong", {"fields": [shown.error]}),
        ("Runs of its stages", {"fields": [shown.runs]}),
        ("Verdict", {"fields": [shown.verdict, shown.confounders, shown.demand]}),
        ("Explanation", {"fields": [shown.claims, shown.grounding, shown.rests_on]}),
        ("Evidence", {"fields": [shown.evidence]}),
        ("Analysts", {"fields": ["provider", "model", "prompt_version", shown.tokens, shown.answers]}),
    ]
    export_fields = (
        "id", "created_at", "request", "url", "status", "stage", "error_stage", "error_category", "error_code",
        "is_viral", "verdict", "grounding", "provider", "model", "prompt_version", "cost_micros", "finished_at",
    )  # fmt: skip
    actions = ["run_again"]
    nothing = "Posts show here as soon as somebody asks for an analysis."

    def get_queryset(self, request: HttpRequest) -> QuerySet[PostAnalysis]:
        rows: QuerySet[PostAnalysis] = super().get_queryset(request)
        one = request.resolver_match and "object_id" in request.resolver_match.kwargs
        return rows if one else rows.defer(*LONG)

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[PostAnalysis], search_term: str
    ) -> tuple[QuerySet[PostAnalysis], bool]:
        found = analyses_at(search_term)
        if found is None:
            return super().get_search_results(request, queryset, search_term)
        return queryset.filter(found), False

    def _found(self, rows: QuerySet[Any], field: str, term: str) -> QuerySet[Any] | None:
        return _of_people(rows, term) if field == OF_PERSON else super()._found(rows, field, term)

    def leads(self, request: HttpRequest, object_id: str) -> list[tuple[str, str]]:
        """Also what it cost: other apps' rows name it, and refer to nothing."""
        found = [*super().leads(request, object_id)]
        for title, model, term in (
            ("Vendor calls", "analytics.externalapicalllog", object_id),
            ("Units spent", "accounts.usageentry", f"analysis:{object_id}"),
        ):
            app, name = model.split(".")
            if request.user.has_perm(f"{app}.view_{name}"):
                found.append((title, f"{reverse(f'admin:{app}_{name}_changelist')}?q={term}"))
        return found

    @admin.display(description="address")
    def address(self, post: PostAnalysis) -> str:
        return Truncator(post.url.removeprefix("https://").removeprefix("www.")).chars(60)

    @admin.display(description="user")
    def of(self, post: PostAnalysis) -> str:
        return str(post.request.user)

    def has_work_permission(self, request: HttpRequest) -> bool:
        # It may cost what vendors charge, so that to look is not enough.
        return request.user.has_perm("analysis.change_postanalysis")

    @admin.action(description="Run a stage again", permissions=["work"])
    def run_again(self, request: HttpRequest, queryset: QuerySet[PostAnalysis]) -> HttpResponse | None:
        posts = list(queryset)
        form = StageAsked(_stages_of(posts), request.POST if "confirmed" in request.POST else None)
        if not form.is_valid():
            question = "Run a stage and what follows it again? No unit is spent; what they found before is replaced."
            return self.ask(request, posts, action="run_again", question=question, form=form, tell=_with_status)
        stage = form.cleaned_data["stage"]
        begun = {*StageRun.objects.filter(post_analysis__in=posts, stage=stage).values_list("post_analysis", flat=True)}
        again = [post for post in posts if post.pk in begun and services.run_again(post.pk, stage)]
        self.note(request, again, f"{stage} run again.")
        self.message_user(request, f"{counted(len(again), 'post goes', 'posts go')} back to {stage}.")
        if len(again) < len(posts):
            left = counted(len(posts) - len(again), "post was", "posts were")
            self.message_user(request, f"{left} left alone: not ended yet, or never at this stage.", "warning")
        return None


def _stages_of(posts: list[PostAnalysis]) -> list[str]:
    """In their order, those that any of them has been through: what was never begun cannot be run again."""
    begun = {*StageRun.objects.filter(post_analysis__in=posts).values_list("stage", flat=True)}
    return [name for name in pipeline.STAGES if name in begun]


def _of_people(posts: QuerySet[Any], term: str) -> QuerySet[Any]:
    """The posts of their newest requests, each found by an index."""
    people = User.objects.filter(email__startswith=term.lower()).order_by("email").values_list("pk", flat=True)
    newest = PostAnalysisRequest.objects.filter(user__in=[*people[:MOST_PEOPLE]]).order_by("-created_at", "-id")
    return posts.filter(request__in=[*newest.values_list("pk", flat=True)[:MOST_FOUND]])


def _with_status(post: PostAnalysis) -> str:
    return f"{post} ({post.status.lower()}, at {post.stage})"
