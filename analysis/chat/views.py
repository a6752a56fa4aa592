"""Conversations over HTTP."""

from collections.abc import Collection
from typing import Any
from uuid import UUID

import orjson
from django.db.models import F, QuerySet
from django.http.response import HttpResponseBase
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.authentication import BearerAuthentication
from accounts.idempotency import KEY_HEADER, REPLAY_HEADER, idempotent
from accounts.tickets import SECONDS, TicketAuthentication, issue
from analysis.chat import serializers as shapes
from analysis.chat import services, tail
from analysis.chat.bodies import message_body
from analysis.chat.models import ChatMessage, ChatSession
from analysis.errors import AnswerRunning, NothingToStop, NotReadyToTalk
from analysis.serializers import TicketSerializer
from analysis.views import user_of
from core import errors, streams
from core.api import ValuesListView, checked
from core.statements import Parameter
from core.throttling import ApiThrottle

SHOWN_MESSAGES = 100
RESUME = OpenApiParameter(
    "Last-Event-ID", str, OpenApiParameter.HEADER, description="How many characters were shown: go on behind them."
)
EVENTS = {(200, "text/event-stream"): OpenApiTypes.STR}


class ChatThrottle(ApiThrottle):
    """How often somebody may ask; reading is not counted. What is refused or repeated counts as well."""

    scope = "chat"

    def allow_request(self, request: Request, view: Any) -> bool:
        return request.method != "POST" or super().allow_request(request, view)


class OpenSession(APIView):
    """The one conversation of a post analysis."""

    @extend_schema(
        request=shapes.NewSessionSerializer,
        responses={
            200: shapes.SessionDetailSerializer, 201: shapes.SessionDetailSerializer, 404: errors.Missing,
            409: NotReadyToTalk,
        },
    )  # fmt: skip
    def post(self, request: Request) -> Response:
        """The one conversation of a post analysis: begun, or as it is."""
        asked = checked(shapes.NewSessionSerializer, request.data).validated_data
        session, is_new = services.open_session(user_of(request), asked["post_analysis_id"])
        return Response(_session_body(request, session.pk), status=201 if is_new else 200)


class Sessions(ValuesListView):
    """One's own conversations, the newest first."""

    serializer_class = shapes.SessionSerializer

    @classmethod
    def rows(cls, given: Collection[str]) -> QuerySet[ChatSession]:
        return _sessions().filter(**{name: Parameter(name) for name in given})

    def given(self) -> dict[str, Any]:
        return {"user": user_of(self.request).pk}


class OneSession(APIView):
    """A conversation with its latest messages."""

    @extend_schema(responses={200: shapes.SessionDetailSerializer, 404: errors.Missing})
    def get(self, request: Request, session_id: UUID) -> Response:
        """A conversation with its latest messages, in their order."""
        return Response(_session_body(request, session_id))


class Messages(ValuesListView):
    """The messages of a conversation."""

    serializer_class = shapes.MessageSerializer
    throttle_classes = [ApiThrottle, ChatThrottle]

    @classmethod
    def rows(cls, given: Collection[str]) -> QuerySet[ChatMessage]:
        return ChatMessage.objects.filter(session=Parameter("session_id"))

    order = ("id",)

    def given(self) -> dict[str, Any]:
        return {"session_id": self.kwargs["session_id"]}

    @extend_schema(responses={200: shapes.MessageSerializer(many=True), 404: errors.Missing})
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """The messages of a conversation, the newest first."""
        _require_own(request, self.kwargs["session_id"])
        return super().get(request)

    @extend_schema(
        request=shapes.QuestionSerializer,
        parameters=[KEY_HEADER, REPLAY_HEADER],
        responses={
            200: shapes.MessageSerializer, 202: shapes.MessageSerializer, 402: errors.LimitReached,
            404: errors.Missing, 409: AnswerRunning,
        },
    )  # fmt: skip
    def post(self, request: Request, session_id: UUID) -> Response:
        """Ask, and have the whole answer. 202 where it takes long: it stands at `Location` when it is complete."""
        asked, replayed = _ask(self, request, session_id)
        done = services.wait_for(asked)
        body = message_body(services.own_message(user_of(request), asked))
        response = Response(body, status=200 if done else 202)
        response["Location"] = f"/api/analysis/chat/messages/{asked}/"
        if replayed:
            response["Idempotent-Replay"] = "true"
        return response


class MessageStream(APIView):
    """Ask, and have the answer word by word."""

    throttle_classes = [ApiThrottle, ChatThrottle]

    @extend_schema(
        request=shapes.QuestionSerializer,
        parameters=[KEY_HEADER, REPLAY_HEADER],
        responses={**EVENTS, 402: errors.LimitReached, 404: errors.Missing, 409: AnswerRunning},
    )
    def post(self, request: Request, session_id: UUID) -> HttpResponseBase:
        """Ask, and have the answer word by word.

        Server-Sent Events: `start {message_id}`, `token {text, at}`, `citation {evidence_id}`, then `done {message}`
        or `error {code, message, answer}`.
        A browser that goes away stops nothing: `chat/messages/{id}/stream/` goes on where it was.
        """
        asked, replayed = _ask(self, request, session_id)
        response = streams.respond_with(tail.follow(asked, 0, is_new=not replayed))
        if replayed:
            response["Idempotent-Replay"] = "true"
        return response


class Resume(APIView):
    """Go on with an answer."""

    authentication_classes = [BearerAuthentication, TicketAuthentication]

    @extend_schema(
        parameters=[
            RESUME, OpenApiParameter("ticket", str, description="In place of a token, where no header can be sent.")
        ],
        responses={**EVENTS, 404: errors.Missing},
    )  # fmt: skip
    def get(self, request: Request, message_id: UUID) -> HttpResponseBase:
        """Go on with an answer behind what was shown, or have it from its beginning."""
        services.own_message(user_of(request), message_id)
        shown = tail.after_header(request.headers.get("Last-Event-ID"))
        return streams.respond_with(tail.follow(message_id, shown))


class ResumeTicket(APIView):
    """A ticket for an answer's events."""

    @extend_schema(request=None, responses={201: TicketSerializer, 404: errors.Missing})
    def post(self, request: Request, message_id: UUID) -> Response:
        """A ticket for an answer's events, for a browser whose EventSource can send no header."""
        services.own_message(user_of(request), message_id)
        ticket = issue(user_of(request), request.path.removesuffix("ticket/"))
        return Response({"ticket": ticket, "expires_in": SECONDS}, status=201)


class OneMessage(APIView):
    """A question or an answer."""

    @extend_schema(responses={200: shapes.MessageSerializer, 404: errors.Missing})
    def get(self, request: Request, message_id: UUID) -> Response:
        """A question or an answer, as far as it is."""
        return Response(message_body(services.own_message(user_of(request), message_id)))


class CancelMessage(APIView):
    """Stop an answer."""

    @extend_schema(request=None, responses={200: shapes.MessageSerializer, 404: errors.Missing, 409: NothingToStop})
    def post(self, request: Request, message_id: UUID) -> Response:
        """Stop an answer that is being given; what was said of it stays. Nothing is spent where nothing was said."""
        services.stop(user_of(request), message_id)
        return Response(message_body(services.own_message(user_of(request), message_id)))


def _ask(view: APIView, request: Request, session_id: UUID) -> tuple[UUID, bool]:
    """The answer that is owed, and whether it was owed before, under the same key."""
    response = _ask_once(view, request, session_id)
    if isinstance(response, Response):
        return response.data["message_id"], False
    return UUID(orjson.loads(response.content)["message_id"]), True  # type: ignore[attr-defined]


@idempotent
def _ask_once(view: APIView, request: Request, session_id: UUID) -> HttpResponseBase:
    content = checked(shapes.QuestionSerializer, request.data).validated_data["content"]
    return Response({"message_id": services.ask(user_of(request), session_id, content)})


def _sessions() -> QuerySet[ChatSession]:
    named = {"url": F("post_analysis__url"), "display_name": F("post_analysis__request__display_name")}
    return ChatSession.objects.annotate(**named)


def _session_body(request: Request, session_id: UUID) -> dict[str, Any]:
    row = _sessions().filter(pk=session_id, user=user_of(request)).values(*shapes.SessionSerializer.Meta.fields).first()
    if row is None:
        raise errors.Missing
    latest = list(ChatMessage.objects.filter(session=session_id).order_by("-id")[: SHOWN_MESSAGES + 1])
    shown = [message_body(message) for message in latest[:SHOWN_MESSAGES]]
    earlier = request.build_absolute_uri(f"/api/analysis/chat/sessions/{session_id}/messages/")
    return {**row, "messages": shown[::-1], "earlier": earlier if len(latest) > SHOWN_MESSAGES else None}


def _require_own(request: Request, session_id: UUID) -> None:
    if not ChatSession.objects.filter(pk=session_id, user=user_of(request)).exists():
        raise errors.Missing
