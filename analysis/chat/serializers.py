"""What comes in and goes out of a conversation, as OpenAPI tells it."""

from typing import Any

from drf_spectacular.utils import OpenApiExample, extend_schema_serializer
from rest_framework import serializers

from analysis.chat.models import ChatMessage, ChatSession
from analysis.serializers import words
from core.api import Text
from core.schema import EXAMPLE_ID

Plain = serializers.Serializer[Any]
LONGEST_QUESTION = 4_000
AT = "2026-11-01T09:31:00Z"
QUESTION = {"content": "What did the comments ask for?"}
ANSWER = {
    "id": EXAMPLE_ID,
    "created_at": AT,
    "session_id": EXAMPLE_ID,
    "role": "assistant",
    "status": "complete",
    "content": "Three of them ask for a second part [k3].",
    "citations": [{"evidence_id": "k3", "known": True, "supported": True}],
    "provider": "gemini",
    "model": "gemini-3.5-flash-lite",
    "error_code": "",
    "tokens_in": 4200,
    "tokens_out": 40,
    "tokens_cached": 0,
    "cost_micros": 1360,
    "finished_at": "2026-11-01T09:31:02Z",
}
SESSION = {
    "id": EXAMPLE_ID,
    "created_at": AT,
    "post_analysis_id": EXAMPLE_ID,
    "url": "https://x.com/i/status/20",
    "display_name": "x.com/i/status/20",
}


@extend_schema_serializer(examples=[OpenApiExample("Talk about a result", value={"post_analysis_id": EXAMPLE_ID})])
class NewSessionSerializer(Plain):
    """What is to be talked about."""

    post_analysis_id = serializers.UUIDField()


@extend_schema_serializer(examples=[OpenApiExample("A question", value=QUESTION)])
class QuestionSerializer(Plain):
    """A question about the post."""

    content = Text(max_length=LONGEST_QUESTION, help_text="As a person asks it.")


class CitationSerializer(Plain):
    """Evidence that an answer names."""

    evidence_id = serializers.CharField()
    known = serializers.BooleanField(help_text="Whether there is such evidence.")
    supported = serializers.BooleanField(help_text="Whether what is said of it holds, as far as that can be checked.")


@extend_schema_serializer(examples=[OpenApiExample("An answer", value=ANSWER)])
class MessageSerializer(serializers.ModelSerializer[ChatMessage]):
    """A question or an answer."""

    session_id = serializers.UUIDField(read_only=True)
    citations = CitationSerializer(many=True, read_only=True)
    content = words(read_only=True)
    cost_micros = serializers.IntegerField(allow_null=True, read_only=True)

    class Meta:
        model = ChatMessage
        fields = [
            "id", "created_at", "session_id", "role", "status", "content", "citations", "provider", "model",
            "error_code", "tokens_in", "tokens_out", "tokens_cached", "cost_micros", "finished_at",
        ]  # fmt: skip
        read_only_fields = fields


@extend_schema_serializer(examples=[OpenApiExample("A session", value=SESSION)])
class SessionSerializer(serializers.ModelSerializer[ChatSession]):
    """The conversation of one post analysis."""

    post_analysis_id = serializers.UUIDField(read_only=True)
    url = serializers.URLField(read_only=True)
    display_name = serializers.CharField(read_only=True)

    class Meta:
        model = ChatSession
        fields = ["id", "created_at", "post_analysis_id", "url", "display_name"]
        read_only_fields = fields


@extend_schema_serializer(
    examples=[OpenApiExample("With an answer", value={**SESSION, "messages": [ANSWER], "earlier": None})]
)
class SessionDetailSerializer(SessionSerializer):
    """A session with its latest messages, in their order."""

    messages = MessageSerializer(many=True, read_only=True)
    earlier = serializers.URLField(
        allow_null=True, read_only=True, help_text="Where all messages are listed, if these are not all."
    )

    class Meta(SessionSerializer.Meta):
        fields = [*SessionSerializer.Meta.fields, "messages", "earlier"]
        read_only_fields = fields
