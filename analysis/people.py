"""What is held of a person's analyses: given to them with their export, called off and removed when they leave."""

from accounts.export import Rows
from accounts.models import User
from analysis.models import AnalysisNote, ChatMessage, PostAnalysis, PostAnalysisRequest
from analysis.services import remove

OF_POST = (
    "id", "request_id", "created_at", "url", "status", "error_category", "error_message", "is_viral", "verdict",
    "virality_reasoning", "quick_takeaways", "creator_context", "content_observation", "replicable_elements",
    "viral_formula", "improvements", "suggestions_for_future_posts", "provider", "model",
)  # fmt: skip


def analyses_of(user: User) -> Rows:
    """Requests, each with its posts' results."""
    columns = ("id", "created_at", "platform", "post_urls", "display_name", "status", "finished_at")
    for request in PostAnalysisRequest.objects.filter(user=user).order_by("created_at", "id").values(*columns):
        posts = PostAnalysis.objects.filter(request=request["id"]).order_by("position").values(*OF_POST)
        yield {**request, "posts": list(posts)}


def chats_of(user: User) -> Rows:
    """What was asked and answered."""
    columns = ("id", "created_at", "session__post_analysis__url", "role", "status", "content", "provider", "model")
    rows: Rows = ChatMessage.objects.filter(session__user=user).order_by("id").values(*columns)
    return rows


def notes_of(user: User) -> Rows:
    columns = ("id", "created_at", "updated_at", "post_analysis__url", "title", "content")
    rows: Rows = AnalysisNote.objects.filter(user=user).order_by("id").values(*columns)
    return rows


def forget(user: User) -> None:
    """Before the account goes: whoever is at work on something of theirs must find it gone, not half gone."""
    for request_id in PostAnalysisRequest.objects.filter(user=user).values_list("pk", flat=True):
        remove(user, request_id)
