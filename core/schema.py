"""The API's description of itself: what OpenAPI says of every endpoint beyond what its view declares."""

import re
from functools import cache
from http import HTTPStatus
from typing import Any, Literal, cast

from django.conf import settings
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.plumbing import ResolvedComponent
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.exceptions import UnsupportedMediaType
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from core import errors
from core.api import ValuesListView, translate
from core.wire import LengthRequired

EXAMPLE_ID = "019a7c1e-8f2b-7c3d-9e4f-5a6b7c8d9e0f"
HEADERS: dict[str, dict[str, Any]] = {
    "X-Request-ID": {
        "description": "Names this request in our records: the caller's own id, if it sent a sane one.",
        "required": True,
        "schema": {"type": "string", "pattern": "^[A-Za-z0-9._-]{8,64}$"},
        "example": EXAMPLE_ID,
    },
    "RateLimit-Limit": {
        "description": "How many requests may come at once.",
        "schema": {"type": "integer", "minimum": 1},
        "example": 600,
    },
    "RateLimit-Remaining": {
        "description": "How many of them are left now.",
        "schema": {"type": "integer", "minimum": 0},
        "example": 599,
    },
    "RateLimit-Reset": {
        "description": "Seconds until all of them are there again.",
        "schema": {"type": "integer", "minimum": 0},
        "example": 1,
    },
    "Retry-After": {
        "description": "Seconds to wait before trying again.",
        "schema": {"type": "integer", "minimum": 1},
        "example": 12,
    },
    "WWW-Authenticate": {
        "description": "How to say who one is.",
        "required": True,
        "schema": {"type": "string", "const": "Bearer"},
        "example": "Bearer",
    },
}
RATE_HEADERS = ("RateLimit-Limit", "RateLimit-Remaining", "RateLimit-Reset")
MORE_HEADERS = {401: ("WWW-Authenticate",), 429: ("Retry-After",), 503: ("Retry-After",)}
NOTHING = {"type": "string", "maxLength": 0}
INVALID = errors.Invalid(details={"email": ["Enter a valid email address."]})
WRONG_KIND = cast(errors.Problem, translate(UnsupportedMediaType("text/plain")))


class ProblemSerializer(serializers.Serializer[Any]):
    """The one shape of every error."""

    error = serializers.CharField(read_only=True, help_text="A sentence for a person.")
    code = serializers.RegexField(r"^[a-z_]+\Z", read_only=True, help_text="What a program branches on.")
    details = serializers.DictField(
        read_only=True, help_text="More about it; for an invalid request, the messages by field."
    )
    request_id = serializers.CharField(read_only=True, help_text="Quote it when you ask for help.")


class Schema(AutoSchema):
    """Say of every operation which errors it can answer, which headers come along, and what a list looks like.

    An error stands among the `responses` of `extend_schema` as its class: `{402: errors.LimitReached}`. Those that
    follow from what a view is (open or closed, with a body or without) are found here.
    """

    def get_operation_id(self) -> str:
        name = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", type(self.view).__name__).lower()
        several = len(set(self.view.allowed_methods) - {"HEAD", "OPTIONS"}) > 1
        return "_".join([*self.get_tags(), name, *([str(self.method).lower()] if several else [])])

    def get_summary(self) -> str:
        return re.split(r"\.\s", str(super().get_description()), maxsplit=1)[0].rstrip(".")

    def get_description(self) -> str:  # type: ignore[override]
        text = str(super().get_description())
        # A single sentence is the summary already.
        return text if ". " in text or "\n" in text else ""

    def get_auth(self) -> list[Any]:
        return [each for each in super().get_auth() if each]

    def _is_list_view(self, serializer: Any = None) -> bool:
        # The same address may take single rows too.
        listed = isinstance(self.view, ValuesListView) and self.method == "GET"
        return listed or super()._is_list_view(serializer)

    # Requests

    def _postprocess_serializer_schema(self, schema: Any, serializer: Any, direction: str) -> Any:
        schema = super()._postprocess_serializer_schema(schema, serializer, direction)  # type: ignore[no-untyped-call]
        if either := getattr(serializer, "either", ()):
            schema["anyOf"] = [{"required": list(names)} for names in either]
        return schema

    def _insert_field_validators(self, field: Any, schema: Any) -> None:
        super()._insert_field_validators(field, schema)  # type: ignore[no-untyped-call]
        # Nothing at all may match the other choice too, and `oneOf` would refuse it then.
        if NOTHING in schema.get("oneOf", ()):
            schema["anyOf"] = schema.pop("oneOf")

    def _get_request_for_media_type(self, serializer: Any, direction: str = "request") -> tuple[Any, bool]:
        schema, required = super()._get_request_for_media_type(serializer, direction)  # type: ignore[no-untyped-call]
        return schema, required or hasattr(serializer, "either")

    # Answers

    def _get_response_bodies(self, direction: Literal["request", "response"] = "response") -> Any:
        bodies = super()._get_response_bodies(direction)
        for problem in self._problems():
            bodies.setdefault(str(problem.status), self._reference(problem))
        return dict(sorted(bodies.items()))

    def _problems(self) -> list[errors.Problem]:
        """What can go wrong here because of what the view is; the rest is declared by the view."""
        problems: list[errors.Problem] = [errors.Unavailable()]
        if self.view.throttle_classes:
            problems.append(errors.TooMany(details={"retry_after": 30}))
        if AllowAny not in self.view.permission_classes:
            # An outside identity may clash with an account here when it is first seen, whatever it asks for.
            problems += [errors.Unauthenticated(), errors.Conflict()]
        if self._get_request_body():  # type: ignore[no-untyped-call]
            too_large = errors.TooLarge(details={"max_bytes": settings.MAX_BODY_BYTES})
            problems += [INVALID, LengthRequired(), too_large, WRONG_KIND]
        if self._get_parameters():
            problems.append(INVALID)
        return problems

    def _get_response_for_code(
        self, serializer: Any, status_code: str, media_types: Any = None, direction: str = "response"
    ) -> Any:
        if isinstance(serializer, type) and issubclass(serializer, errors.Problem):
            return self._reference(serializer())
        response = super()._get_response_for_code(serializer, status_code, media_types, direction)  # type: ignore[no-untyped-call]
        response["description"] = response["description"] or HTTPStatus(int(status_code)).phrase
        return response

    def _get_response_headers_for_code(self, status_code: str, direction: str = "response") -> Any:
        own = super()._get_response_headers_for_code(status_code, direction)
        return {**own, **self._headers(int(status_code), counted=bool(self.view.throttle_classes))}

    def _headers(self, status: int, *, counted: bool = True) -> dict[str, Any]:
        names = ("X-Request-ID", *(RATE_HEADERS if counted else ()), *MORE_HEADERS.get(status, ()))
        return {name: self._component(ResolvedComponent.HEADER, name, HEADERS[name]) for name in names}

    def _reference(self, problem: errors.Problem) -> Any:
        """A problem's answer, described once for all operations."""
        body = self.resolve_serializer(ProblemSerializer, "response").ref
        example = {"error": problem.message, "code": problem.code, "details": problem.details, "request_id": EXAMPLE_ID}
        answer = {
            "description": problem.message,
            "headers": self._headers(problem.status),
            "content": {"application/json": {"schema": body, "example": example}},
        }
        return self._component(ResolvedComponent.RESPONSE, problem.code.title().replace("_", ""), answer)

    def _component(self, kind: str, name: str, content: dict[str, Any]) -> Any:
        component = ResolvedComponent(name, kind, content, name)  # type: ignore[no-untyped-call]
        self.registry.register_on_missing(component)
        return component.ref


class SelfContained(Schema):
    """Of an endpoint that answers out of its own process, whatever else is away."""

    def _problems(self) -> list[errors.Problem]:
        return [problem for problem in super()._problems() if problem.status != HTTPStatus.SERVICE_UNAVAILABLE]


class BearerScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    """How to say who one is."""

    target_class = "accounts.authentication.BearerAuthentication"
    name = "bearer"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        text = "The access token of a sign-in, or the session token of the outside identity provider."
        return {"type": "http", "scheme": "bearer", "bearerFormat": "JWT", "description": text}


class TicketScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    """How a browser says who it is, whose EventSource can send no header."""

    target_class = "accounts.tickets.TicketAuthentication"
    name = "ticket"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        text = "A ticket for this one stream: it opens it once, within a minute."
        return {"type": "apiKey", "in": "query", "name": "ticket", "description": text}


class Description(APIView):
    """This description, as OpenAPI 3.1."""

    permission_classes = [AllowAny]
    authentication_classes = []
    schema = SelfContained()

    @extend_schema(responses={200: OpenApiTypes.OBJECT})
    def get(self, request: Request) -> Response:
        return Response(describe())


@cache
def describe() -> Any:
    # Half a second of work for whoever asks, and the same until the next start.
    return SchemaGenerator().get_schema(public=True)  # type: ignore[no-untyped-call]
