"""The desk for what analysts were asked, to the letter, and what they answered."""

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from analysis.admin import shown
from analysis.admin.base import AnalysisAdmin
from analysis.models import ModelAnswer
from analysis.providers import PROVIDERS
from core.admin import Between, one_of


@admin.register(ModelAnswer)
class ModelAnswerAdmin(AnalysisAdmin):
    """A prompt and its answer, shown as text whatever is in them."""

    list_display = ["created_at", "provider", "model", "finish", "problem", "cost", "post_analysis"]
    list_filter = [("created_at", Between), one_of("provider", [*PROVIDERS])]
    list_select_related = ["post_analysis"]
    search_fields = ["id", "post_analysis__pk"]
    search_help_text = "The id of a post's analysis."
    ordering = ["-created_at", "-id"]
    fields = [
        "created_at", "post_analysis", "provider", "model", "prompt_version", "fence", "finish", "problem",
        "set_aside", shown.tokens, "cost", shown.prompt, shown.raw_answer,
    ]  # fmt: skip
    export_fields = (
        "id", "created_at", "post_analysis", "provider", "model", "prompt_version", "finish", "problem", "tokens",
        "cost_micros",
    )  # fmt: skip
    nothing = "What analysts are asked shows here."

    def get_queryset(self, request: HttpRequest) -> QuerySet[ModelAnswer]:
        rows: QuerySet[ModelAnswer] = super().get_queryset(request)
        one = request.resolver_match and "object_id" in request.resolver_match.kwargs
        return rows if one else rows.defer("prompt", "answer")
