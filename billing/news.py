"""What its owner is told when a subscription changes, and what is done about one that was paid twice."""

import structlog

from accounts.mail import owe_mail
from accounts.models import Subscription
from accounts.subscriptions import Settled
from billing.providers.contract import Provider

Status = Subscription.Status
log = structlog.get_logger(__name__)


def tell(provider: Provider, settled: Settled) -> None:
    """Once for each change: a look that finds nothing new says nothing."""
    if not settled.is_news:
        return
    subscription = settled.subscription
    if settled.is_second:
        # Two checkouts were paid. One is given; the other must not be charged for again, and staff gives it back.
        log.error("paid_twice", subscription=str(subscription.pk), provider=provider.name)
        provider.cancel(subscription.provider_id or "", now=True)
        return
    if letter := _letter(settled):
        owe_mail(subscription.user, letter)


def _letter(settled: Settled) -> str | None:
    now, before = settled.subscription, settled.before
    if now.status == Status.PAST_DUE and before != Status.PAST_DUE:
        return "payment_failed"
    if now.status == Status.CANCELING and before != Status.CANCELING:
        return "subscription_ends"
    if now.downgrade_to_plan_id and now.downgrade_to_plan_id != settled.downgrade_before:
        return "downgrade_coming"
    if before in (Status.ACTIVE, Status.PAST_DUE, Status.CANCELING) and settled.plan_before != now.plan_id:
        return "plan_changed"
    return "plan_changed" if before in ("", Status.PENDING) and now.status in Subscription.LIVE else None
