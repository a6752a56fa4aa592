"""Sign-ins as rows, so that any of them can be ended at once whatever its tokens still say."""

import re
from datetime import datetime

from django.db.models.functions import Now

from accounts.identity.contract import Principal
from accounts.models import User, UserSession
from core.errors import Unauthenticated
from core.models import delete_in_batches
from core.statements import Parameter, Statement, columns_of, model_of

LIVE_SESSION = Statement(
    lambda: UserSession.objects.filter(key=Parameter("key"), revoked_at=None, user__is_active=True).values_list(
        *columns_of(User, "user__")
    )
)
SESSION_KEY = re.compile(r"[A-Za-z0-9_-]{8,100}", re.ASCII)


def principal_of(session_key: str) -> Principal:
    """The live session's user, in the one query that every authenticated request makes."""
    if not SESSION_KEY.fullmatch(session_key):
        raise Unauthenticated
    found = LIVE_SESSION.rows(key=session_key)
    if not found:
        raise Unauthenticated
    return Principal(model_of(User, found[0]), session_key)


def open_session(user: User, *, key: str, expires_at: datetime, refresh_id: str = "") -> UserSession:
    return UserSession.objects.create(user=user, key=key, expires_at=expires_at, refresh_id=refresh_id)


def end_session(session_key: str, *, why: str) -> bool:
    return bool(UserSession.objects.filter(key=session_key, revoked_at=None).update(revoked_at=Now(), revoked_why=why))


def end_all_sessions(user: User, *, why: str) -> int:
    return UserSession.objects.filter(user=user, revoked_at=None).update(revoked_at=Now(), revoked_why=why)


def forget_ended_sessions() -> int:
    """A session past its expiry has no token that could still be good."""
    return delete_in_batches(UserSession.objects.filter(expires_at__lt=Now()))
