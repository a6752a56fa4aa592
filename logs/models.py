"""What the service said of itself."""

from django.db import models

from core.models import Row


class AppLog(Row):
    """One line of the log, from a warning on; the rest stays on stdout. Partitioned by month."""

    class Level(models.TextChoices):
        DEBUG = "DEBUG"
        INFO = "INFO"
        WARNING = "WARNING"
        ERROR = "ERROR"
        CRITICAL = "CRITICAL"

    class Category(models.TextChoices):
        AUTH = "AUTH"
        SCRAPE = "SCRAPE"
        API = "API"
        ANALYSIS = "ANALYSIS"
        BILLING = "BILLING"
        SYSTEM = "SYSTEM"

    level = models.CharField(max_length=10, choices=Level.choices)
    category = models.CharField(max_length=10, choices=Category.choices)
    logger = models.CharField(max_length=100)
    message = models.CharField(max_length=2000)
    metadata = models.JSONField(default=dict)
    request_id = models.CharField(max_length=64, blank=True)
    task_id = models.CharField(max_length=64, blank=True)

    class Meta:
        verbose_name, verbose_name_plural = "log line", "log lines"
        indexes = [
            models.Index("created_at", "id", name="app_log_age"),
            models.Index("level", "created_at", "id", name="app_log_of_level"),
            models.Index("category", "created_at", "id", name="app_log_of_category"),
            models.Index("request_id", name="app_log_of_request", condition=~models.Q(request_id="")),
        ]

    def __str__(self) -> str:
        return self.message


class ShippedSegment(models.Model):
    """How far a segment of a spool has been shipped: moved in the same transaction as its rows, gone when it is."""

    # The name of the file.
    id = models.UUIDField(primary_key=True, editable=False)
    position = models.PositiveBigIntegerField()
    moved_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.id} to {self.position}"


class RejectedLine(Row):
    """A line of a spool that the database would not take, kept as it was."""

    segment = models.UUIDField()
    position = models.PositiveBigIntegerField()
    table = models.CharField(max_length=63)
    line = models.TextField()
    error = models.CharField(max_length=500)

    class Meta:
        verbose_name, verbose_name_plural = "rejected line", "rejected lines"
        indexes = [models.Index("created_at", "id", name="rejected_line_age")]

    def __str__(self) -> str:
        return self.error
