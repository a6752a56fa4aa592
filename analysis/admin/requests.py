"""The desk for requests: what somebody asked for, what was told of it, what it used; tried again, or called off."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse

from accounts.models import User
from analysis import services
from analysis.admin import shown
from analysis.admin.base import ERROR_CATEGORIES, MOST_FOUND, AnalysisAdmin, analyses_at
from analysis.models import PostAnalysis, PostAnalysisRequest
from core.admin import Between, Threaded, counted, one_of
from core.errors import Problem
from social.platforms import PLATFORMS

Verb = Callable[[User, UUID], PostAnalysisRequest]


@admin.register(PostAnalysisRequest)
class PostAnalysisRequestAdmin(Threaded, AnalysisAdmin):
    """What somebody asked for, and how far it is."""

    list_display = [
        "created_at", "display_name", "platform", "state", "ended", "error_category", "cost", "took", "user",
    ]  # fmt: skip
    list_filter = [
        ("created_at", Between), "status", one_of("platform", [*PLATFORMS, "mixed"]),
        one_of("error_category", ERROR_CATEGORIES),
    ]  # fmt: skip
    list_select_related = ["user"]
    search_fields = ["id", "request_id", "user__pk", "user__email__startswith"]
    search_help_text = "The address of a post, the beginning of an e-mail address, the id of a request or of a user."
    ordering = ["-created_at", "-id"]
    fieldsets = [
        ("Asked", {"fields": ["created_at", "user", shown.addresses, "platform", "whole_thread"]}),
        ("How far it is", {"fields": ["state", "stage", "ended", "tried_again", "cancelled_at", "took", "cost"]}),
        ("What went wrong", {"fields": ["partial_success", "error_stage", "error_category", "error_details"]}),
        ("Posts", {"fields": [shown.posts]}),
        ("Timeline", {"fields": [shown.timeline]}),
        ("Receipt", {"fields": [shown.used]}),
    ]
    export_fields = (
        "id", "created_at", "user", "platform", "post_urls", "status", "stage", "partial_success", "error_stage",
        "error_category", "retry_count", "total_posts", "posts_processed", "total_api_calls", "cost_micros",
        "duration_seconds", "finished_at", "request_id",
    )  # fmt: skip
    actions = ["try_again", "call_off"]
    nothing = "Requests show here as soon as somebody asks for an analysis."

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[PostAnalysisRequest], search_term: str
    ) -> tuple[QuerySet[PostAnalysisRequest], bool]:
        found = analyses_at(search_term)
        if found is None:
            return super().get_search_results(request, queryset, search_term)
        newest = PostAnalysis.objects.filter(found).order_by("-created_at", "-id")
        return queryset.filter(pk__in=[*newest.values_list("request", flat=True)[:MOST_FOUND]]), False

    @admin.display(description="posts ended")
    def ended(self, row: PostAnalysisRequest) -> str:
        return f"{row.posts_processed} of {row.total_posts}"

    @admin.display(description="took")
    def took(self, row: PostAnalysisRequest) -> str:
        return "-" if row.duration_seconds is None else f"{row.duration_seconds:,.1f}\N{NO-BREAK SPACE}s"

    @admin.display(description="tried again")
    def tried_again(self, row: PostAnalysisRequest) -> str:
        return f"{row.retry_count} of {row.max_retries} times"

    def has_work_permission(self, request: HttpRequest) -> bool:
        # It spends units and what vendors charge, so that to look is not enough.
        return request.user.has_perm("analysis.change_postanalysisrequest")

    @admin.action(description="Try again what failed", permissions=["work"])
    def try_again(self, request: HttpRequest, queryset: QuerySet[PostAnalysisRequest]) -> HttpResponse | None:
        question = "Try the failed posts again? Each spends a unit of its user's plan, as when they ask themselves."
        return self._work(request, queryset, services.retry, question=question, done="tried again")

    @admin.action(description="Call off", permissions=["work"])
    def call_off(self, request: HttpRequest, queryset: QuerySet[PostAnalysisRequest]) -> HttpResponse | None:
        question = "Call these requests off? The units of posts that nothing has begun with go back."
        return self._work(request, queryset, services.cancel, question=question, done="called off")

    def _work(
        self, request: HttpRequest, queryset: QuerySet[PostAnalysisRequest], verb: Verb, *, question: str, done: str
    ) -> HttpResponse | None:
        """Through the verb that its user has, on their behalf; whatever cannot be done is named."""
        rows, worked = list(queryset.select_related("user")), []
        if "confirmed" not in request.POST:
            return self.ask(request, rows, action=request.POST["action"], question=question, tell=_with_user)
        for row in rows:
            try:
                verb(row.user, row.pk)
            except Problem as problem:
                self.message_user(request, f"{row}: {problem.message}", "error")
            else:
                worked.append(row)
        self.note(request, worked, f"{done.capitalize()}.")
        if worked:
            self.message_user(request, f"{counted(len(worked), 'request is', 'requests are')} {done}.")
        return None


def _with_user(row: Any) -> str:
    return f"{row} ({row.user}, {row.status.lower()})"
