"""What fills the letters about money."""

from typing import Any

from accounts.models import OutgoingMail, User
from accounts.usage import get_user_subscription

LETTERS = (
    "payment_failed", "plan_changed", "subscription_ends", "subscription_ended", "downgrade_coming", "paid_twice",
)  # fmt: skip


def facts_of(user: User, mail: OutgoingMail) -> dict[str, Any] | None:
    """How things stand when it is sent; nothing where that is not worth a letter any more."""
    subscription = get_user_subscription(user)
    later = subscription.downgrade_to_plan
    facts = {
        "plan": subscription.plan.name,
        "later": later.name if later else "",
        "period_end": subscription.current_period_end,
        "grace_until": subscription.grace_until,
    }
    needs = {"payment_failed": "grace_until", "subscription_ends": "period_end", "downgrade_coming": "later"}
    return facts if facts.get(needs.get(mail.template, "plan")) else None
