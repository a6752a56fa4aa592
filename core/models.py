"""The base every listed row stands on."""

from django.db import models

from core.ids import uuid7


class Row(models.Model):
    """A row with an id that sorts by time and the moment it was made."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    created_at = models.DateTimeField(auto_now_add=True, editable=False)

    class Meta:
        abstract = True
