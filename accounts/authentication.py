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
        structlog.contextvars.bind_contextvars(user_id=str(principal.user.pk))
        return principal.user, principal

    def authenticate_header(self, request: Request) -> str:
        return "Bearer"
