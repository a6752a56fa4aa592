"""The desk for accounts: find somebody, see their plan and use, change it, end their sessions."""

from accounts.admin import people, sessions, use

__all__ = ["people", "sessions", "use"]
