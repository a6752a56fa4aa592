"""What every identity provider does for us, in our own words."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from accounts.models import User

EXPIRED = "The access token has expired: renew it, or sign in again."


@dataclass(frozen=True, slots=True)
class Tokens:
    """A short-lived token to ask with and a longer one to renew it by."""

    access: str
    refresh: str


@dataclass(frozen=True, slots=True)
class SignedIn:
    """Somebody who has come in; a provider that keeps the tokens itself gives none."""

    user: User
    tokens: Tokens | None = None


@dataclass(frozen=True, slots=True)
class Principal:
    """Whom a request's token speaks for, and the session it belongs to."""

    user: User
    session_key: str


@dataclass(frozen=True, slots=True)
class NewUser:
    """What a sign-up form says."""

    email: str
    password: str
    full_name: str = ""
    company_name: str = ""


class Identity(Protocol):
    """One provider. Whatever a provider keeps to itself raises HandledElsewhere with the address to go to."""

    def principal(self, token: str) -> Principal:
        """Whom a bearer token speaks for, or Unauthenticated. Called for every request."""

    def principal_of_refresh(self, refresh: str) -> Principal:
        """Whom a refresh token speaks for, or Unauthenticated."""

    def sign_up(self, new: NewUser) -> SignedIn:
        """Make an account, or Invalid with the field that is wrong."""

    def sign_in(self, credentials: Mapping[str, Any]) -> SignedIn:
        """Let somebody in, or Unauthenticated without saying which part was wrong."""

    def renew(self, refresh: str) -> Tokens:
        """Trade a refresh token for new ones; a token used twice ends its session."""

    def sign_out(self, principal: Principal) -> None:
        """End the session here and at the provider."""

    def ask_password_reset(self, email: str) -> None:
        """Send a link to whoever owns this address, and take as long when nobody does."""

    def reset_password(self, *, uid: str, token: str, password: str) -> User:
        """Set a new password once, and end every session of the user."""

    def ask_verification(self, user: User) -> None:
        """Send the link that proves the address."""

    def verify_email(self, *, uid: str, token: str) -> User:
        """Mark the address as proved, once."""

    def erase(self, user: User) -> None:
        """Delete the person at the provider too."""
