"""Session tokens: https://clerk.com/docs/guides/sessions/session-tokens

Accepted is what Clerk signed (RS256, nothing else), for our instance (`iss`), in time (5 s of leeway), for a session
(`sid`; tokens made from templates have none) that is complete (`sts`), asked for by a page of ours (`azp`). A token
without `azp` is accepted: native apps and the Backend API make such, and no browser can be made to. One with an `aud`
is refused: session tokens have none. So is one with `act`, where somebody acts as the user: nothing here could tell
afterwards which of the two spent the user's quota or money.
"""

import base64
import binascii
import re
from dataclasses import dataclass
from functools import cache
from typing import Any

import jwt
import structlog
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from django.conf import settings

from accounts.identity.clerk.keys import Keys
from accounts.identity.clerk.people import SANE_ID
from accounts.identity.contract import EXPIRED
from core.errors import NotConfigured, Unauthenticated

LEEWAY_SECONDS = 5
LONGEST_TOKEN = 8192
REQUIRED = ["sub", "sid", "exp", "iat"]

logger = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Claims:
    """Whom a good token speaks for."""

    subject: str
    session: str


def read_token(token: str, keys: Keys) -> Claims:
    if len(token) > LONGEST_TOKEN or not token.isascii():
        raise Unauthenticated
    try:
        claims = _verified(token, keys)
    except jwt.PyJWTError as error:
        logger.info("token_refused", reason=type(error).__name__)
        has_expired = isinstance(error, jwt.ExpiredSignatureError)
        raise Unauthenticated(EXPIRED if has_expired else None) from error
    if objection := _objection(claims):
        logger.info("token_refused", reason=objection)
        raise Unauthenticated
    return Claims(claims["sub"], claims["sid"])


def _verified(token: str, keys: Keys) -> dict[str, Any]:
    header = jwt.get_unverified_header(token)
    # Looked at first, so that no rubbish makes us ask Clerk for keys.
    if header.get("alg") != "RS256":
        raise jwt.InvalidAlgorithmError
    key_id = header.get("kid")
    try:
        return _decoded(token, keys.find(key_id))
    except jwt.InvalidSignatureError:
        # Clerk's key ids name the instance, not the key, so a new key may come under the old id.
        return _decoded(token, keys.find_again(key_id))


def _decoded(token: str, key: RSAPublicKey | None) -> dict[str, Any]:
    if key is None:
        raise jwt.InvalidKeyError
    return jwt.decode(
        token, key, algorithms=["RS256"], issuer=issuer(), leeway=LEEWAY_SECONDS, options={"require": REQUIRED}
    )


def _objection(claims: dict[str, Any]) -> str:
    if not all(isinstance(claims[name], str) and SANE_ID.fullmatch(claims[name]) for name in ("sub", "sid")):
        return "ids"
    if claims.get("azp") is not None and claims["azp"] not in settings.CLERK_AUTHORIZED_PARTIES:
        return "azp"
    if claims.get("sts", "active") != "active":
        return "pending"
    return "impersonated" if claims.get("act") else ""


def issuer() -> str:
    return _issuer_of(settings.CLERK_PUBLISHABLE_KEY)


@cache
def _issuer_of(publishable_key: str) -> str:
    """The address that a publishable key holds: pk_test_ or pk_live_, then base64 of the host and a dollar sign."""
    found = re.fullmatch(r"pk_(?:test|live)_([A-Za-z0-9+/]+)=*", publishable_key)
    encoded = found[1] if found else ""
    try:
        host = base64.b64decode(encoded + "=" * (-len(encoded) % 4)).decode("ascii")
    except (binascii.Error, UnicodeError):
        host = ""
    if not re.fullmatch(r"[A-Za-z0-9.-]+\$", host):
        raise NotConfigured(details={"setting": "CLERK_PUBLISHABLE_KEY"})
    return f"https://{host[:-1]}"


def hosted_page(path: str) -> str:
    """A page of Clerk's account portal: https://clerk.com/docs/guides/account-portal/overview"""
    host = issuer().removeprefix("https://")
    if host.endswith(".clerk.accounts.dev"):
        return f"https://{host.removesuffix('.clerk.accounts.dev')}.accounts.dev/{path}"
    return f"https://accounts.{host.removeprefix('clerk.')}/{path}"
