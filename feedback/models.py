"""What users said, and what the team made of it."""

from django.conf import settings
from django.db import models
from django.db.models import Q

from core.models import Row

LONGEST_TEXT = 4000


class Feedback(Row):
    """One message of a user with its triage. What the user said is never changed."""

    class Kind(models.TextChoices):
        BUG = "bug"
        IDEA = "idea"
        PRAISE = "praise"
        OTHER = "other"

    class Status(models.TextChoices):
        NEW = "new"
        SEEN = "seen"
        PLANNED = "planned"
        ANSWERED = "answered"
        CLOSED = "closed"

    # Goes with its author: a free text cannot be made anonymous, for it may name anybody and tell anything.
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="feedback", db_index=False
    )
    kind = models.CharField(max_length=10, choices=Kind.choices)
    message = models.CharField(max_length=LONGEST_TEXT)
    rating = models.PositiveSmallIntegerField(null=True, blank=True, choices=[(n, str(n)) for n in range(1, 6)])
    page = models.CharField(max_length=500, blank=True, help_text="Where the user was, as they say.")
    # No foreign key: the app whose row this is stands beside or above, and the message outlives the analysis. So the id
    # is only what the user says; whoever shows the row itself must ask whether it is this user's.
    post_analysis_id = models.UUIDField(null=True, blank=True)
    claim = models.CharField(max_length=500, blank=True, help_text="The claim it is about: its id or its text.")
    request_id = models.CharField(max_length=64, blank=True)
    user_agent = models.CharField(max_length=300, blank=True)

    status = models.CharField(max_length=10, choices=Status.choices, default=Status.NEW)
    assignee = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="+",
        db_index=False,
        limit_choices_to={"is_staff": True, "is_active": True},
    )
    reply = models.CharField(max_length=LONGEST_TEXT, blank=True)
    replied_at = models.DateTimeField(null=True, blank=True)
    replied_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    # No foreign key: mails are forgotten after a month, by a statement that should have nothing else to look at.
    reply_mail_id = models.UUIDField(null=True, blank=True, unique=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        verbose_name_plural = "feedback"
        constraints = [
            models.CheckConstraint(condition=Q(kind__in=["bug", "idea", "praise", "other"]), name="feedback_kind"),
            models.CheckConstraint(
                condition=Q(status__in=["new", "seen", "planned", "answered", "closed"]), name="feedback_status"
            ),
            models.CheckConstraint(condition=Q(rating__range=(1, 5)), name="feedback_rating"),
            models.CheckConstraint(condition=~Q(message=""), name="feedback_says_something"),
            models.CheckConstraint(condition=Q(reply="") ^ Q(replied_at__isnull=False), name="feedback_reply_whole"),
            models.CheckConstraint(
                condition=~Q(status="answered") | Q(replied_at__isnull=False), name="feedback_answered_with_a_reply"
            ),
        ]
        indexes = [
            models.Index("user", "created_at", "id", name="feedback_of_user"),
            models.Index("status", "created_at", "id", name="feedback_of_status"),
            models.Index("assignee", "created_at", "id", name="feedback_of_assignee"),
            models.Index("created_at", "id", name="feedback_age"),
            models.Index("request_id", name="feedback_of_request"),
        ]

    def __str__(self) -> str:
        # Without a word of the user's: the admin's history keeps this, and is not erased with them.
        return f"{self.kind} {self.pk}"
