"""The shapes of feedback's questions and answers."""

import re
from typing import Any

from django.core.validators import RegexValidator
from drf_spectacular.utils import OpenApiExample, extend_schema_serializer
from rest_framework import serializers

from core.api import Text
from core.schema import EXAMPLE_ID
from feedback.models import LONGEST_TEXT, Feedback

SAYS_SOMETHING = r"^\s*[^\s\x00][^\x00]*\Z"
# A path, or an address with one; what may follow is for whoever reads it, and never made a link.
PAGE = r"^((https?://[A-Za-z0-9.-]+(:[0-9]{1,5})?)?/[^\s\x00]*)?\Z"
UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
SAID = {
    "kind": "bug",
    "message": "The second reason says the hook comes at 0:40, but it is at 0:04.",
    "rating": 3,
    "page": "/analyses/019a7c1e-8f2b-7c3d-9e4f-5a6b7c8d9e0f",
    "post_analysis_id": EXAMPLE_ID,
    "claim": "The hook comes late.",
}
NEW = {"id": EXAMPLE_ID, "created_at": "2026-11-01T09:30:00Z", **SAID, "status": "new", "reply": "", "replied_at": None}
ANSWERED = {
    **NEW,
    "status": "answered",
    "reply": "Thank you! The times are right now.",
    "replied_at": "2026-11-02T10:00:00Z",
}


class Whole(serializers.IntegerField):
    """A whole number that is one: REST framework's own field takes strings for numbers too."""

    def to_internal_value(self, data: Any) -> int:
        if isinstance(data, bool) or not isinstance(data, (int, float)) or data % 1:
            self.fail("invalid")
        return super().to_internal_value(int(data))


class RowId(serializers.UUIDField):
    """An id as we write it: REST framework's own field takes numbers and URNs for one too."""

    default_error_messages = {"invalid": "Must be a valid UUID."}

    def to_internal_value(self, data: Any) -> Any:
        if not isinstance(data, str) or not UUID.fullmatch(data):
            self.fail("invalid")
        return super().to_internal_value(data)


@extend_schema_serializer(
    examples=[
        OpenApiExample("With all there is to say", value=SAID),
        OpenApiExample("The least", value={"kind": "praise", "message": "I like it."}),
    ]
)
class NewFeedbackSerializer(serializers.Serializer[Any]):
    """What a user says."""

    kind = serializers.ChoiceField(choices=Feedback.Kind.choices)
    message = Text(
        max_length=LONGEST_TEXT, validators=[RegexValidator(SAYS_SOMETHING, "Null characters are not allowed.")]
    )
    rating = Whole(min_value=1, max_value=5, allow_null=True, default=None, help_text="5 is best.")
    page = Text(
        max_length=500,
        allow_blank=True,
        default="",
        trim_whitespace=False,
        validators=[RegexValidator(PAGE, "Enter a path or a web address.")],
        help_text="Where in the app: a path or an address. What stands behind a `?` or a `#` is not kept.",
    )
    post_analysis_id = RowId(allow_null=True, default=None, help_text="The analysis it is about.")
    claim = Text(max_length=500, allow_blank=True, default="", help_text="The claim it is about: its id or its text.")

    def validate_page(self, page: str) -> str:
        # There a sign-in or a reset carries its token.
        return re.split(r"[?#]", page, maxsplit=1)[0]


@extend_schema_serializer(
    examples=[
        OpenApiExample("Just given", value=NEW, status_codes=["201"]),
        OpenApiExample("Answered", value=ANSWERED, status_codes=["200"]),
    ]
)
class FeedbackSerializer(serializers.ModelSerializer[Feedback]):
    """What a user said, and what became of it."""

    rating = serializers.IntegerField(min_value=1, max_value=5, allow_null=True, read_only=True)

    class Meta:
        model = Feedback
        fields = [
            "id", "created_at", "kind", "message", "rating", "page", "post_analysis_id", "claim", "status", "reply",
            "replied_at",
        ]  # fmt: skip
        read_only_fields = fields
