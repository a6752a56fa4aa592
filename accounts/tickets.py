"""Tickets: how a browser opens a stream, since its EventSource sends no header. Good once, for a minute, for one path.

A ticket stands in an address, and addresses are written down in many places: so it is worth little to whoever reads it.
"""

import hashlib
import secrets
from uuid import UUID

from rest_framework.authentication import BaseAuthentication
from rest_framework.request import Request

from accounts.models import User
from core import redis
from core.errors import Unauthenticated, Unavailable

SECONDS = 60
LONGEST = 64


def issue(user: User, path: str) -> str:
    ticket = secrets.token_urlsafe(24)
    try:
        redis.ask(lambda connection: connection.set(_key(ticket, path), str(user.pk), ex=SECONDS))
    except redis.RedisAway:
        raise Unavailable(retry_after=redis.REST_SECONDS) from None
    return ticket


class TicketAuthentication(BaseAuthentication):
    """`?ticket=`, for the path that it was issued for."""

    def authenticate(self, request: Request) -> tuple[User, str] | None:
        ticket = request.query_params.get("ticket")
        if ticket is None:
            return None
        user = User.objects.filter(pk=_redeem(ticket, request.path), is_active=True, erasure_asked_at=None).first()
        if user is None:
            raise Unauthenticated
        request._request.signed_in_as = str(user.pk)  # type: ignore[attr-defined]
        return user, "ticket"

    def authenticate_header(self, request: Request) -> str:
        return "Bearer"


def _redeem(ticket: str, path: str) -> UUID:
    if not 0 < len(ticket) <= LONGEST:
        raise Unauthenticated
    try:
        held = redis.ask(lambda connection: connection.getdel(_key(ticket, path)))
    except redis.RedisAway:
        raise Unavailable(retry_after=redis.REST_SECONDS) from None
    if not held:
        raise Unauthenticated
    return UUID(str(held))


def _key(ticket: str, path: str) -> str:
    return f"ticket:{hashlib.sha256(f'{path} {ticket}'.encode('utf-8', 'replace')).hexdigest()}"
