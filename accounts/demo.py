"""The two people a fresh machine starts with: somebody to try the API as, and somebody for the admin."""

import secrets
from dataclasses import dataclass

from accounts.identity.sessions import end_all_sessions
from accounts.models import User
from accounts.usage import ensure_live_subscription

DEMO_EMAIL = "demo@whyral.local"
ADMIN_EMAIL = "admin@whyral.local"


@dataclass(frozen=True, slots=True)
class Demo:
    """Who was made. A password is known only to the run that made it."""

    email: str
    password: str | None
    admin_email: str
    admin_password: str | None


def seed_demo() -> Demo:
    password = _make(DEMO_EMAIL, full_name="Demo")
    return Demo(DEMO_EMAIL, password, ADMIN_EMAIL, _make_admin())


def new_admin_password() -> str:
    """Of the admin that there is; of a new one, where that row is gone."""
    if made := _make_admin():
        return made
    admin = User.objects.get(email=ADMIN_EMAIL)
    password = secrets.token_urlsafe(12)
    admin.set_password(password)
    admin.save(update_fields=["password"])
    end_all_sessions(admin, why="password_changed_by_staff")
    return password


def _make_admin() -> str | None:
    return _make(ADMIN_EMAIL, full_name="Admin", is_staff=True, is_superuser=True)


def _make(email: str, *, full_name: str, is_staff: bool = False, is_superuser: bool = False) -> str | None:
    if User.objects.filter(email=email).exists():
        return None
    password = secrets.token_urlsafe(12)
    user = User.objects.create_user(
        email, password, full_name=full_name, email_verified=True, is_staff=is_staff, is_superuser=is_superuser
    )
    ensure_live_subscription(user)
    return password
