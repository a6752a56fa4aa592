"""The stored posts of a request, as OpenAPI tells them; `posts` makes them."""

from typing import Any

from drf_spectacular.utils import OpenApiExample, extend_schema_field, extend_schema_serializer
from rest_framework import serializers

from analysis import examples
from analysis.serializers import COUNT, AnyObject, words
from core.schema import EXAMPLE_ID

Plain = serializers.Serializer[Any]
EXAMPLE = {
    "id": EXAMPLE_ID,
    "post_analysis_id": EXAMPLE_ID,
    "platform": "youtube",
    "url": examples.URL,
    "author": "whyral_samples_financas",
    "author_profile": {"name": "Finance in a minute", "followers": 31000},
    "title": "Do you save money?",
    "text": "Three habits.",
    "language": "en",
    "posted_at": examples.AT,
    "format": "short",
    "seconds": 28.4,
    "metrics": {"views": 80600, "likes": 3640, "comments": 416},
    "engagement_score": 0.055,
    "transcript": "Do you save money? ...",
    "transcript_source": "captions:human",
    "transcript_language": "en",
    "transcript_state": "done",
    "segments": [{"start": 0.0, "end": 2.4, "text": "Do you save money?", "probability": None}],
    "media": [
        {
            "kind": "frame", "second": 1.0, "state": "stored", "error": "", "url": "https://whyral.example/media/0f/3a/...",
            "media_type": "image/jpeg", "size": 21034, "width": 720, "height": 1280, "seconds": None, "alt_text": "",
        }
    ],
    "comments": {
        "seen": 12, "total": 416, "closed": False,
        "sample": [
            {
                "id": "c-1", "author": "a_reader", "text": "Part 2 please!", "likes": 40, "replies": None,
                "posted_at": examples.AT, "reply_to": "", "by_post_author": None, "pinned": None,
            }
        ],
    },
    "collected_at": examples.AT,
    "source": "samples",
    "reused": False,
}  # fmt: skip


@extend_schema_field({"type": "object", "additionalProperties": {"type": "integer", "minimum": 0}})
class Counts(serializers.JSONField):
    """Counts by name; what is not known is not there."""


class SegmentSerializer(Plain):
    """Words and when they are said, in seconds."""

    start = serializers.FloatField()
    end = serializers.FloatField()
    text = words()
    probability = serializers.FloatField(allow_null=True)


class MediumSerializer(Plain):
    """A picture, a video, a thumbnail or a frame, behind a link that works for a while."""

    kind = serializers.CharField()
    second = serializers.FloatField(allow_null=True, help_text="Of a frame: where it stands.")
    state = serializers.ChoiceField(["waiting", "stored", "failed"])
    error = words()
    url = serializers.CharField(allow_null=True)
    media_type = serializers.CharField(allow_null=True)
    size = serializers.IntegerField(allow_null=True, **COUNT)
    width = serializers.IntegerField(allow_null=True, **COUNT)
    height = serializers.IntegerField(allow_null=True, **COUNT)
    seconds = serializers.FloatField(allow_null=True)
    alt_text = words()


class CommentSerializer(Plain):
    """A comment that was seen."""

    id = words()
    author = words()
    text = words()
    likes = serializers.IntegerField(allow_null=True)
    replies = serializers.IntegerField(allow_null=True)
    posted_at = serializers.DateTimeField(allow_null=True)
    reply_to = words()
    by_post_author = serializers.BooleanField(allow_null=True)
    pinned = serializers.BooleanField(allow_null=True)


class CommentsSerializer(Plain):
    """A sample of the comments: how many were seen, of how many there are."""

    seen = serializers.IntegerField(**COUNT)
    total = serializers.IntegerField(allow_null=True, **COUNT)
    closed = serializers.BooleanField()
    sample = CommentSerializer(many=True)


class StoredPostSerializer(Plain):
    """A post as it is stored."""

    id = serializers.UUIDField()
    post_analysis_id = serializers.UUIDField()
    platform = serializers.CharField()
    url = serializers.URLField()
    author = words()
    author_profile = AnyObject()
    title = words()
    text = words()
    language = words()
    posted_at = serializers.DateTimeField(allow_null=True)
    format = words()
    seconds = serializers.FloatField(allow_null=True)
    metrics = Counts()
    engagement_score = serializers.FloatField(allow_null=True)
    transcript = words()
    transcript_source = words()
    transcript_language = words()
    transcript_state = words(help_text="done, or why there are no words.")
    segments = SegmentSerializer(many=True)
    media = MediumSerializer(many=True)
    comments = CommentsSerializer()
    collected_at = serializers.DateTimeField(allow_null=True)
    source = words(help_text="Who it came from; samples are invented.")  # type: ignore[assignment]
    reused = serializers.BooleanField(help_text="It was stored already, and young enough.")


PAGE = {"next": None, "previous": None, "results": [EXAMPLE]}


@extend_schema_serializer(examples=[OpenApiExample("A short video", value=PAGE)], many=False)
class StoredPostsSerializer(Plain):
    """The posts of one request, on one page: there are no more than a plan allows in a request."""

    next = serializers.URLField(allow_null=True)
    previous = serializers.URLField(allow_null=True)
    results = StoredPostSerializer(many=True)
