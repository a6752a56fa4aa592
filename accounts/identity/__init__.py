"""Who vouches for a user: one provider a file, one of them chosen by settings."""

from functools import cache

from django.conf import settings

from accounts.identity.clerk import ClerkIdentity
from accounts.identity.contract import Identity, NewUser, Principal, SignedIn, Tokens
from accounts.identity.local import LocalIdentity

PROVIDERS: dict[str, type[Identity]] = {"local": LocalIdentity, "clerk": ClerkIdentity}

__all__ = ["PROVIDERS", "Identity", "NewUser", "Principal", "SignedIn", "Tokens", "identity"]


def identity() -> Identity:
    return _provider(settings.IDENTITY_PROVIDER)


@cache
def _provider(name: str) -> Identity:
    return PROVIDERS[name]()
