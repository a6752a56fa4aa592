"""What the generated OpenAPI document says of every endpoint beyond what its view declares."""

from typing import Any, Literal

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.utils import OpenApiExample, extend_schema_serializer
from rest_framework import serializers
from rest_framework.permissions import AllowAny


@extend_schema_serializer(
    examples=[
        OpenApiExample(
            "A field is wrong",
            value={
                "error": "The request is not valid.",
                "code": "invalid",
                "details": {"email": ["Enter a valid email address."]},
                "request_id": "019a7c1e-8f2b-7c3d-9e4f-5a6b7c8d9e0f",
            },
        )
    ]
)
class ProblemSerializer(serializers.Serializer[Any]):
    """The one shape of every error."""

    error = serializers.CharField(help_text="A sentence for a person.")
    code = serializers.CharField(help_text="What a program branches on.")
    details = serializers.DictField(help_text="More about it; for an invalid request, the messages by field.")
    request_id = serializers.CharField(help_text="Quote it when you ask for help.")


class Schema(AutoSchema):
    """Add the errors an endpoint can answer with, and the cursor of lists."""

    def _get_response_bodies(self, direction: Literal["request", "response"] = "response") -> Any:
        bodies = super()._get_response_bodies(direction)
        problem = self._get_response_for_code(  # type: ignore[no-untyped-call]
            ProblemSerializer, "400", None, direction
        )
        for status in self._problem_statuses():
            bodies.setdefault(str(status), problem)
        return bodies

    def _problem_statuses(self) -> list[int]:
        closed = AllowAny not in self.view.permission_classes
        body = self.method in {"POST", "PUT", "PATCH", "DELETE"}
        statuses = [429, 503, 400]
        statuses += [401, 403] if closed or body else []
        statuses += [402, 409, 413, 415] if body else []
        return statuses + ([404] if "{" in self.path else [])


class BearerScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    """How to say who one is."""

    target_class = "accounts.authentication.BearerAuthentication"
    name = "bearer"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        return {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}
