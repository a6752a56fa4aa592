"""Everything held about a user, as one document; apps above add their parts when they start."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from django.db.models.functions import Now

from accounts.models import OutgoingMail, Subscription, UsageEntry, User, UserSession, UserUsage

Rows = Iterable[Mapping[str, Any]]
_parts: dict[str, Callable[[User], Rows]] = {}


def contribute(name: str, rows_of: Callable[[User], Rows]) -> None:
    _parts[name] = rows_of


def export(user: User) -> dict[str, Any]:
    profile = User.objects.annotate(exported_at=Now()).values(*PROFILE, "exported_at").get(pk=user.pk)
    return {"profile": profile, **{name: list(rows_of(user)) for name, rows_of in _parts.items()}}


PROFILE = (
    "id", "email", "email_verified", "full_name", "company_name", "profile_image", "provider", "provider_id",
    "created_at", "updated_at", "last_login",
)  # fmt: skip

SUBSCRIPTION = (
    "id", "plan__slug", "status", "provider", "provider_id", "current_period_start", "current_period_end",
    "cancel_at_period_end", "downgrade_to_plan__slug", "paid_since", "ended_at", "created_at",
)  # fmt: skip

contribute("subscriptions", lambda user: Subscription.objects.filter(user=user).values(*SUBSCRIPTION))
contribute("usage", lambda user: UserUsage.objects.filter(user=user).order_by("day").values())
contribute("usage_entries", lambda user: UsageEntry.objects.filter(user=user).order_by("id").values())
contribute(
    "sessions",
    lambda user: UserSession.objects.filter(user=user).values("id", "created_at", "expires_at", "revoked_at"),
)
contribute(
    "mails", lambda user: OutgoingMail.objects.filter(user=user).values("id", "template", "created_at", "sent_at")
)
