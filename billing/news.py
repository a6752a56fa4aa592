"""What its owner is told when a subscription changes, and what is done about one that was paid twice."""

from accounts.mail import owe_mail
from accounts.models import Subscription
from accounts.subscriptions import Settled
from billing.checkouts import close_unwanted
from billing.providers.contract import Provider
from billing.settling import look_at_subscription
from billing.surplus import give_back

Status = Subscription.Status


def tell(provider: Provider, settled: Settled) -> None:
    """Once for each change: a look that finds nothing new says nothing."""
    if not settled.is_news:
        return
    subscription = settled.subscription
    if settled.is_second:
        give_back(provider, subscription)
        return
    if letter := _letter(settled):
        owe_mail(subscription.user, letter)
    if settled.before not in Subscription.LIVE and subscription.status in Subscription.LIVE:
        # Whatever else was about to be paid is not wanted any more.
        close_unwanted(subscription.user)


def look_and_tell(provider: Provider, subscription_id: str) -> Settled | None:
    if settled := look_at_subscription(provider, subscription_id):
        tell(provider, settled)
    return settled


def _letter(settled: Settled) -> str | None:
    now, before = settled.subscription, settled.before
    if before in Subscription.LIVE and now.status not in Subscription.LIVE:
        return "subscription_ended"
    if now.status == Status.PAST_DUE and before != Status.PAST_DUE:
        return "payment_failed"
    if now.status == Status.CANCELING and before != Status.CANCELING:
        return "subscription_ends"
    if now.downgrade_to_plan_id and now.downgrade_to_plan_id != settled.downgrade_before:
        return "downgrade_coming"
    if before in (Status.ACTIVE, Status.PAST_DUE, Status.CANCELING) and settled.plan_before != now.plan_id:
        return "plan_changed"
    return "plan_changed" if before not in Subscription.LIVE and now.status in Subscription.LIVE else None
