"""Reading the bearer token of a request."""

import structlog
from rest_framework.authentication import BaseAuthentication
from rest_framework.request import Request

from accounts.identity import Principal, identity
from accounts.models import User
from core.errors import Unauthenticated

LONGEST_TOKEN = 8192


def bearer_of(request: Request) -> Principal | None:
    """Whom the request's bearer token speaks for, if it has one that is still good."""
    try:
        found = BearerAuthentication().authenticate(request)
    except Unauthenticated:
        return None
    return found[1] if found else None


class BearerAuthentication(BaseAuthentication):
    """`Authorization: Bearer <token>`, checked by the identity provider in force."""

    def authenticate(self, request: Request) -> tuple[User, Principal] | None:
        scheme, _, token = request.META.get("HTTP_AUTHORIZATION", "").partition(" ")
        if scheme.lower() != "bearer":
            return None
        if not token or len(token) > LONGEST_TOKEN or not token.isascii():
            raise Unauthenticated
        principal = identity().principal(token.strip())
        # For whoever keeps a record of the request: as text once, for the log too.
        request._request.signed_in_as = str(principal.user.pk)  # type: ignore[attr-defined]
        structlog.contextvars.bind_contextvars(user_id=request._request.signed_in_as)  # type: ignore[attr-defined]
        return principal.user, principal

    def authenticate_header(self, request: Request) -> str:
        return "Bearer"
