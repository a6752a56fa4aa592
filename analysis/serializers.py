"""What comes in and goes out of the analysis endpoints, as OpenAPI tells it; `bodies` makes it."""

from typing import Any

from drf_spectacular.utils import OpenApiExample, extend_schema_field, extend_schema_serializer
from rest_framework import serializers

from analysis import examples
from analysis.models import AnalysisStatusHistory, PostAnalysisRequest, Status
from core.api import Text
from social.platforms.address import LONGEST

MOST_ADDRESSES = 100
Plain = serializers.Serializer[Any]
COUNT: dict[str, Any] = {"min_value": 0}
EVIDENCE_KINDS = ["caption", "transcript", "comment", "metric", "frame", "profile"]


def words(**more: Any) -> serializers.CharField:
    return serializers.CharField(allow_blank=True, **more)


@extend_schema_serializer(examples=[OpenApiExample("One post", value={"post_urls": [examples.URL]}, request_only=True)])
class PostUrlsSerializer(Plain):
    """The addresses of posts, as a person pasted them."""

    post_urls = serializers.ListField(
        child=Text(max_length=LONGEST, trim_whitespace=False, allow_blank=True), min_length=1, max_length=MOST_ADDRESSES
    )


class ClaimSerializer(Plain):
    """A statement, the evidence it cites, and whether a check of ours found that it holds."""

    text = serializers.CharField()
    evidence = serializers.ListField(child=serializers.CharField())
    supported = serializers.BooleanField()


class BaselineSerializer(Plain):
    """What is usual for the author."""

    n = serializers.IntegerField(**COUNT)
    median = serializers.FloatField(allow_null=True)
    metric = words()
    window = words()


class VerdictSerializer(Plain):
    """How far the post outran its author's own baseline: computed, never guessed."""

    label = serializers.ChoiceField(["over", "typical", "under", "too_early", "not_enough_history"])  # type: ignore[assignment]
    multiple = serializers.FloatField(allow_null=True)
    basis = serializers.CharField()
    baseline = BaselineSerializer()
    percentile = serializers.FloatField(allow_null=True)
    computed_at = serializers.DateTimeField(allow_null=True)


class ConfounderSerializer(Plain):
    """Something else that may have lifted the post."""

    kind = serializers.CharField()
    state = serializers.ChoiceField(["present", "ruled_out", "cannot_tell"])
    note = words()
    evidence = serializers.ListField(child=serializers.CharField())


class DemandSerializer(Plain):
    """What readers ask for."""

    kind = serializers.CharField()
    count = serializers.IntegerField(**COUNT)
    examples = serializers.ListField(child=serializers.CharField())


@extend_schema_field({"type": ["object", "null"], "additionalProperties": {}})
class AnyObject(serializers.JSONField):
    """An object whose names may grow."""


class EvidenceSerializer(Plain):
    """A numbered thing that claims point at."""

    id = serializers.CharField()
    kind = serializers.ChoiceField(EVIDENCE_KINDS)
    text = serializers.CharField()
    start = serializers.FloatField(required=False, help_text="Seconds into the video.")
    end = serializers.FloatField(required=False)
    url = serializers.CharField(required=False)
    numbers = AnyObject(required=False, help_text="Of a metric: its numbers, by name.")


class GroundingSerializer(Plain):
    """How much of what is claimed holds."""

    claims = serializers.IntegerField(**COUNT)
    supported = serializers.IntegerField(**COUNT)
    ratio = serializers.FloatField(min_value=0, max_value=1)


class UsedTokensSerializer(Plain):
    """What the model used."""

    input = serializers.IntegerField(**COUNT)
    output = serializers.IntegerField(**COUNT)
    cached = serializers.IntegerField(**COUNT)
    thinking = serializers.IntegerField(**COUNT)


@extend_schema_field(
    {
        "type": ["object", "null"],
        "additionalProperties": {"oneOf": [{"$ref": "#/components/schemas/Claim"}, {"type": "null"}]},
    }
)
class ObservationField(serializers.JSONField):
    """Claims by what they observe."""


@extend_schema_serializer(examples=[OpenApiExample("A short video that outran its author", value=examples.POST)])
class PostAnalysisSerializer(Plain):
    """One post of a request: how far it is, and why it did as it did."""

    id = serializers.UUIDField()
    request_id = serializers.UUIDField()
    url = serializers.URLField()
    platform = serializers.CharField()
    status = serializers.ChoiceField(Status.choices)
    stage = serializers.CharField(help_text="The first stage that is not done.")
    progress = serializers.IntegerField(min_value=0, max_value=100)
    post_id = serializers.UUIDField(allow_null=True)
    error_stage = words()
    error_category = words(
        help_text="rate_limit, timeout, vendor_error, not_found, private, unsupported, too_large, blocked_content, "
        "invalid_answer, quota or internal."
    )
    error_code = words()
    error_message = words()
    error_retryable = serializers.BooleanField()
    is_viral = serializers.BooleanField(allow_null=True)
    verdict = VerdictSerializer(allow_null=True)
    virality_reasoning = ClaimSerializer(many=True)
    quick_takeaways = ClaimSerializer(many=True)
    creator_context = ClaimSerializer(many=True)
    content_observation = ObservationField(allow_null=True)
    replicable_elements = ClaimSerializer(many=True)
    viral_formula = ClaimSerializer(allow_null=True)
    improvements = ClaimSerializer(many=True)
    suggestions_for_future_posts = ClaimSerializer(many=True)
    confounders = ConfounderSerializer(many=True)
    demand = DemandSerializer(many=True)
    evidence = EvidenceSerializer(many=True)
    grounding = GroundingSerializer(allow_null=True)
    metadata_used = AnyObject(allow_null=True)
    provider = words(help_text="Who explained it: rules, where no model did.")
    model = words()
    prompt_version = words()
    tokens = UsedTokensSerializer(allow_null=True)
    created_at = serializers.DateTimeField()
    finished_at = serializers.DateTimeField(allow_null=True)
    cost = serializers.IntegerField(allow_null=True, help_text="In micro-dollars; null before the end.")


class StageReceiptSerializer(Plain):
    """What one stage of one post used."""

    stage = serializers.CharField()
    outcome = serializers.ChoiceField(["running", "done", "not_ready", "failed", "lost", "undone"])
    reused = serializers.BooleanField(help_text="It was there already: nothing was fetched.")
    vendor_calls = serializers.IntegerField(**COUNT)
    seconds_transcribed = serializers.FloatField(**COUNT)
    tokens = serializers.IntegerField(**COUNT)
    cost = serializers.IntegerField(allow_null=True, help_text="In micro-dollars; null where a price is not known.")
    runs = serializers.IntegerField(**COUNT)


class PostReceiptSerializer(Plain):
    """What one post used."""

    post_analysis_id = serializers.UUIDField()
    stages = StageReceiptSerializer(many=True)
    units_spent = serializers.IntegerField(**COUNT)
    units_given_back = serializers.IntegerField(**COUNT)


class ReceiptSerializer(Plain):
    """What a request used, of vendors and of the user's plan."""

    posts = PostReceiptSerializer(many=True)
    vendor_calls = serializers.IntegerField(**COUNT)
    tokens = serializers.IntegerField(**COUNT)
    seconds_transcribed = serializers.FloatField(**COUNT)
    cost = serializers.IntegerField(allow_null=True)
    units_spent = serializers.IntegerField(**COUNT)
    units_given_back = serializers.IntegerField(**COUNT)


@extend_schema_serializer(examples=[OpenApiExample("A request that is done", value=examples.REQUEST)])
class RequestSerializer(serializers.ModelSerializer[PostAnalysisRequest]):
    """A request, as the sidebar shows it."""

    progress = serializers.IntegerField(min_value=0, max_value=100, read_only=True)
    post_urls = serializers.ListField(child=serializers.URLField(), read_only=True)
    error_details = AnyObject(read_only=True)
    duration_seconds = serializers.FloatField(
        allow_null=True, read_only=True, help_text="From when it was asked for, or last tried again, to its end."
    )

    class Meta:
        model = PostAnalysisRequest
        fields = [
            "id", "created_at", "platform", "post_urls", "display_name", "status", "stage", "progress",
            "partial_success", "total_posts", "posts_processed", "error_stage", "error_category", "error_details",
            "retry_count", "max_retries", "total_api_calls", "duration_seconds", "finished_at",
        ]  # fmt: skip
        read_only_fields = fields


@extend_schema_serializer(
    examples=[
        OpenApiExample("Just taken", value=examples.JUST_TAKEN, status_codes=["202"]),
        OpenApiExample("Done", value=examples.DETAIL, status_codes=["200"]),
    ]
)
class RequestDetailSerializer(RequestSerializer):
    """A request with its posts and its receipt."""

    posts = PostAnalysisSerializer(many=True, read_only=True)
    receipt = ReceiptSerializer(read_only=True)

    class Meta(RequestSerializer.Meta):
        fields = [*RequestSerializer.Meta.fields, "posts", "receipt"]
        read_only_fields = fields


class QuotedPostSerializer(Plain):
    """One post, and whether it is stored already."""

    url = serializers.URLField()
    platform = serializers.CharField()
    stored = serializers.BooleanField()
    collected_at = serializers.DateTimeField(allow_null=True)


class QuotedUnitsSerializer(Plain):
    """What would be spent on a platform today."""

    platform = serializers.CharField()
    units = serializers.IntegerField(**COUNT)
    limit = serializers.IntegerField(min_value=-1)
    used = serializers.IntegerField(**COUNT)
    remaining = serializers.IntegerField(min_value=-1)
    fits = serializers.BooleanField()
    resets_at = serializers.DateTimeField()


@extend_schema_serializer(examples=[OpenApiExample("One post", value=examples.QUOTE)])
class QuoteSerializer(Plain):
    """What a request would use. It promises nothing: only asking for it spends."""

    posts = QuotedPostSerializer(many=True)
    units = QuotedUnitsSerializer(many=True)
    fits = serializers.BooleanField()
    expected_seconds = serializers.FloatField(**COUNT)
    expected_cost = serializers.IntegerField(allow_null=True, help_text="In micro-dollars; null where it is not known.")


@extend_schema_serializer(examples=[OpenApiExample("The first stage begins", value=examples.STATUS)])
class StatusSerializer(serializers.ModelSerializer[AnalysisStatusHistory]):
    """One word of a request's history."""

    post_analysis_id = serializers.UUIDField(allow_null=True, read_only=True)

    class Meta:
        model = AnalysisStatusHistory
        fields = ["id", "created_at", "post_analysis_id", "stage", "status", "progress", "message", "cost_micros"]
        read_only_fields = fields


@extend_schema_serializer(examples=[OpenApiExample("A ticket", value={"ticket": "pZ1f...", "expires_in": 60})])
class TicketSerializer(Plain):
    """Opens one stream, once, within a minute: `?ticket=`."""

    ticket = serializers.CharField()
    expires_in = serializers.IntegerField(**COUNT)
