"""The desk for conversations: what was asked, answered and spent. Notes are nobody's but their user's."""

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.template.defaultfilters import linebreaksbr

from analysis.admin.base import AnalysisAdmin
from analysis.chat.models import ChatMessage
from core.admin import Between, one_of


@admin.register(ChatMessage)
class ChatMessageAdmin(AnalysisAdmin):
    """A question or an answer, shown as text whatever is in it."""

    list_display = ["created_at", "role", "status", "error_code", "provider", "model", "cost", "session"]
    list_filter = [("created_at", Between), one_of("status", ChatMessage.Status.values)]
    search_fields = ["id", "session__pk", "session__post_analysis__pk"]
    search_help_text = "The id of a message, a conversation or a post's analysis."
    ordering = ["-created_at", "-id"]
    fields = [
        "created_at", "session", "role", "status", "error_code", "text", "citations", "provider", "model",
        "prompt_version", "tokens_in", "tokens_out", "tokens_cached", "cost", "finished_at",
    ]  # fmt: skip
    export_fields = (
        "id", "created_at", "session", "role", "status", "error_code", "provider", "model", "tokens_in", "tokens_out",
        "tokens_cached", "cost_micros", "finished_at",
    )  # fmt: skip
    nothing = "What users ask about their results shows here."

    def get_queryset(self, request: HttpRequest) -> QuerySet[ChatMessage]:
        rows: QuerySet[ChatMessage] = super().get_queryset(request)
        one = request.resolver_match and "object_id" in request.resolver_match.kwargs
        return rows if one else rows.defer("content", "citations")

    @admin.display(description="content")
    def text(self, message: ChatMessage) -> str:
        return linebreaksbr(message.content)
