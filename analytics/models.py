"""What happened, kept as it happened."""

from django.conf import settings
from django.db import models

from core.models import Row


class AuthenticationLog(Row):
    """One attempt to come in, go out or change a password."""

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.CASCADE, related_name="+", db_index=False
    )
    event = models.CharField(max_length=30)
    success = models.BooleanField()
    reason = models.CharField(max_length=60, blank=True)
    ip = models.GenericIPAddressField(null=True)
    user_agent = models.CharField(max_length=300, blank=True)
    request_id = models.CharField(max_length=64, blank=True)

    class Meta:
        indexes = [
            models.Index("user", "created_at", "id", name="authentication_of_user"),
            models.Index("created_at", name="authentication_age"),
        ]

    def __str__(self) -> str:
        return self.event
