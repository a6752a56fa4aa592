"""What is left of checkouts that nobody finished, and of what was paid twice: done again here until it is done."""

from datetime import timedelta

import structlog
from django.db.models import Count, Max, Q, QuerySet
from django.db.models.functions import Now

from accounts.models import Subscription
from accounts.subscriptions import leave_checkout
from billing import checkouts
from billing.models import Checkout, Refund
from billing.news import look_and_tell
from billing.providers import PROVIDERS
from billing.providers.contract import Page
from billing.surplus import MOST_TRIES
from core.errors import Problem

AT_ONCE = 200
# A page is open for a day: what has none by then will have none.
NEVER_OPENED = timedelta(days=1)
# So long a provider that was away is asked again to close a page.
CLOSING = timedelta(hours=1)
# What could not be given back by then waits for staff, who have read of it in the log.
PATIENCE = timedelta(days=7)

log = structlog.get_logger(__name__)


def tidy_checkouts() -> None:
    """May run twice at once: what is paid is settled under its user's lock, and what is over is over."""
    for page in checkouts.over()[:AT_ONCE]:
        _finish(page)
    # One that could not be closed at once; later, only whether it was paid in the end.
    is_worth_asking = Q(expires_at__lte=Now()) | Q(subscription__updated_at__gte=Now() - CLOSING)
    for page in checkouts.unwanted().filter(is_worth_asking)[:AT_ONCE]:
        _finish(page)
    pending = Subscription.objects.filter(status=Subscription.Status.PENDING, checkout=None)
    for row in pending.filter(created_at__lte=Now() - NEVER_OPENED).select_related("user")[:AT_ONCE]:
        leave_checkout(row.user, only=row.pk)
    for row in _surplus()[:AT_ONCE]:
        _look(row.provider, row.provider_id or "")


def _surplus() -> QuerySet[Subscription]:
    """What was paid twice and is not on its way back, or not any more, for a refund of it failed."""
    waiting = Subscription.objects.filter(surplus_since__isnull=False, returned_at=None, provider_id__isnull=False)
    failed = Q(payments__refunds__status=Refund.Status.FAILED)
    counted = waiting.annotate(
        failures=Count("payments__refunds", filter=failed), failed_at=Max("payments__refunds__seen_at", filter=failed)
    )
    is_recent = Q(ended_at__gte=Now() - PATIENCE) | Q(failed_at__gte=Now() - PATIENCE)
    return counted.filter(is_recent, failures__lt=MOST_TRIES)


def _finish(page: Checkout) -> None:
    """Perhaps it was paid, and nobody said so; else it is not waited for any more."""
    state = checkouts.close(page)
    if state is None:
        return
    bought = page.subscription
    if state.page is Page.PAID and not bought.provider_id:
        _look(bought.provider, state.subscription_id)
    elif bought.status == Subscription.Status.PENDING:
        leave_checkout(bought.user, only=bought.pk)


def _look(provider_name: str, subscription_id: str) -> None:
    try:
        look_and_tell(PROVIDERS[provider_name](), subscription_id)
    except Problem as problem:
        log.warning("checkout_not_looked_at", subscription_id=subscription_id, code=problem.code)
