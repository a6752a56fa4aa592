"""Notes over HTTP."""

from collections.abc import Collection
from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from analysis.notes import services
from analysis.notes.models import AnalysisNote
from analysis.notes.serializers import NewNoteSerializer, NoteSerializer
from analysis.views import user_of
from core import errors
from core.api import ValuesListView, checked
from core.paging import PAGE_SIZE
from core.statements import Parameter
from core.wire import LongTextParser


class Notes(ValuesListView):
    """One's own notes, the newest first."""

    serializer_class = NoteSerializer
    # A note may be half a megabyte: a hundred of them are no answer, and `next` leads to the others.
    largest_page = PAGE_SIZE

    @classmethod
    def rows(cls, given: Collection[str]) -> QuerySet[AnalysisNote]:
        return AnalysisNote.objects.filter(**{name: Parameter(name) for name in given})

    def given(self) -> dict[str, Any]:
        return {"user": user_of(self.request).pk}


class OneNote(APIView):
    """One's own note on an analysis."""

    @extend_schema(responses={200: NoteSerializer, 404: errors.Missing})
    def get(self, request: Request, post_analysis_id: UUID) -> Response:
        """One's own note on an analysis."""
        return Response(services.find(user_of(request), post_analysis_id))


class SaveNote(APIView):
    """Save a note."""

    parser_classes = [LongTextParser]

    @extend_schema(request=NewNoteSerializer, responses={200: NoteSerializer, 404: errors.Missing})
    def post(self, request: Request) -> Response:
        """Save the one note that a user has on an analysis. What was there is written over."""
        said = checked(NewNoteSerializer, request.data).validated_data
        return Response(services.save(user_of(request), said.pop("post_analysis_id"), **said))


class DeleteNote(APIView):
    """Remove a note."""

    @extend_schema(responses={204: None, 404: errors.Missing})
    def delete(self, request: Request, note_id: UUID) -> Response:
        """Remove a note."""
        services.remove(user_of(request), note_id)
        return Response(status=204)
