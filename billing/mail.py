"""What fills the letters about money."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from accounts.models import OutgoingMail, Subscription, User
from accounts.usage import get_user_subscription
from billing.amounts import told
from billing.models import Payment, Refund

Status = Subscription.Status
JUST_NOW = timedelta(days=1)
# Each letter, and whether there is still a reason for it when it is sent: a day may lie between.
LETTERS: dict[str, Callable[[Subscription], bool]] = {
    "plan_changed": lambda live: live.provider_id is not None,
    "payment_failed": lambda live: live.status == Status.PAST_DUE,
    "subscription_ends": lambda live: live.status == Status.CANCELING,
    "downgrade_coming": lambda live: live.downgrade_to_plan_id is not None,
    "subscription_ended": lambda live: live.provider_id is None,
    "goes_on": lambda live: live.status == Status.ACTIVE and not live.downgrade_to_plan_id and bool(live.provider_id),
    "paid_twice": lambda live: True,
    "given_back": lambda live: True,
}


def facts_of(user: User, mail: OutgoingMail) -> dict[str, Any] | None:
    """How things stand when it is sent; nothing where that is not worth a letter any more."""
    live = get_user_subscription(user)
    if not LETTERS[mail.template](live):
        return None
    ended = Subscription.objects.filter(user=user, ended_at__isnull=False).exclude(plan=live.plan_id)
    last = ended.select_related("plan").order_by("-ended_at").first()
    return {
        "plan": live.plan.name,
        "later": live.downgrade_to_plan.name if live.downgrade_to_plan else "",
        "period_end": live.current_period_end,
        "grace_until": live.grace_until,
        "is_trial": live.status == Status.TRIAL,
        "goes_on": not live.cancel_at_period_end,
        "ended_plan": last.plan.name if last else "",
        "owed": _owed(live, mail),
        "given_back": _given_back(user, mail),
    }


def _owed(live: Subscription, mail: OutgoingMail) -> str:
    """What could not be charged, where it is known here yet; what failed long before is another matter."""
    late = Payment.objects.filter(subscription=live, created_at__gte=mail.created_at - JUST_NOW)
    failed = late.filter(status=Payment.Status.FAILED).order_by("-created_at").first()
    return told(failed.amount, failed.currency) if failed else ""


def _given_back(user: User, mail: OutgoingMail) -> str:
    """The refund that this letter is about: the row was written just before it."""
    refund = Refund.objects.filter(user=user, created_at__lte=mail.created_at).order_by("-created_at").first()
    return told(refund.amount, refund.currency) if refund else ""
