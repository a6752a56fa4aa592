"""Analyses over HTTP."""

from collections.abc import Collection
from typing import Any, cast
from uuid import UUID

from django.db.models import QuerySet
from django.http.response import HttpResponseBase
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.authentication import BearerAuthentication
from accounts.idempotency import idempotent
from accounts.models import User
from accounts.tickets import SECONDS, TicketAuthentication, issue
from analysis import events, services
from analysis import serializers as shapes
from analysis.bodies import PROGRESS, post_body, request_body
from analysis.errors import AlreadyOver, NothingToRetry
from analysis.models import AnalysisStatusHistory, PostAnalysisRequest, Status
from analysis.post_shapes import StoredPostsSerializer
from analysis.posts import posts_of
from analysis.quoting import quote
from core import errors, streams
from core.api import ValuesListView, checked
from core.statements import Parameter
from core.throttling import ApiThrottle
from social.platforms import PLATFORMS

LONGEST_SEARCH = 100


class AnalysisThrottle(ApiThrottle):
    """How often somebody may ask for an analysis."""

    scope = "analysis"


class Analyze(APIView):
    """Have posts explained."""

    throttle_classes = [ApiThrottle, AnalysisThrottle]

    @extend_schema(
        request=shapes.PostUrlsSerializer,
        responses={202: shapes.RequestDetailSerializer, 402: errors.LimitReached},
    )
    @idempotent
    def post(self, request: Request) -> Response:
        """Have posts explained. Every address is read first: with a wrong one among them nothing is spent."""
        urls = checked(shapes.PostUrlsSerializer, request.data).validated_data["post_urls"]
        asked = services.request_analysis(user_of(request), urls)
        return Response(request_body(asked.pk, user_id=user_of(request).pk), status=202)


class Quote(APIView):
    """What a request would use, without asking for it."""

    @extend_schema(request=shapes.PostUrlsSerializer, responses=shapes.QuoteSerializer)
    def post(self, request: Request) -> Response:
        urls = checked(shapes.PostUrlsSerializer, request.data).validated_data["post_urls"]
        return Response(quote(user_of(request), urls))


class Requests(ValuesListView):
    """One's own requests, the newest first."""

    serializer_class = shapes.RequestSerializer

    @classmethod
    def rows(cls, given: Collection[str]) -> QuerySet[PostAnalysisRequest]:
        lookups = {"q": "display_name__icontains"}
        narrowed = {lookups.get(name, name): Parameter(name) for name in given}
        return PostAnalysisRequest.objects.filter(**narrowed).annotate(progress=PROGRESS)

    def given(self) -> dict[str, Any]:
        query = self.request.query_params
        asked = {
            "status": _one_of(query.get("status", ""), Status.values, "status"),
            "platform": _one_of(query.get("platform", ""), [*PLATFORMS, "mixed"], "platform"),
            "q": query.get("q", "").replace("\0", "")[:LONGEST_SEARCH],
        }
        return {"user": user_of(self.request).pk, **{name: value for name, value in asked.items() if value}}

    @extend_schema(
        parameters=[
            OpenApiParameter("status", str, enum=Status.values, description="Those in this state."),
            OpenApiParameter("platform", str, enum=[*PLATFORMS, "mixed"], description="Those of this platform."),
            OpenApiParameter("q", str, description="Those whose name holds this."),
        ]
    )
    def get(self, request: Request) -> Response:
        """One's own requests, the newest first."""
        return super().get(request)


class OneRequest(APIView):
    """A request with its posts and its receipt."""

    @extend_schema(responses={200: shapes.RequestDetailSerializer, 404: errors.Missing})
    def get(self, request: Request, request_id: UUID) -> Response:
        """A request with its posts and its receipt."""
        return Response(request_body(request_id, user_id=user_of(request).pk))

    @extend_schema(responses={204: None, 404: errors.Missing})
    def delete(self, request: Request, request_id: UUID) -> Response:
        """Remove a request with all that hangs on it; one that has not ended is called off first."""
        services.remove(user_of(request), request_id)
        return Response(status=204)


class Retry(APIView):
    """Go on with the posts that failed."""

    throttle_classes = [ApiThrottle, AnalysisThrottle]

    @extend_schema(
        request=None,
        responses={
            202: shapes.RequestDetailSerializer, 402: errors.LimitReached, 404: errors.Missing, 409: NothingToRetry,
        },
    )  # fmt: skip
    @idempotent
    def post(self, request: Request, request_id: UUID) -> Response:
        """Go on with the posts that failed, each at its first stage that is not done. At most three times."""
        services.retry(user_of(request), request_id)
        return Response(request_body(request_id, user_id=user_of(request).pk), status=202)


class Cancel(APIView):
    """Call a request off."""

    @extend_schema(request=None, responses={200: shapes.RequestDetailSerializer, 404: errors.Missing, 409: AlreadyOver})
    @idempotent
    def post(self, request: Request, request_id: UUID) -> Response:
        """Call off what has not ended. Posts that nothing has begun with get their unit back."""
        services.cancel(user_of(request), request_id)
        return Response(request_body(request_id, user_id=user_of(request).pk))


class History(ValuesListView):
    """What was told of a request, in order."""

    serializer_class = shapes.StatusSerializer
    order = ("id",)
    descending = False

    @classmethod
    def rows(cls, given: Collection[str]) -> QuerySet[AnalysisStatusHistory]:
        return AnalysisStatusHistory.objects.filter(request=Parameter("request_id"))

    def given(self) -> dict[str, Any]:
        return {"request_id": self.kwargs["request_id"]}

    @extend_schema(responses={200: shapes.StatusSerializer(many=True), 404: errors.Missing})
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """What was told of a request, in order."""
        _require_own(request, self.kwargs["request_id"])
        return super().get(request)


class Events(APIView):
    """A request's history as it is written, as Server-Sent Events.

    Each `status` event has its row's id as event id, `done` comes at the end, comments every 15 seconds say that the
    stream lives. `Last-Event-ID` goes on behind that row; 204 where nothing more will come.
    """

    authentication_classes = [BearerAuthentication, TicketAuthentication]

    @extend_schema(
        parameters=[
            OpenApiParameter("Last-Event-ID", str, OpenApiParameter.HEADER, description="The row to go on behind."),
        ],
        responses={(200, "text/event-stream"): OpenApiTypes.STR, 204: None, 404: errors.Missing},
    )
    def get(self, request: Request, request_id: UUID) -> HttpResponseBase:
        _require_own(request, request_id)
        after = events.after_header(request.headers.get("Last-Event-ID"))
        if not events.has_more(request_id, after):
            return Response(status=204)
        return streams.respond_with(events.follow(request_id, after))


class EventsTicket(APIView):
    """A ticket for a request's events."""

    @extend_schema(request=None, responses={201: shapes.TicketSerializer, 404: errors.Missing})
    def post(self, request: Request, request_id: UUID) -> Response:
        """A ticket for a request's events, for a browser whose EventSource can send no header."""
        _require_own(request, request_id)
        ticket = issue(user_of(request), request.path.removesuffix("ticket/"))
        return Response({"ticket": ticket, "expires_in": SECONDS}, status=201)


class OneAnalysis(APIView):
    """One post of a request."""

    @extend_schema(responses={200: shapes.PostAnalysisSerializer, 404: errors.Missing})
    def get(self, request: Request, post_analysis_id: UUID) -> Response:
        """One post of a request: how far it is, and why it did as it did."""
        return Response(post_body(post_analysis_id, user_id=user_of(request).pk))


class PostsOfRequest(APIView):
    """The posts of one's own request."""

    @extend_schema(tags=["social"], responses={200: StoredPostsSerializer, 404: errors.Missing})
    def get(self, request: Request, request_id: UUID) -> Response:
        """The posts of one's own request: text, numbers, media behind links, words with times, sampled comments."""
        results = posts_of(request_id, user_id=user_of(request).pk)
        return Response({"next": None, "previous": None, "results": results})


def user_of(request: Request) -> User:
    return cast(User, request.user)


def _require_own(request: Request, request_id: UUID) -> None:
    if not PostAnalysisRequest.objects.filter(pk=request_id, user=user_of(request)).exists():
        raise errors.Missing


def _one_of(value: str, allowed: Collection[str], name: str) -> str:
    if value and value not in allowed:
        raise errors.Invalid(details={name: [f"One of {', '.join(allowed)}."]})
    return value
