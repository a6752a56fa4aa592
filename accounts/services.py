"""What can be done with an account: each verb counts the attempt, lets the provider act and tells what happened."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import structlog
from django.contrib.admin.models import LogEntry
from django.db import transaction
from django.db.models import F, Q, QuerySet
from django.db.models.functions import Now
from django.http import HttpRequest

from accounts.attempts import Attempt
from accounts.events import announce, announce_erasure
from accounts.identity import NewUser, Principal, SignedIn, Tokens, identity
from accounts.identity.sessions import end_all_sessions
from accounts.models import User, normal_email
from core.errors import Problem
from core.queue import enqueue
from core.requests import client_network
from core.throttling import require

# Between two tries at one erasure: what it waits for may last a day. And so many are sent for in a round.
ERASURE_REST = timedelta(minutes=30)
ERASURES_AT_ONCE = 100

logger = structlog.get_logger(__name__)


def sign_up(request: HttpRequest, new: NewUser) -> SignedIn:
    require("signup-address", client_network(request))
    require("signup-account", normal_email(new.email))
    try:
        signed_in = identity().sign_up(new)
    except Problem as problem:
        announce(request, "signup", success=False, reason=problem.code)
        raise
    announce(request, "signup", user=signed_in.user)
    return signed_in


def sign_in(request: HttpRequest, credentials: Mapping[str, Any]) -> SignedIn:
    attempt = Attempt(request, credentials.get("email"))
    attempt.admit()
    try:
        signed_in = identity().sign_in(credentials)
    except Problem as problem:
        attempt.fail(problem.code)
        raise
    attempt.succeed(signed_in.user)
    return signed_in


def renew_tokens(request: HttpRequest, refresh: str) -> Tokens:
    try:
        return identity().renew(refresh)
    except Problem as problem:
        announce(request, "token_refresh", success=False, reason=problem.code)
        raise


def sign_out(request: HttpRequest, principal: Principal | None, refresh: str) -> None:
    """End the session of the bearer token, or, where that has run out, of the refresh token."""
    principal = principal or identity().principal_of_refresh(refresh)
    identity().sign_out(principal)
    announce(request, "logout", user=principal.user)


def ask_password_reset(request: HttpRequest, email: str) -> None:
    require("mail-address", client_network(request))
    require("mail-account", normal_email(email))
    identity().ask_password_reset(email)
    announce(request, "password_reset_asked", user=_owner(email))


def reset_password(request: HttpRequest, *, uid: str, token: str, password: str) -> None:
    require("mail-address", client_network(request))
    user = identity().reset_password(uid=uid, token=token, password=password)
    announce(request, "password_reset", user=user)


def ask_verification(request: HttpRequest, user: User) -> None:
    require("mail-address", client_network(request))
    require("mail-account", user.email)
    identity().ask_verification(user)


def verify_email(request: HttpRequest, *, uid: str, token: str) -> None:
    require("mail-address", client_network(request))
    user = identity().verify_email(uid=uid, token=token)
    announce(request, "email_verified", user=user)


def ask_erasure(user: User) -> None:
    """Shut the account at once; a worker erases it, here and at the identity provider."""
    with transaction.atomic():
        User.objects.filter(pk=user.pk).update(is_active=False, erasure_asked_at=Now(), erasure_tried_at=None)
        end_all_sessions(user, why="erased")
        transaction.on_commit(lambda: enqueue("accounts.erase", user.pk), robust=True)


def erase(user_id: str) -> None:
    """Forget a user who asked for it. Asking twice, or a second worker, finds nothing left to do."""
    user = User.objects.filter(pk=user_id, erasure_asked_at__isnull=False).first()
    if user is None:
        return
    identity().erase(user)
    announce_erasure(user)
    with transaction.atomic():
        # The history of the admin names whom staff have worked on.
        LogEntry.objects.filter(object_id=str(user.pk)).delete()
        user.delete()
    logger.info("account_erased", user_id=user_id)


def try_to_erase(user_id: str) -> bool:
    """Erase who has asked for it and is due, or let it wait: a provider that is away is no fault."""
    if not _due_erasures().filter(pk=user_id).update(erasure_tried_at=Now()):
        return False
    try:
        erase(user_id)
    except Problem as problem:
        # What does not pass by itself is for staff to see.
        tell = logger.warning if problem.retryable else logger.error
        tell("erasure_waits", user_id=user_id, code=problem.code)
        return False
    return True


def waiting_erasures() -> list[str]:
    """Whoever was not tried yet comes first, then whoever has rested longest: those that cannot be hold nobody up."""
    due = _due_erasures().order_by(F("erasure_tried_at").asc(nulls_first=True), "erasure_asked_at")
    return [str(pk) for pk in due.values_list("pk", flat=True)[:ERASURES_AT_ONCE]]


def _due_erasures() -> QuerySet[User]:
    rested = Q(erasure_tried_at=None) | Q(erasure_tried_at__lte=Now() - ERASURE_REST)
    return User.objects.filter(rested, erasure_asked_at__isnull=False)


def _owner(email: str | None) -> User | None:
    return User.objects.filter(email=normal_email(email)).first() if email else None
