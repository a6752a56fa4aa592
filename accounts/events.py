"""What happened to a sign-in or an account, told to whoever keeps a record of it."""

from collections.abc import Callable
from dataclasses import dataclass

from django.db import transaction
from django.http import HttpRequest

from accounts.models import User
from core.redaction import redacted
from core.requests import client_address


@dataclass(frozen=True, slots=True)
class AuthenticationEvent:
    """One attempt to come in, go out or change a password."""

    event: str
    success: bool
    user: User | None
    reason: str
    ip: str
    user_agent: str
    request_id: str


_listeners: list[Callable[[AuthenticationEvent], None]] = []
_forgetters: list[Callable[[User], None]] = []


def on_authentication(listener: Callable[[AuthenticationEvent], None]) -> None:
    _listeners.append(listener)


def announce(
    request: HttpRequest, event: str, *, success: bool = True, user: User | None = None, reason: str = ""
) -> None:
    fact = AuthenticationEvent(
        event=event,
        success=success,
        user=user,
        reason=reason,
        ip=client_address(request),
        user_agent=redacted(request.META.get("HTTP_USER_AGENT", "")[:300])[:300],
        request_id=getattr(request, "request_id", ""),
    )
    for listener in _listeners:
        # After commit and robust: a record that cannot be written must not refuse somebody who may come in.
        transaction.on_commit(_telling(listener, fact), robust=True)


def _telling(listener: Callable[[AuthenticationEvent], None], fact: AuthenticationEvent) -> Callable[[], None]:
    # Not a partial: Django looks for the name of what failed, and a partial has none.
    def tell() -> None:
        listener(fact)

    return tell


def on_erasure(forget: Callable[[User], None]) -> None:
    """Let `forget` do its part of an erasure: before the user is gone, in no transaction, and perhaps repeatedly."""
    _forgetters.append(forget)


def announce_erasure(user: User) -> None:
    # One that fails stops the erasure, which is then tried again: nobody may be half forgotten.
    for forget in _forgetters:
        forget(user)
