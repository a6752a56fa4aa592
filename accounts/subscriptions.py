"""What becomes of a subscription: whoever takes the money says what is paid for, and one row stays live whatever comes.

Every verb locks the user first: two that come at once run one after the other, and the second sees what the first did.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import Q, QuerySet
from django.db.models.functions import Now

from accounts.models import Plan, Subscription, User
from accounts.usage import ensure_live_subscription
from core.errors import Conflict

Status = Subscription.Status
EVER = datetime(2000, 1, 1, tzinfo=UTC)
PAID = (Status.ACTIVE, Status.CANCELING, Status.PAST_DUE)


class AlreadySubscribed(Conflict):
    """There is a paid subscription already: change its plan with upgrade/, or have it go on with resume/."""

    code = "already_subscribed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Paid:
    """What a provider says of one subscription, in our words."""

    provider: str
    provider_id: str
    status: str
    plan: Plan
    period_start: datetime | None
    period_end: datetime | None
    cancel_at_period_end: bool
    grace_until: datetime | None
    downgrade_to: Plan | None
    seen_at: datetime  # when the look began that found it so
    is_over: bool = False  # ended there for good, though perhaps paid for until later


@dataclass(frozen=True, slots=True, kw_only=True)
class Settled:
    """What came of it."""

    subscription: Subscription
    before: str = ""  # the status it had; empty where it is new to us
    plan_before: UUID | None = None
    downgrade_before: UUID | None = None
    is_news: bool = False
    # Another one is paid for and live: this one should not be charged for any more.
    is_second: bool = False


def await_payment(user: User, plan: Plan, *, provider: str) -> Subscription:
    """The subscription that a checkout is for, beside the live one; asked for again, the same."""
    with transaction.atomic():
        _lock(user.pk)
        if _going_on(user.pk).exists():
            raise AlreadySubscribed
        pending = _pending(user.pk)
        # Another plan, or another provider, was chosen: what the first checkout was for is not wanted any more.
        _leave(pending.exclude(plan=plan, provider=provider))
        found = pending.select_related("plan").first()
        return found or Subscription.objects.create(user=user, plan=plan, provider=provider, status=Status.PENDING)


def leave_checkout(user: User, *, only: UUID | None = None) -> bool:
    """Wait for a payment no more; one that comes all the same is honoured. False where none was waited for."""
    with transaction.atomic():
        _lock(user.pk)
        pending = _pending(user.pk)
        return _leave(pending.filter(pk=only) if only else pending) > 0


def mark_returned(subscription: Subscription) -> bool:
    """That what was paid twice is on its way back; True for the one who is to say so."""
    waiting = Subscription.objects.filter(pk=subscription.pk, surplus_since__isnull=False, returned_at=None)
    return waiting.update(returned_at=Now(), updated_at=Now()) > 0


def unmark_returned(subscription: Subscription) -> bool:
    """That it did not come back after all; True for the one who is to say so."""
    returned = Subscription.objects.filter(pk=subscription.pk, returned_at__isnull=False)
    return returned.update(returned_at=None, updated_at=Now()) > 0


def settle(user_id: UUID, *, ref: UUID | None, paid: Paid, with_it: Callable[[Settled], None] | None = None) -> Settled:
    """Make our rows say what the provider says, unless a later look has been settled already.

    `with_it` writes down what follows, in the same transaction: both are kept, or neither.
    """
    with transaction.atomic():
        _lock(user_id)
        row = _row_of(user_id, ref, paid)
        before = _before(row)
        if row.seen_at and row.seen_at > paid.seen_at:
            return Settled(subscription=row, **before)
        is_second = _is_second(row, paid)
        # What had ended, and was given only to its end, makes way for what was bought since.
        makes_way = (
            paid.is_over and paid.status in Subscription.LIVE and (_another_is_paid(row) or _made_way(row, paid))
        )
        _fill(row, paid, status=Status.CANCELLED if is_second or makes_way else paid.status)
        if row.status in Subscription.LIVE:
            _end(_live(user_id).exclude(pk=row.pk))
            # What else was in a checkout is not wanted any more.
            _leave(_pending(user_id).exclude(pk=row.pk))
        row.save()
        ensure_live_subscription(row.user)
        settled = Settled(subscription=row, is_news=True, is_second=is_second, **before)
        if with_it:
            with_it(settled)
        return settled


def grant(user: User, plan: Plan, *, until: datetime) -> Subscription:
    """Give a plan that nobody pays for, until then; granted again, it ends at the new time."""
    with transaction.atomic():
        _lock(user.pk)
        live = _live(user.pk).select_related("plan").first()
        if live and live.provider_id:
            raise AlreadySubscribed
        if live is None or live.plan_id != plan.pk or live.current_period_end is None:
            _end(_live(user.pk))
            live = Subscription(user=user, plan=plan, cancel_at_period_end=True)
        live.current_period_end = until
        live.save()
        return live


def plan_downgrade(subscription: Subscription, plan: Plan | None) -> None:
    """Remember which plan begins when the period ends; None for the one it has."""
    with transaction.atomic():
        _lock(subscription.user_id)
        _live(subscription.user_id).filter(pk=subscription.pk).update(downgrade_to_plan=plan, updated_at=Now())


def end_lapsed(user_id: UUID, *, is_heard: bool = True) -> list[Subscription]:
    """End what was paid until now and no longer; its user is on Free from here.

    Unless `is_heard`, what only its provider's silence speaks against stays: perhaps it is being charged for.
    """
    with transaction.atomic():
        _lock(user_id)
        over = list(_live(user_id).filter(lapsed() if is_heard else _said_to_end()).select_related("plan", "user"))
        for each in over:
            # When its time was up, not when that was noticed: perhaps in the next month.
            each.ended_at = each.grace_until if each.status == Status.PAST_DUE else each.current_period_end
            was_to_end = each.status == Status.CANCELING or not each.provider_id
            each.status = Status.CANCELLED if was_to_end else Status.EXPIRED
            each.save(update_fields=["status", "ended_at", "updated_at"])
            ensure_live_subscription(each.user)
        return over


def revoke(subscription: Subscription, *, with_it: Callable[[Settled], None]) -> bool:
    """End now what has been ended at its provider and was to be given to its end, for its money was taken back."""
    with transaction.atomic():
        _lock(subscription.user_id)
        row = _live(subscription.user_id).filter(pk=subscription.pk).select_related("plan", "user").first()
        if row is None:
            return False
        before = _before(row)
        row.status, row.is_over, row.cancel_at_period_end, row.downgrade_to_plan = Status.CANCELLED, True, True, None
        # From here on a look that finds it over, and paid for until later, gives nothing back.
        row.seen_at = row.ended_at = Now()
        # Not its turn: that may be given back meanwhile.
        ended = ["status", "is_over", "cancel_at_period_end", "downgrade_to_plan", "seen_at", "ended_at", "updated_at"]
        row.save(update_fields=ended)
        ensure_live_subscription(row.user)
        with_it(Settled(subscription=row, is_news=True, **before))
        return True


def lapsed() -> Q:
    """Live rows that nothing is paid for any more."""
    # The provider has not said for long what became of it, or has no such subscription any more.
    patience = timedelta(days=settings.BILLING_GRACE_DAYS)
    unheard = Q(
        status__in=(Status.ACTIVE, Status.TRIAL), provider_id__isnull=False, current_period_end__lte=Now() - patience
    )
    return _said_to_end() | unheard


def owed_in_vain() -> Q:
    """Rows that ended unpaid here, while their provider may still try to charge for them."""
    return Q(status=Status.EXPIRED, is_over=False, provider_id__isnull=False, grace_until__lte=Now())


def mark_over(subscription: Subscription) -> None:
    """That its provider has no such subscription, and so charges nothing for it."""
    Subscription.objects.filter(owed_in_vain(), pk=subscription.pk).update(is_over=True, updated_at=Now())


def mark_seen(subscription: Subscription, *, at: datetime) -> None:
    """That its provider was asked and had nothing to tell: until others were asked too, it is not its turn again."""
    older = Subscription.objects.filter(pk=subscription.pk, seen_at__lt=at)
    older.update(seen_at=at, updated_at=Now())


def _said_to_end() -> Q:
    cancelled = Q(status=Status.CANCELING, current_period_end__lte=Now())
    granted = Q(status=Status.ACTIVE, provider_id=None, current_period_end__lte=Now())
    return cancelled | granted | Q(status=Status.PAST_DUE, grace_until__lte=Now())


def _lock(user_id: UUID) -> None:
    User.objects.select_for_update(no_key=True).only("pk").get(pk=user_id)


def _live(user_id: UUID) -> QuerySet[Subscription]:
    return Subscription.objects.filter(user=user_id, status__in=Subscription.LIVE)


def _pending(user_id: UUID) -> QuerySet[Subscription]:
    return Subscription.objects.filter(user=user_id, status=Status.PENDING)


def _leave(pending: QuerySet[Subscription]) -> int:
    return pending.update(status=Status.CANCELLED, updated_at=Now())


def _row_of(user_id: UUID, ref: UUID | None, paid: Paid) -> Subscription:
    # Held, for a row is written whole: a turn at it that ends meanwhile, or money on its way back, would be undone.
    own = Subscription.objects.filter(user=user_id).select_related("plan", "user").select_for_update(of=("self",))
    found = own.filter(provider=paid.provider, provider_id=paid.provider_id).first()
    if found is None and ref:
        # A checkout that was paid twice has two subscriptions: the first one to be told of has the row.
        found = own.filter(pk=ref, provider=paid.provider, provider_id=None).first()
    return found or Subscription(user_id=user_id, plan=paid.plan)


def _before(row: Subscription) -> dict[str, Any]:
    if row._state.adding:
        return {}
    return {"before": row.status, "plan_before": row.plan_id, "downgrade_before": row.downgrade_to_plan_id}


def _going_on(user_id: UUID) -> QuerySet[Subscription]:
    """What is paid for, and will be again."""
    return _live(user_id).filter(provider_id__isnull=False, is_over=False)


def _another_is_paid(row: Subscription) -> bool:
    return _going_on(row.user_id).exclude(pk=row.pk).exists()


def _made_way(row: Subscription, paid: Paid) -> bool:
    """And does not come back when that one ends: a late event must not decide it."""
    return row.is_over and row.status == Status.CANCELLED and row.provider_id == paid.provider_id


def _is_second(row: Subscription, paid: Paid) -> bool:
    """Paid for beside another one. It stays so when that one ends, for it is being ended and given back."""
    had_its_time = paid.is_over and row.seen_at is not None
    is_found = paid.status in Subscription.LIVE and not had_its_time and _another_is_paid(row)
    if is_found and not row.surplus_since:
        # One that was given once goes back only from when it was not any more.
        row.surplus_since = (row.ended_at or paid.seen_at) if row.seen_at else EVER
    return row.surplus_since is not None


def _fill(row: Subscription, paid: Paid, *, status: str) -> None:
    row.status = status
    row.provider, row.provider_id, row.plan, row.seen_at = paid.provider, paid.provider_id, paid.plan, paid.seen_at
    row.current_period_start = paid.period_start or row.current_period_start
    row.current_period_end, row.grace_until = paid.period_end, paid.grace_until
    row.cancel_at_period_end, row.is_over = paid.cancel_at_period_end, paid.is_over
    row.downgrade_to_plan = paid.downgrade_to
    if status in PAID:
        row.paid_since = row.paid_since or paid.period_start or paid.seen_at
    found_over = min(paid.seen_at, paid.period_end or paid.seen_at)
    row.ended_at = None if status in Subscription.LIVE else row.ended_at or found_over


def _end(rows: QuerySet[Subscription]) -> None:
    now = {"current_period_end": Now(), "ended_at": Now(), "updated_at": Now()}
    rows.update(status=Status.CANCELLED, downgrade_to_plan=None, **now)
