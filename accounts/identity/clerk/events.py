"""What Clerk tells by webhook: https://clerk.com/docs/guides/development/webhooks/overview

Messages come more than once and in any order. Each is applied so that repeats and delays end in the same state.
"""

from collections.abc import Callable, Mapping
from typing import Any

import orjson
import structlog
from django.conf import settings
from django.db import transaction

from accounts.identity.clerk.people import id_of, keep, keep_nameless, keep_session, person_of, release_address
from accounts.identity.sessions import end_all_sessions, end_session
from accounts.models import User
from core.errors import Conflict, VendorAnswerInvalid
from core.webhooks import MalformedWebhook, verify

logger = structlog.get_logger(__name__)


def apply_clerk_event(body: bytes, headers: Mapping[str, str]) -> None:
    """Apply a signed event. One of a kind that does not concern us is accepted and forgotten."""
    verify(body, headers, secrets=[settings.CLERK_WEBHOOK_SECRET])
    kind, data = _read(body)
    if apply := EVENTS.get(kind):
        try:
            apply(data)
        except VendorAnswerInvalid as error:
            raise MalformedWebhook from error
        logger.info("clerk_event_applied", kind=kind)


def _read(body: bytes) -> tuple[str, dict[str, Any]]:
    try:
        event = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise MalformedWebhook from error
    kind, data = (event.get("type"), event.get("data")) if isinstance(event, dict) else (None, None)
    if not isinstance(kind, str) or not isinstance(data, dict):
        raise MalformedWebhook
    return kind, data


def _store_user(data: dict[str, Any]) -> None:
    person = person_of(data)
    try:
        user = keep(person)
    except Conflict:
        # Told to the person when they come; sending this event again would change nothing.
        logger.warning("clerk_user_conflicts", clerk_id=person.id)
        return
    if person.banned and user.provider_updated_at == person.updated_at:
        end_all_sessions(user, why="banned_at_clerk")


@transaction.atomic
def _shut_out(data: dict[str, Any]) -> None:
    """Nobody comes in as a deleted user any more. What they made stays until erasure is asked for here."""
    user = keep_nameless(id_of(data.get("id")))
    User.objects.filter(pk=user.pk).update(is_active=False)
    release_address(user)
    end_all_sessions(user, why="deleted_at_clerk")


@transaction.atomic
def _end_session(data: dict[str, Any]) -> None:
    key = id_of(data.get("id"))
    # Kept although it was never seen here: a token of it may still be on its way.
    keep_session(keep_nameless(id_of(data.get("user_id"))), key)
    end_session(key, why="ended_at_clerk")


EVENTS: dict[str, Callable[[dict[str, Any]], None]] = {
    "user.created": _store_user,
    "user.updated": _store_user,
    "user.deleted": _shut_out,
    "session.ended": _end_session,
    "session.removed": _end_session,
    "session.revoked": _end_session,
}
