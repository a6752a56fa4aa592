"""What follows at the provider when a subscription changes: what is not wanted any more is closed or given back."""

from accounts.models import Subscription
from accounts.subscriptions import Settled
from billing.checkouts import close_unwanted
from billing.providers.contract import Provider
from billing.settling import look_at_subscription
from billing.surplus import give_back


def tell(provider: Provider, settled: Settled) -> None:
    """Its owner has been told already, with the change itself."""
    if not settled.is_news:
        return
    subscription = settled.subscription
    if settled.is_second:
        give_back(provider, subscription)
        return
    if settled.before not in Subscription.LIVE and subscription.status in Subscription.LIVE:
        # Whatever else was about to be paid is not wanted any more.
        close_unwanted(subscription.user)


def look_and_tell(provider: Provider, subscription_id: str, *, insists: bool = False) -> Settled | None:
    if settled := look_at_subscription(provider, subscription_id, insists=insists):
        tell(provider, settled)
    return settled
