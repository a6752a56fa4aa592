"""The keys that Clerk signs with: pinned in the settings, or fetched from Clerk and kept."""

import base64
import binascii
import threading
import time
from collections.abc import Callable
from functools import cache
from typing import Any, Protocol

import jwt
import structlog
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_der_public_key

from accounts.identity.clerk.backend import call
from core.errors import NotConfigured, Problem, VendorAnswerInvalid, VendorUnavailable

# A key that Clerk withdrew stops working here after this long.
FRESH_SECONDS = 300.0
# Anybody can invent a key id or a signature, so however many do, Clerk is asked once in this time.
REST_SECONDS = 60.0
# Without any key nobody can come in, so a failed first fetch is tried again sooner.
RETRY_SECONDS = 5.0
# How long a request waits where it needs the answer, and where the kept keys will do.
PATIENCE_SECONDS = 3.0
COURTESY_SECONDS = 1.0

logger = structlog.get_logger(__name__)


class Keys(Protocol):
    """Where the key of a token is found."""

    def find(self, key_id: str | None) -> RSAPublicKey | None:
        """The key of this id."""

    def find_again(self, key_id: str | None) -> RSAPublicKey | None:
        """The key of this id, after one under which a signature was bad."""


class PinnedKey:
    """The one key that the settings hold. The id does not matter, and nobody is asked."""

    def __init__(self, pem: str) -> None:
        self._key = read_pem(pem)

    def find(self, key_id: str | None) -> RSAPublicKey | None:
        return self._key

    find_again = find


class KeyRing:
    """Fetched keys. They are kept while Clerk is away, for what signed tokens this morning still does."""

    def __init__(
        self, fetch: Callable[[float], dict[str, RSAPublicKey]], *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._fetch, self._clock = fetch, clock
        self._keys: dict[str, RSAPublicKey] = {}
        self._fresh_until = self._rest_until = clock()
        self._fetching = threading.Lock()

    def find(self, key_id: str | None) -> RSAPublicKey | None:
        if key_id is None:
            return None
        if key_id not in self._keys:
            self._refresh(wait=PATIENCE_SECONDS, timeout=PATIENCE_SECONDS)
        elif self._clock() >= self._fresh_until:
            self._refresh(wait=0.0, timeout=COURTESY_SECONDS)
        if not self._keys:
            raise VendorUnavailable(retry_after=RETRY_SECONDS)
        return self._keys.get(key_id)

    def find_again(self, key_id: str | None) -> RSAPublicKey | None:
        self._refresh(wait=PATIENCE_SECONDS, timeout=PATIENCE_SECONDS)
        return self._keys.get(key_id or "")

    def _refresh(self, *, wait: float, timeout: float) -> None:
        """Fetch, unless that was done just now; whoever comes meanwhile waits for the same answer, up to `wait`."""
        if self._resting() or not self._fetching.acquire(timeout=wait):
            return
        try:
            if not self._resting():
                self._replace(timeout)
        finally:
            self._fetching.release()

    def _replace(self, timeout: float) -> None:
        try:
            self._keys = self._fetch(timeout)
            self._fresh_until = self._clock() + FRESH_SECONDS
        except Problem as problem:
            logger.warning("clerk_keys_not_fetched", reason=problem.code, kept=len(self._keys))
        finally:
            self._rest_until = self._clock() + (REST_SECONDS if self._keys else RETRY_SECONDS)

    def _resting(self) -> bool:
        return self._clock() < self._rest_until


def fetch_keys(timeout: float) -> dict[str, RSAPublicKey]:
    answer = call("jwks", path="/jwks", timeout=timeout).require_success().json()
    try:
        keys = {str(entry["kid"]): _public_key(entry) for entry in answer["keys"] if _is_for_signatures(entry)}
    except (jwt.PyJWTError, LookupError, TypeError, AttributeError, ValueError) as error:
        raise VendorAnswerInvalid from error
    # An empty set would lock everybody out; keys that were good a moment ago are the better guess.
    if not keys:
        raise VendorAnswerInvalid
    return keys


def _is_for_signatures(entry: dict[str, Any]) -> bool:
    return entry.get("kty") == "RSA" and entry.get("use", "sig") == "sig" and entry.get("alg", "RS256") == "RS256"


def _public_key(entry: dict[str, Any]) -> RSAPublicKey:
    key = jwt.PyJWK(entry, algorithm="RS256").key
    if not isinstance(key, RSAPublicKey):
        raise TypeError("a private key has no place in a published set")
    return key


@cache
def read_pem(pem: str) -> RSAPublicKey:
    """A public key as the dashboard shows it; its line breaks may have been lost in the environment."""
    body = pem.replace("-----BEGIN PUBLIC KEY-----", "").replace("-----END PUBLIC KEY-----", "")
    try:
        key = load_der_public_key(base64.b64decode("".join(body.split()), validate=True))
    except (binascii.Error, ValueError) as error:
        raise NotConfigured(details={"setting": "CLERK_JWT_KEY"}) from error
    if not isinstance(key, RSAPublicKey):
        raise NotConfigured(details={"setting": "CLERK_JWT_KEY"})
    return key
