"""What was asked, how far each post is, what came of it; and each run of a stage, written down before it begins."""

from django.conf import settings
from django.db import models
from django.db.models import Q

# Models of the app that live in folders of their own: this is where Django looks for them.
from analysis.chat.models import ChatMessage, ChatSession
from analysis.notes.models import AnalysisNote
from core.models import Row

__all__ = [
    "AnalysisNote", "AnalysisStatusHistory", "ChatMessage", "ChatSession", "ModelAnswer", "PostAnalysis",
    "PostAnalysisRequest", "StageRun", "Status",
]  # fmt: skip


class Status(models.TextChoices):
    """Of a request, and of each of its posts."""

    PENDING = "PENDING"
    PROCESSING = "PROCESSING"
    COMPLETED = "COMPLETED"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"


OPEN = (Status.PENDING, Status.PROCESSING)
MAX_RETRIES = 3


class PostAnalysisRequest(Row):
    """One or several addresses that a user wants explained together. Its counters are kept by its posts' steps."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+", db_index=False)
    platform = models.CharField(max_length=20, help_text="Of all its posts, or mixed.")
    post_urls = models.JSONField(help_text="As they are written by us, without repeats.")
    display_name = models.CharField(max_length=200, help_text="For the sidebar.")
    status = models.CharField(max_length=10, choices=Status.choices, default=Status.PENDING)
    stage = models.CharField(max_length=30, default="request_created", help_text="The newest word of its history.")
    partial_success = models.BooleanField(default=False)
    results = models.JSONField(default=dict, blank=True, help_text="How its posts ended, in numbers.")
    error_stage = models.CharField(max_length=30, blank=True)
    error_category = models.CharField(max_length=20, blank=True)
    error_details = models.JSONField(default=dict, blank=True)
    retry_count = models.PositiveSmallIntegerField(default=0)
    max_retries = models.PositiveSmallIntegerField(default=MAX_RETRIES)

    total_posts = models.PositiveIntegerField()
    open_posts = models.IntegerField(help_text="How many of them have not ended: the step that makes it 0 finalizes.")
    posts_processed = models.PositiveIntegerField(default=0)
    progress_points = models.IntegerField(default=0, help_text="The sum of its posts' progress.")
    total_api_calls = models.PositiveIntegerField(default=0)
    cost_micros = models.BigIntegerField(default=0, help_text="Of what has a price.")
    duration_seconds = models.FloatField(null=True, blank=True, help_text="From when it was last opened to its end.")
    started_at = models.DateTimeField(null=True, blank=True, help_text="When it was taken, or last opened again.")
    finished_at = models.DateTimeField(null=True, blank=True)
    cancelled_at = models.DateTimeField(null=True, blank=True)
    request_id = models.CharField(max_length=64, blank=True, help_text="Of the HTTP request it came with.")

    class Meta:
        verbose_name = "analysis request"
        constraints = [
            models.CheckConstraint(condition=Q(open_posts__gte=0), name="request_open_posts"),
            models.CheckConstraint(condition=Q(retry_count__lte=models.F("max_retries")), name="request_retries"),
        ]
        indexes = [
            models.Index("user", "created_at", "id", name="request_of_user"),
            models.Index("user", "status", "created_at", "id", name="request_of_user_status"),
            models.Index("status", "created_at", "id", name="request_of_status"),
            models.Index("created_at", "id", name="request_age"),
            models.Index("request_id", name="request_of_http"),
        ]

    def __str__(self) -> str:
        return self.display_name


class PostAnalysis(Row):
    """One address of a request: the stage it is at, who holds it, and what came of it.

    The work is claimed by one conditional UPDATE, which moves `fence`: whatever is written afterwards names it, so the
    word of a worker that was given up falls on the floor.
    """

    request = models.ForeignKey(PostAnalysisRequest, on_delete=models.CASCADE, related_name="posts", db_index=False)
    position = models.PositiveSmallIntegerField(default=0, help_text="Its place among the addresses.")
    platform = models.CharField(max_length=20)
    platform_post_id = models.CharField(max_length=64)
    url = models.CharField(max_length=300)
    post = models.ForeignKey("social.Post", null=True, blank=True, on_delete=models.SET_NULL, related_name="+")

    status = models.CharField(max_length=10, choices=Status.choices, default=Status.PENDING)
    stage = models.CharField(max_length=20, help_text="The first one that is not done.")
    stage_since = models.DateTimeField(help_text="When it came to this stage.")
    fence = models.IntegerField(default=0, help_text="How often it was claimed.")
    tries = models.PositiveSmallIntegerField(default=0, help_text="Spent on this stage.")
    lease_until = models.DateTimeField(null=True, blank=True, help_text="Until then it is somebody's.")
    run_after = models.DateTimeField(null=True, blank=True, help_text="It waits until then.")
    woken = models.IntegerField(default=0, help_text="The fence under which what it waits for came.")
    hinted_at = models.DateTimeField(null=True, blank=True, help_text="When a message was last sent for it.")
    progress = models.PositiveSmallIntegerField(default=0)
    finished_at = models.DateTimeField(null=True, blank=True)
    error_stage = models.CharField(max_length=30, blank=True)
    error_category = models.CharField(max_length=20, blank=True)
    error_code = models.CharField(max_length=40, blank=True)
    error_message = models.CharField(max_length=500, blank=True)
    error_retryable = models.BooleanField(default=False)

    is_viral = models.BooleanField(null=True, blank=True)
    verdict = models.JSONField(default=dict, blank=True)
    virality_reasoning = models.JSONField(default=list, blank=True)
    quick_takeaways = models.JSONField(default=list, blank=True)
    creator_context = models.JSONField(default=list, blank=True)
    content_observation = models.JSONField(default=dict, blank=True)
    replicable_elements = models.JSONField(default=list, blank=True)
    viral_formula = models.JSONField(default=dict, blank=True)
    improvements = models.JSONField(default=list, blank=True)
    suggestions_for_future_posts = models.JSONField(default=list, blank=True)
    confounders = models.JSONField(default=list, blank=True)
    demand = models.JSONField(default=list, blank=True)
    evidence = models.JSONField(default=list, blank=True)
    grounding = models.JSONField(default=dict, blank=True)
    metadata_used = models.JSONField(default=dict, blank=True, help_text="What the explanation could rest on.")
    provider = models.CharField(max_length=30, blank=True)
    model = models.CharField(max_length=80, blank=True)
    prompt_version = models.CharField(max_length=20, blank=True)
    tokens = models.JSONField(default=dict, blank=True)
    cost_micros = models.BigIntegerField(null=True, blank=True, help_text="Of all its stages, where known.")

    class Meta:
        verbose_name_plural = "post analyses"
        constraints = [
            models.UniqueConstraint("request", "platform", "platform_post_id", name="one_analysis_a_post_and_request"),
        ]
        indexes = [
            # What a sweep looks at: the open ones, by when they are due.
            models.Index(
                "run_after", "lease_until", name="analysis_open", condition=Q(status__in=["PENDING", "PROCESSING"])
            ),
            # Whom to wake when a post has been collected, and who asked for an address.
            models.Index("platform", "platform_post_id", name="analysis_of_address"),
            models.Index("request", "position", name="analysis_of_request"),
            models.Index("created_at", "id", name="analysis_age"),
            models.Index("status", "created_at", "id", name="analysis_of_status"),
        ]  # fmt: skip

    def __str__(self) -> str:
        return self.url


class StageRun(models.Model):
    """One run of one stage: written when the post is claimed, ended with what it used. The intent before each call."""

    class Outcome(models.TextChoices):
        RUNNING = "running"
        DONE = "done"
        NOT_READY = "not_ready"
        FAILED = "failed"
        LOST = "lost"  # its worker was given up
        UNDONE = "undone"  # it was done, and is to be run again

    id = models.BigAutoField(primary_key=True)
    post_analysis = models.ForeignKey(PostAnalysis, on_delete=models.CASCADE, related_name="runs", db_index=False)
    stage = models.CharField(max_length=20)
    fence = models.IntegerField()
    outcome = models.CharField(max_length=10, choices=Outcome.choices, default=Outcome.RUNNING)
    started_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True, blank=True)
    code = models.CharField(max_length=40, blank=True)
    note = models.CharField(max_length=500, blank=True)
    reused = models.BooleanField(default=False, help_text="Nothing was fetched: it was there.")
    calls = models.PositiveIntegerField(default=0)
    tokens = models.PositiveIntegerField(default=0)
    seconds_transcribed = models.FloatField(default=0)
    cost_micros = models.BigIntegerField(null=True, blank=True, help_text="Empty where a price is not known.")

    class Meta:
        constraints = [
            models.UniqueConstraint("post_analysis", "stage", "fence", name="one_run_a_claim"),
            # A second result of a stage is impossible, not unlikely.
            models.UniqueConstraint(
                "post_analysis", "stage", condition=Q(outcome="done"), name="one_result_a_stage"
            ),
        ]  # fmt: skip

    def __str__(self) -> str:
        return f"{self.stage} {self.outcome}"


class AnalysisStatusHistory(models.Model):
    """What was told of a request, in order: an id is taken under the request's lock, so ids grow as rows commit."""

    id = models.BigAutoField(primary_key=True)
    request = models.ForeignKey(
        PostAnalysisRequest, on_delete=models.CASCADE, related_name="history", db_index=False
    )  # fmt: skip
    post_analysis = models.ForeignKey(
        PostAnalysis, null=True, blank=True, on_delete=models.CASCADE, related_name="+", db_index=False
    )
    created_at = models.DateTimeField()
    stage = models.CharField(max_length=30)
    status = models.CharField(max_length=10, choices=Status.choices)
    progress = models.PositiveSmallIntegerField()
    message = models.CharField(max_length=300)
    cost_micros = models.BigIntegerField(default=0, help_text="Of the request so far, of what has a price.")

    class Meta:
        verbose_name_plural = "analysis status history"
        indexes = [
            models.Index("request", "id", name="history_of_request"),
            models.Index("post_analysis", name="history_of_post"),
        ]

    def __str__(self) -> str:
        return f"{self.stage} {self.progress}"


class ModelAnswer(Row):
    """What a model was asked, to the letter, and what it answered: for whoever must understand an explanation."""

    post_analysis = models.ForeignKey(PostAnalysis, on_delete=models.CASCADE, related_name="answers")
    fence = models.IntegerField()
    provider = models.CharField(max_length=30)
    model = models.CharField(max_length=80, blank=True)
    prompt_version = models.CharField(max_length=20)
    prompt = models.TextField()
    answer = models.TextField(blank=True)
    finish = models.CharField(max_length=20, blank=True)
    problem = models.CharField(max_length=200, blank=True, help_text="Why this answer was not used.")
    set_aside = models.BooleanField(default=False, help_text="The step was to be run anew: it is not used any more.")
    tokens = models.JSONField(default=dict, blank=True)
    cost_micros = models.BigIntegerField(null=True, blank=True)

    class Meta:
        indexes = [models.Index("created_at", "id", name="answer_by_age")]

    def __str__(self) -> str:
        return f"{self.provider} {self.model}"
