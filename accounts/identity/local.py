"""Accounts of our own: e-mail and password, JSON Web Tokens, links by mail."""

import time
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import jwt
from django.conf import settings
from django.contrib.auth.hashers import check_password, make_password
from django.contrib.auth.password_validation import validate_password
from django.contrib.auth.tokens import default_token_generator
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.db.models.functions import Now
from django.utils import timezone
from django.utils.http import urlsafe_base64_decode
from rest_framework_simplejwt.exceptions import TokenError
from rest_framework_simplejwt.settings import api_settings
from rest_framework_simplejwt.tokens import AccessToken, RefreshToken

from accounts.identity.contract import EXPIRED, NewUser, Principal, SignedIn, Tokens
from accounts.identity.links import verification_matches
from accounts.identity.sessions import end_all_sessions, end_session, open_session, principal_of
from accounts.mail import owe_mail
from accounts.models import User, UserSession, normal_email
from accounts.usage import ensure_live_subscription
from core.errors import Invalid, Unauthenticated
from core.ids import uuid7

WRONG_CREDENTIALS = "The e-mail address or the password is wrong."
# What simplejwt signs, read without it: it builds objects around every token, and this runs for every request.
ACCESS: dict[str, Any] = {
    "algorithms": [api_settings.ALGORITHM],
    "issuer": api_settings.ISSUER,
    "options": {"require": ["exp", "iss", "sub", "sid", "token_type"]},
}
TAKEN = "This address cannot be used to sign up."
BAD_LINK = "This link is not valid any more. Ask for a new one."


class LocalIdentity:
    """The embedded default."""

    def principal(self, token: str) -> Principal:
        claims = _claims_of(token, settings.SECRET_KEY)
        if claims["token_type"] != AccessToken.token_type:
            raise Unauthenticated
        if claims["exp"] <= time.time():
            raise Unauthenticated(EXPIRED)
        return principal_of(str(claims["sid"]))

    def principal_of_refresh(self, refresh: str) -> Principal:
        try:
            return principal_of(str(RefreshToken(refresh)["sid"]))  # type: ignore[arg-type]
        except (TokenError, KeyError) as error:
            raise Unauthenticated from error

    def sign_up(self, new: NewUser) -> SignedIn:
        email = normal_email(new.email)
        user = User(email=email, full_name=new.full_name, company_name=new.company_name)
        _check_password(new.password, user)
        # Hashed before the address is looked at, so that a taken one takes as long as a free one.
        user.password = make_password(new.password)
        try:
            with transaction.atomic():
                user.save(force_insert=True)
                ensure_live_subscription(user)
                owe_mail(user, "verify_email")
        except IntegrityError as error:
            raise Invalid(details={"email": [TAKEN]}) from error
        return SignedIn(user, start_session(user))

    def sign_in(self, credentials: Mapping[str, Any]) -> SignedIn:
        user = User.objects.filter(email=normal_email(credentials["email"])).first()
        if not _matches(credentials["password"], user) or user is None or not user.is_active:
            raise Unauthenticated(WRONG_CREDENTIALS)
        User.objects.filter(pk=user.pk).update(last_login=Now())
        return SignedIn(user, start_session(user))

    def renew(self, refresh: str) -> Tokens:
        try:
            old = RefreshToken(refresh)  # type: ignore[arg-type]
            key, refresh_id = old["sid"], old["jti"]
        except (TokenError, KeyError) as error:
            raise Unauthenticated from error
        new = _refresh_token(old["sub"], key)
        good = UserSession.objects.filter(key=key, refresh_id=refresh_id, revoked_at=None, user__is_active=True)
        if not good.update(refresh_id=new["jti"], expires_at=_expiry(new)):
            # Somebody holds a copy: neither they nor the owner may go on with this session.
            end_session(key, why="refresh_token_reused")
            raise Unauthenticated
        return Tokens(str(new.access_token), str(new))

    def sign_out(self, principal: Principal) -> None:
        end_session(principal.session_key, why="signed_out")

    def ask_password_reset(self, email: str) -> None:
        owe_mail(User.objects.filter(email=normal_email(email), is_active=True).first(), "password_reset")

    def reset_password(self, *, uid: str, token: str, password: str) -> User:
        with transaction.atomic():
            user = _user_of(uid)
            if not default_token_generator.check_token(user, token):
                raise Invalid(details={"token": [BAD_LINK]})
            _check_password(password, user)
            user.set_password(password)
            # Whoever can read the mailbox has just proved that the address is theirs.
            user.email_verified = True
            user.save(update_fields=["password", "email_verified", "updated_at"])
            end_all_sessions(user, why="password_reset")
        return user

    def ask_verification(self, user: User) -> None:
        if not user.email_verified:
            owe_mail(user, "verify_email")

    def verify_email(self, *, uid: str, token: str) -> User:
        with transaction.atomic():
            user = _user_of(uid)
            if user.email_verified or not verification_matches(token, user):
                raise Invalid(details={"token": [BAD_LINK]})
            user.email_verified = True
            user.save(update_fields=["email_verified", "updated_at"])
        return user

    def erase(self, user: User) -> None:
        """Nobody else knows of a local account."""


@lru_cache(maxsize=4096)
def _claims_of(token: str, secret: str) -> dict[str, Any]:
    """What a token says, once its signature held. A token comes again and again, and does not change."""
    try:
        return jwt.decode(token, secret, **ACCESS)
    except jwt.ExpiredSignatureError as error:
        # Looked at after the signature: whoever forges a token learns nothing.
        raise Unauthenticated(EXPIRED) from error
    except jwt.InvalidTokenError as error:
        raise Unauthenticated from error


def start_session(user: User) -> Tokens:
    key = str(uuid7())
    refresh = _refresh_token(str(user.pk), key)
    open_session(user, key=key, expires_at=_expiry(refresh), refresh_id=refresh["jti"])
    return Tokens(str(refresh.access_token), str(refresh))


def _refresh_token(subject: str, key: str) -> RefreshToken:
    token = RefreshToken()
    token["sub"], token["sid"] = subject, key
    return token


def _expiry(token: RefreshToken) -> Any:
    return timezone.now() + token.lifetime


def _matches(password: str, user: User | None) -> bool:
    if user is None or not user.has_usable_password():
        # The same work as for a real account, so that time does not tell which addresses have one.
        make_password(password)
        return False
    return check_password(password, user.password)


def _check_password(password: str, user: User) -> None:
    try:
        validate_password(password, user)
    except ValidationError as error:
        raise Invalid(details={"password": error.messages}) from error


def _user_of(uid: str) -> User:
    try:
        return User.objects.select_for_update().get(pk=urlsafe_base64_decode(uid).decode(), is_active=True)
    except (ValueError, ValidationError, User.DoesNotExist) as error:
        raise Invalid(details={"token": [BAD_LINK]}) from error
