"""What can be done with notes: save one, find one, remove one."""

from typing import Any
from uuid import UUID

from django.db.models.functions import Now

from accounts.models import User
from analysis.models import PostAnalysis
from analysis.notes.models import AnalysisNote
from core.errors import Missing

COLUMNS = ("id", "created_at", "updated_at", "post_analysis_id", "title", "content")


def save(user: User, post_analysis_id: UUID, *, title: str, content: str) -> dict[str, Any]:
    """The one note of this user on this analysis, new or written over; the last to save has the last word."""
    if not PostAnalysis.objects.filter(pk=post_analysis_id, request__user=user).exists():
        raise Missing
    note = AnalysisNote(
        user=user, post_analysis_id=post_analysis_id, title=title, content=content, updated_at=Now()
    )  # fmt: skip
    AnalysisNote.objects.bulk_create(
        [note],
        update_conflicts=True,
        unique_fields=["user", "post_analysis"],
        update_fields=["title", "content", "updated_at"],
    )
    return find(user, post_analysis_id)


def find(user: User, post_analysis_id: UUID) -> dict[str, Any]:
    row = AnalysisNote.objects.filter(user=user, post_analysis=post_analysis_id).values(*COLUMNS).first()
    if row is None:
        raise Missing
    return dict(row)


def remove(user: User, note_id: UUID) -> None:
    deleted, _ = AnalysisNote.objects.filter(pk=note_id, user=user).delete()
    if not deleted:
        raise Missing
