"""A conversation about one post analysis: its session, and what was asked and answered."""

from django.conf import settings
from django.db import models
from django.db.models import Q

from core.models import Row


class ChatSession(Row):
    """The one conversation of a post analysis."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+", db_index=False)
    post_analysis = models.OneToOneField("analysis.PostAnalysis", on_delete=models.CASCADE, related_name="chat")

    class Meta:
        indexes = [models.Index("user", "created_at", "id", name="chat_of_user")]

    def __str__(self) -> str:
        return f"chat {self.pk}"


class ChatMessage(Row):
    """A question, or an answer: a row from the moment it is owed, so that it can be neither lost nor given twice."""

    class Role(models.TextChoices):
        """Who speaks."""

        USER = "user"
        ASSISTANT = "assistant"

    class Status(models.TextChoices):
        """How far an answer is; a question is complete."""

        STREAMING = "streaming"
        COMPLETE = "complete"
        INTERRUPTED = "interrupted"
        FAILED = "failed"

    session = models.ForeignKey(ChatSession, on_delete=models.CASCADE, related_name="messages", db_index=False)
    role = models.CharField(max_length=10, choices=Role.choices)
    status = models.CharField(max_length=12, choices=Status.choices, default=Status.COMPLETE)
    content = models.TextField(blank=True)
    citations = models.JSONField(default=list, blank=True, help_text="Cited evidence, and what a check made of it.")
    provider = models.CharField(max_length=30, blank=True)
    model = models.CharField(max_length=80, blank=True)
    prompt_version = models.CharField(max_length=20, blank=True)
    tokens_in = models.PositiveIntegerField(default=0)
    tokens_out = models.PositiveIntegerField(default=0)
    tokens_cached = models.PositiveIntegerField(default=0)
    cost_micros = models.BigIntegerField(null=True, blank=True)
    error_code = models.CharField(max_length=40, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)

    # Of an answer that is being given: whose it is.
    fence = models.IntegerField(default=0)
    lease_until = models.DateTimeField(null=True, blank=True)
    hinted_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint("session", condition=Q(status="streaming"), name="one_answer_at_a_time"),
        ]
        indexes = [
            models.Index("session", "id", name="message_of_session"),
            models.Index("hinted_at", name="answers_owed", condition=Q(status="streaming")),
            models.Index("created_at", "id", name="message_age"),
        ]

    def __str__(self) -> str:
        return f"{self.role} {self.pk}"
