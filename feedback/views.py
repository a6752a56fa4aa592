"""Feedback over HTTP."""

from collections.abc import Collection
from typing import Any, cast

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.idempotency import idempotent
from accounts.models import User
from core.api import ValuesListView, checked
from core.statements import Parameter
from core.throttling import ApiThrottle
from feedback.models import Feedback
from feedback.serializers import FeedbackSerializer, NewFeedbackSerializer
from feedback.services import give_feedback


class FeedbackThrottle(ApiThrottle):
    """How often somebody may say something; reading is not counted."""

    scope = "feedback"

    def allow_request(self, request: Request, view: Any) -> bool:
        return request.method != "POST" or super().allow_request(request, view)


class OwnFeedback(ValuesListView):
    """What one has said, newest first, and what became of it."""

    serializer_class = FeedbackSerializer
    throttle_classes = [ApiThrottle, FeedbackThrottle]

    @classmethod
    def rows(cls, given: Collection[str]) -> QuerySet[Feedback]:
        return Feedback.objects.filter(**{name: Parameter(name) for name in given})

    def given(self) -> dict[str, Any]:
        return {"user": self.request.user.pk}

    @extend_schema(request=NewFeedbackSerializer, responses={201: FeedbackSerializer})
    @idempotent
    def post(self, request: Request) -> Response:
        """Tell the team something: a fault, an idea, praise. A reply comes by mail and stands in the list."""
        said = checked(NewFeedbackSerializer, request.data).validated_data
        feedback = give_feedback(request._request, cast(User, request.user), said)
        return Response({name: getattr(feedback, name) for name in FeedbackSerializer.Meta.fields}, status=201)
