"""How many attempts to come in are let through, and who hears of it when they are too many.

An attempt is counted before it is made, in one step of Redis, so that a hundred at once are a hundred. It counts

    for its network                       whatever the account and the outcome
    for its account from this network     until a success: too many, and this network waits
    for its account from anywhere         until a success: too many, and networks wait that the account never came from

so a stranger who guesses locks out strangers, and not the owner where the owner is at home. What is answered, and how
long it takes, is the same for an account that does not exist. Without Redis nobody comes in (LimitsUnavailable).
"""

from datetime import timedelta

import structlog
from django.http import HttpRequest
from django.utils.crypto import salted_hmac

from accounts.events import announce
from accounts.models import User, normal_email
from core import redis
from core.errors import TooMany
from core.requests import client_network
from core.throttling import Rate, count, digest, forget, is_news

NETWORK, ACCOUNT_HERE, ACCOUNT = "login-address", "login-account-address", "login-account"
KNOWN_FOR = timedelta(days=30)

logger = structlog.get_logger(__name__)


class Attempt:
    """One attempt to come in; some providers know of no e-mail address before it succeeds."""

    def __init__(self, request: HttpRequest, email: str | None, *, event: str = "login") -> None:
        self.request, self.event = request, event
        self.email = normal_email(email) if email else ""
        self.network = client_network(request)
        self.exhausted: list[str] = []

    def admit(self) -> None:
        """Count it, or raise TooMany with the time to wait."""
        self._count(NETWORK)
        if self.email:
            self._count(ACCOUNT_HERE)
            if not self._comes_from_a_known_network():
                self._count(ACCOUNT)

    def fail(self, reason: str) -> None:
        announce(self.request, self.event, success=False, user=self._owner(), reason=reason)
        for scope in self.exhausted:
            self._warn(scope)

    def succeed(self, user: User) -> None:
        if self.email:
            forget((ACCOUNT_HERE, self._key(ACCOUNT_HERE)), (ACCOUNT, self._key(ACCOUNT)))
            self._remember_network()
        announce(self.request, self.event, user=user)

    def _count(self, scope: str) -> None:
        rate = count(scope, self._key(scope))
        if not rate.allowed:
            raise self._refusal(scope, rate)
        if rate.remaining == 0:
            self.exhausted.append(scope)

    def _refusal(self, scope: str, rate: Rate) -> TooMany:
        # Once for each lock: somebody who goes on knocking must not fill the owner's history.
        if is_news("lock", scope, self._key(scope)):
            announce(self.request, self.event, success=False, user=self._owner(), reason=TooMany.code)
            self._warn(scope)
        return TooMany(retry_after=rate.wait_seconds)

    def _warn(self, scope: str) -> None:
        if is_news("warning", scope, self._key(scope)):
            about = {} if scope == NETWORK else self._account()
            where = {} if scope == ACCOUNT else {"network": self.network}
            logger.warning("sign_in_suspicious", category="AUTH", limit=scope, event_name=self.event, **about, **where)

    def _account(self) -> dict[str, str]:
        """Who is guessed at, without an address in it; the same digest for the same unknown address."""
        if owner := self._owner():
            return {"user_id": str(owner.pk)}
        return {"account": salted_hmac(__name__, self.email).hexdigest()[:16]}

    def _owner(self) -> User | None:
        return User.objects.filter(email=self.email).first() if self.email else None

    def _key(self, scope: str) -> str:
        return {NETWORK: self.network, ACCOUNT: self.email}.get(scope, f"{self.email} {self.network}")

    def _comes_from_a_known_network(self) -> bool:
        try:
            return bool(redis.ask(lambda connection: connection.exists(self._known_name())))
        except redis.RedisAway:
            return False

    def _remember_network(self) -> None:
        try:
            redis.ask(lambda connection: connection.set(self._known_name(), 1, ex=KNOWN_FOR))
        except redis.RedisAway:
            return

    def _known_name(self) -> str:
        return f"known-network:{digest(self._key(ACCOUNT_HERE))}"
