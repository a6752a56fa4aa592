"""The base every listed row stands on, and how many rows are deleted."""

from typing import Any

from django.db import models

from core.ids import uuid7


class Row(models.Model):
    """A row with an id that sorts by time and the moment it was made."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    created_at = models.DateTimeField(auto_now_add=True, editable=False)

    class Meta:
        abstract = True


def delete_in_batches(rows: models.QuerySet[Any], size: int = 1000) -> int:
    """Delete the rows a batch at a time, so that no statement runs long, and say how many they were."""
    deleted = 0
    while batch := list(rows.values_list("pk", flat=True)[:size]):
        deleted += rows.filter(pk__in=batch).delete()[0]
    return deleted
