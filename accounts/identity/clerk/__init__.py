"""Clerk: session tokens, users, webhooks. Nothing of it is known outside this folder."""

from accounts.identity.clerk.events import apply_clerk_event
from accounts.identity.clerk.provider import ClerkIdentity

__all__ = ["ClerkIdentity", "apply_clerk_event"]
