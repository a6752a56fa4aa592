"""Which letter a change of a subscription is worth: owed in the transaction of the change, so once and not never."""

from accounts.mail import owe_mail
from accounts.models import Subscription
from accounts.subscriptions import Settled
from billing.models import Refund

Status = Subscription.Status


def owe_letter(settled: Settled) -> None:
    """A look that finds nothing new owes none. Of one that was paid twice there is more to say, later."""
    if not settled.is_second and (letter := _letter(settled)):
        owe_mail(settled.subscription.user, letter)


def owe_refund_letter(refund: Refund) -> None:
    """For what somebody decided; of what was paid twice there is a letter already."""
    subscription = refund.payment.subscription
    if refund.user and not (subscription and subscription.surplus_since):
        owe_mail(refund.user, "given_back")


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
    if _goes_on(settled):
        return "goes_on"
    if before in (Status.ACTIVE, Status.PAST_DUE, Status.CANCELING) and settled.plan_before != now.plan_id:
        return "plan_changed"
    return "plan_changed" if before not in Subscription.LIVE and now.status in Subscription.LIVE else None


def _goes_on(settled: Settled) -> bool:
    """What was to happen at the end of the period does not."""
    now, before = settled.subscription, settled.before
    was_to_change = before == Status.CANCELING or (before == Status.ACTIVE and settled.downgrade_before)
    is_as_it_was = now.status == Status.ACTIVE and now.plan_id == settled.plan_before and not now.downgrade_to_plan_id
    return bool(was_to_change) and is_as_it_was
