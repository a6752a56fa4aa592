"""Notes, as OpenAPI tells them."""

from typing import Any

from drf_spectacular.utils import OpenApiExample, extend_schema_serializer
from rest_framework import serializers

from analysis.notes.models import LONGEST_NOTE, LONGEST_TITLE, AnalysisNote
from core.api import Text
from core.schema import EXAMPLE_ID

SAID = {
    "post_analysis_id": EXAMPLE_ID,
    "title": "For the next reel",
    "content": "Open with the price, not with the dish.",
}
KEPT = {"id": EXAMPLE_ID, "created_at": "2026-11-01T09:40:00Z", "updated_at": "2026-11-01T09:40:00Z", **SAID}


@extend_schema_serializer(examples=[OpenApiExample("A note", value=SAID)])
class NewNoteSerializer(serializers.Serializer[Any]):
    """What somebody notes of a result. Kept to the letter, as text."""

    post_analysis_id = serializers.UUIDField()
    title = Text(max_length=LONGEST_TITLE, allow_blank=True, default="", trim_whitespace=False)
    content = Text(max_length=LONGEST_NOTE, allow_blank=True, trim_whitespace=False)


@extend_schema_serializer(examples=[OpenApiExample("A note", value=KEPT)])
class NoteSerializer(serializers.ModelSerializer[AnalysisNote]):
    """A note of one's own."""

    post_analysis_id = serializers.UUIDField(read_only=True)

    class Meta:
        model = AnalysisNote
        fields = ["id", "created_at", "updated_at", "post_analysis_id", "title", "content"]
        read_only_fields = fields
