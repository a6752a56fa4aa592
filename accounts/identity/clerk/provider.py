"""Clerk as an identity provider: it keeps passwords, mails and sign-in pages, we keep a row per user and session."""

from collections.abc import Callable, Mapping
from time import monotonic
from typing import Any, NoReturn

import structlog
from django.conf import settings

from accounts.identity.clerk import backend
from accounts.identity.clerk.keys import KeyRing, Keys, PinnedKey, fetch_keys
from accounts.identity.clerk.people import PROVIDER, keep, keep_session, row_of
from accounts.identity.clerk.sign_up import make_account
from accounts.identity.clerk.tokens import Claims, hosted_page, read_token
from accounts.identity.contract import NewUser, Principal, SignedIn, Tokens
from accounts.identity.sessions import end_session, principal_of
from accounts.models import User, UserSession
from core.errors import HandledElsewhere, Invalid, Unauthenticated, VendorProblem

# What is known of somebody already will do where Clerk cannot say quickly whether it has changed.
REFRESH_TIMEOUT = 2.0

logger = structlog.get_logger(__name__)


class ClerkIdentity:
    """Accounts that Clerk keeps."""

    def __init__(self, *, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._rings: dict[tuple[str, str], KeyRing] = {}

    def principal(self, token: str) -> Principal:
        claims = read_token(token, self._keys())
        try:
            principal = principal_of(claims.session)
        except Unauthenticated:
            principal = _first_sight(claims)
        if (principal.user.provider, principal.user.provider_id) != (PROVIDER, claims.subject):
            raise Unauthenticated
        return principal

    def principal_of_refresh(self, refresh: str) -> Principal:
        """Clerk keeps its refresh tokens to itself."""
        raise Unauthenticated

    def sign_up(self, new: NewUser) -> SignedIn:
        return SignedIn(make_account(new))

    def sign_in(self, credentials: Mapping[str, Any]) -> SignedIn:
        token = credentials.get("token")
        if not isinstance(token, str):
            raise Invalid(details={"token": ["This field is required."]})
        return SignedIn(self.principal(token).user)

    def renew(self, refresh: str) -> Tokens:
        _send_to("sign-in")

    def sign_out(self, principal: Principal) -> None:
        end_session(principal.session_key, why="signed_out")
        try:
            backend.revoke_session(principal.session_key)
        except VendorProblem as problem:
            # Clerk may go on signing for the session; the row, which stays, is what refuses it.
            logger.warning("clerk_session_not_revoked", reason=problem.code)

    def ask_password_reset(self, email: str) -> None:
        _send_to("sign-in")

    def reset_password(self, *, uid: str, token: str, password: str) -> User:
        _send_to("sign-in")

    def ask_verification(self, user: User) -> None:
        _send_to("user")

    def verify_email(self, *, uid: str, token: str) -> User:
        _send_to("user")

    def erase(self, user: User) -> None:
        if user.provider == PROVIDER and user.provider_id:
            backend.delete_user(user.provider_id)

    def _keys(self) -> Keys:
        if settings.CLERK_JWT_KEY:
            return PinnedKey(settings.CLERK_JWT_KEY)
        source = (settings.CLERK_API_URL, settings.CLERK_SECRET_KEY)
        return self._rings.get(source) or self._rings.setdefault(source, KeyRing(fetch_keys, clock=self._clock))


def _first_sight(claims: Claims) -> Principal:
    """Somebody comes with a session that has no row: a new sign-in, or a new user."""
    user = row_of(claims.subject)
    ended = UserSession.objects.filter(key=claims.session, revoked_at__isnull=False).exists()
    if ended or not (user is None or user.is_active):
        raise Unauthenticated
    keep_session(_brought_up_to_date(claims.subject, user), claims.session)
    return principal_of(claims.session)


def _brought_up_to_date(provider_id: str, user: User | None) -> User:
    """Tokens hold no address and webhooks get lost, so at each sign-in Clerk is asked, outside any transaction."""
    known = user is not None and user.provider_updated_at is not None
    try:
        person = backend.read_person(provider_id, timeout=REFRESH_TIMEOUT if known else backend.TIMEOUT)
    except VendorProblem:
        if user is None or not known:
            raise
        return user
    if person is None or person.banned:
        raise Unauthenticated
    return keep(person)


def _send_to(page: str) -> NoReturn:
    raise HandledElsewhere(details={"address": hosted_page(page)})
