"""How every endpoint answers: one shape for every error, lists from plain values."""

from abc import ABC, abstractmethod
from collections.abc import Collection
from functools import cache
from typing import Any

import structlog
from django.conf import settings
from django.core.exceptions import PermissionDenied, RequestDataTooBig, SuspiciousOperation
from django.core.validators import RegexValidator
from django.db import DataError, IntegrityError, InterfaceError, OperationalError
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, JsonResponse
from django.views.decorators.csrf import csrf_exempt
from psycopg.errors import ForeignKeyViolation
from rest_framework import exceptions
from rest_framework.fields import empty
from rest_framework.generics import GenericAPIView
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import CharField, Serializer
from rest_framework.views import set_rollback

from core import errors
from core.paging import LARGEST_PAGE, KeysetPagination, Listing

# In this order: a body that is too large is a suspicious operation too.
FROM_DJANGO: dict[type[Exception], type[errors.Problem]] = {
    Http404: errors.Missing,
    PermissionDenied: errors.Forbidden,
    RequestDataTooBig: errors.TooLarge,
    SuspiciousOperation: errors.Invalid,
}

logger = structlog.get_logger(__name__)


def checked(shape: type[Serializer[Any]], data: Any, **options: Any) -> Any:
    """The serializer, with valid data in it."""
    form = shape(data=data, **options)
    form.is_valid(raise_exception=True)
    return form


def bounded_body(request: HttpRequest | Request) -> bytes:
    """The raw bytes of a body, for signatures; never more than a body may have."""
    body = getattr(request, "_request", request).read(settings.MAX_BODY_BYTES + 1)
    if len(body) > settings.MAX_BODY_BYTES:
        raise errors.TooLarge(details={"max_bytes": settings.MAX_BODY_BYTES})
    return body


class Text(CharField):
    """A string. REST framework's own field takes numbers for strings too, and measures after trimming."""

    default_validators = [RegexValidator(r"^[^\x00]*\Z", "Null characters are not allowed.")]

    def run_validation(self, data: Any = empty) -> Any:
        if data is not None and data is not empty:
            if not isinstance(data, str):
                self.fail("invalid")
            if self.max_length is not None and len(data) > self.max_length:
                self.fail("max_length", max_length=self.max_length)
        return super().run_validation(data)


class ValuesListView(GenericAPIView[Any], ABC):
    """A paged list drawn straight from its columns: the serializer names the fields and describes them, no more."""

    pagination_class = KeysetPagination
    order: tuple[str, ...] = ("created_at", "id")
    descending = True
    largest_page = LARGEST_PAGE

    @classmethod
    @abstractmethod
    def rows(cls, given: Collection[str]) -> QuerySet[Any]:
        """The query, with a `Parameter` for each value given. Of the class, because it is built for all requests."""

    def given(self) -> dict[str, Any]:
        """What this request narrows the list by."""
        return {}

    @classmethod
    @cache
    def listing(cls) -> Listing:
        fields = cls.serializer_class.Meta.fields  # type: ignore[union-attr]
        return Listing(
            cls.rows, fields=fields, order=cls.order, descending=cls.descending, largest=cls.largest_page
        )  # fmt: skip

    def get(self, request: Request) -> Response:
        return Response(self.listing().page(request, self.given()))


def answer_problem(error: Exception, context: dict[str, Any]) -> JsonResponse | None:
    """Turn whatever a view raised into the one error shape; what is not ours to explain goes on to the 500 page."""
    problem = translate(error)
    if problem is None:
        return None
    set_rollback()
    # Rendered here: a page for people would put the problem into its own template.
    response = problem_page(problem, context["request"])
    if problem.retry_after is not None:
        response["Retry-After"] = str(max(1, round(problem.retry_after)))
    if isinstance(problem, errors.Unauthenticated):
        response["WWW-Authenticate"] = "Bearer"
    return response


def translate(error: Exception) -> errors.Problem | None:
    if isinstance(error, errors.Problem):
        return error
    if isinstance(error, exceptions.APIException):
        return _from_rest_framework(error)
    for kind, problem in FROM_DJANGO.items():
        if isinstance(error, kind):
            return problem()
    return _from_database(error)


def _from_database(error: Exception) -> errors.Problem | None:
    if isinstance(error, DataError):
        # The last net under a value that no validation foresaw: PostgreSQL would not take it.
        return errors.Invalid("The request holds a value that cannot be stored.")
    if isinstance(error, IntegrityError) and isinstance(error.__cause__, ForeignKeyViolation):
        # What it belongs to was there when the request looked, and was removed before it was done.
        logger.warning("removed_meanwhile", constraint=error.__cause__.diag.constraint_name)
        return errors.Missing()
    if isinstance(error, (OperationalError, InterfaceError)):
        logger.error("database_away", error=type(error).__name__)
        return errors.DatabaseUnavailable(retry_after=2)
    return None


def _from_rest_framework(error: exceptions.APIException) -> errors.Problem:
    if isinstance(error, exceptions.ValidationError):
        details = error.detail if isinstance(error.detail, dict) else {"non_field_errors": error.detail}
        return errors.Invalid(details=details)
    if isinstance(error, exceptions.Throttled):
        return errors.TooMany(retry_after=error.wait)  # type: ignore[attr-defined]
    known = {401: errors.Unauthenticated, 403: errors.Forbidden, 404: errors.Missing}
    if kind := known.get(error.status_code):
        return kind()
    problem = errors.Problem(str(error.detail))
    problem.status, problem.code = error.status_code, str(error.get_codes())
    return problem


def error_body(problem: errors.Problem, request: Any) -> dict[str, Any]:
    return {
        "error": problem.message,
        "code": problem.code,
        "details": problem.details,
        "request_id": getattr(getattr(request, "_request", request), "request_id", ""),
    }


def problem_page(problem: errors.Problem, request: HttpRequest | Request) -> JsonResponse:
    page = JsonResponse(error_body(problem, request), status=problem.status)
    # For the access log, which does not read bodies.
    page.error_code = problem.code  # type: ignore[attr-defined]
    return page


def not_found(request: HttpRequest, exception: Exception) -> JsonResponse:
    return problem_page(errors.Missing(), request)


def bad_request(request: HttpRequest, exception: Exception) -> JsonResponse:
    return problem_page(translate(exception) or errors.Invalid(), request)


def permission_denied(request: HttpRequest, exception: Exception) -> JsonResponse:
    return problem_page(errors.Forbidden(), request)


def server_error(request: HttpRequest) -> JsonResponse:
    return problem_page(errors.Problem(), request)


@csrf_exempt
def no_such_endpoint(request: HttpRequest) -> JsonResponse:
    return problem_page(errors.Missing("There is no such endpoint. Paths end with a slash; see /api/docs/."), request)
