"""A note: one for each user and analysis."""

from django.conf import settings
from django.db import models

from core.models import Row

LONGEST_TITLE, LONGEST_NOTE = 200, 120_000


class AnalysisNote(Row):
    """Plain text of its user's."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+", db_index=False)
    post_analysis = models.ForeignKey("analysis.PostAnalysis", on_delete=models.CASCADE, related_name="+")
    title = models.CharField(max_length=LONGEST_TITLE, blank=True)
    content = models.TextField(blank=True)
    updated_at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint("user", "post_analysis", name="one_note_a_user_and_analysis")]
        indexes = [models.Index("user", "created_at", "id", name="note_of_user")]

    def __str__(self) -> str:
        return f"note {self.pk}"
