"""What a plan allows and what is used of it: one conditional statement decides, a ledger row makes it happen once."""

from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from datetime import UTC, date, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import IntegrityError, connection, transaction
from django.db.models import FilteredRelation, Q
from django.db.models.functions import Now, TruncDate

from accounts.models import UNLIMITED, Plan, Subscription, UsageKind, User, UserUsage
from core.errors import LimitReached, NotConfigured, Unavailable
from core.ids import uuid7
from core.statements import Parameter, Row, Statement, ask, columns_of, model_of

FREE = "free"
# The plan's column that limits a kind; a kind that is missing here is counted without a limit.
LIMITED_BY = {
    UsageKind.HANDLE_ANALYSES: "max_handles",
    UsageKind.URL_LOOKUPS: "max_analyses_per_day",
    UsageKind.QUESTIONS_ASKED: "max_questions_per_day",
}
# What is counted, as a sentence calls it.
NOUNS = {
    UsageKind.HANDLE_ANALYSES: "handles",
    UsageKind.URL_LOOKUPS: "posts",
    UsageKind.POST_SUGGESTIONS: "suggestions",
    UsageKind.QUESTIONS_ASKED: "questions",
}
PLAN_WIDTH = len(columns_of(Plan))
LIVE = Statement(
    lambda: Subscription.objects.filter(user=Parameter("user"), status__in=Subscription.LIVE).values_list(
        *columns_of(Subscription), *columns_of(Plan, "plan__"), *columns_of(Plan, "downgrade_to_plan__")
    )
)
# The database's clock decides the day, so that clocks of ours that disagree do not matter.
TODAY = TruncDate(Now(), tzinfo=UTC)
# A first spend may find no subscription, no counter and a faster rival; ten turns are a sign of something else.
TURNS = 10


def _statements(name: str) -> dict[str, str]:
    text = (Path(__file__).parent / "sql" / name).read_text()
    live = ", ".join(f"'{status}'" for status in Subscription.LIVE)
    limits = {kind: f"plan.{LIMITED_BY[kind]}" if kind in LIMITED_BY else str(UNLIMITED) for kind in UsageKind}
    return {kind: text.format(used=kind.value, limit=limits[kind], live=live) for kind in UsageKind}


SPEND = _statements("spend.sql")
GIVE_BACK = _statements("give_back.sql")


@dataclass(frozen=True, slots=True)
class UsageState:
    """Where a user stands today with one kind on one platform; a limit of -1 means unlimited."""

    limit: int
    used: int
    requested: int
    resets_at: str

    @property
    def remaining(self) -> int:
        return _remaining(self.limit, self.used)

    @property
    def fits(self) -> bool:
        """Whether what was requested could be spent from here."""
        return self.limit == UNLIMITED or self.used + self.requested <= self.limit


@dataclass(frozen=True, slots=True)
class Reply:
    """What the spending statement found and did: no limit without a live subscription, no use without a counter."""

    day: date
    allowed: int | None
    used: int | None
    spent: bool
    owner: UUID | None


# Subscriptions


def ensure_live_subscription(user: User) -> None:
    """Start a user on the Free plan, unless some subscription of theirs is live."""
    free = Plan.objects.filter(slug=FREE).first()
    if free is None:
        raise NotConfigured("The Free plan is missing: run `manage.py migrate`.")
    # ON CONFLICT DO NOTHING: the index allows one live row, so many at once leave one.
    Subscription.objects.bulk_create([Subscription(user=user, plan=free)], ignore_conflicts=True)


def change_plan(user: User, plan: Plan) -> bool:
    """End what is live and begin this plan at once, without payment; False where it is theirs, or one is paid for."""
    with transaction.atomic():
        # Whoever else changes this user's plan waits here, and then sees what was done.
        User.objects.select_for_update(no_key=True).get(pk=user.pk)
        live = Subscription.objects.filter(user=user, status__in=Subscription.LIVE)
        if live.filter(Q(plan=plan, status=Subscription.Status.ACTIVE) | Q(provider_id__isnull=False)).exists():
            return False
        live.update(status=Subscription.Status.CANCELLED, current_period_end=Now(), ended_at=Now(), updated_at=Now())
        Subscription.objects.create(user=user, plan=plan)
        return True


def get_user_subscription(user: User) -> Subscription:
    found = LIVE.rows(user=user.pk)
    if not found:
        ensure_live_subscription(user)
        found = LIVE.rows(user=user.pk)
    return _subscription(found[0])


def _subscription(row: Row) -> Subscription:
    own, plans = row[: -2 * PLAN_WIDTH], row[-2 * PLAN_WIDTH :]
    subscription = model_of(Subscription, own)
    subscription.plan = model_of(Plan, plans[:PLAN_WIDTH])
    if subscription.downgrade_to_plan_id:
        subscription.downgrade_to_plan = model_of(Plan, plans[PLAN_WIDTH:])
    return subscription


def get_user_plan(user: User) -> Plan:
    return get_user_subscription(user).plan


# Spending


def increment_usage(
    user: User, kind: str, *, platform: str, source: str, amount: int = 1, is_new: bool = False
) -> UsageState:
    """Spend units on a source, once however often it is asked for, or raise LimitReached and write nothing.

    A source that is new has nobody else who might spend on it meanwhile, so that no savepoint is needed.
    """
    _require_positive(amount)
    asked = {"user": user.pk, "kind": UsageKind(kind).value, "platform": platform, "source": source, "amount": amount}
    for _ in range(TURNS):
        reply = _spend(asked, nullcontext() if is_new else _undoable())
        if reply is None:
            continue
        if reply.allowed is None:
            ensure_live_subscription(user)
        elif reply.spent or reply.owner:
            return _state(reply.allowed, reply.used or 0, amount, reply.day)
        elif reply.used is None:
            UserUsage.objects.bulk_create([UserUsage(user=user, day=TODAY, platform=platform)], ignore_conflicts=True)
        else:
            refuse_beyond(_state(reply.allowed, reply.used, amount, reply.day), kind=kind, platform=platform)
    raise Unavailable


def give_back(*, source: str, kind: str) -> bool:
    """Return what a source had spent to the day it was spent on; False where there was nothing to return."""
    return bool(ask(GIVE_BACK[UsageKind(kind)], {"source": source, "kind": UsageKind(kind).value}))


def _spend(asked: dict[str, Any], guard: AbstractContextManager[None]) -> Reply | None:
    try:
        with guard:
            [row] = ask(SPEND[asked["kind"]], {**asked, "id": uuid7()})
    except IntegrityError:
        # Somebody spent on this source while we did, so ours was undone: the next look will find theirs.
        return None
    reply = Reply(*row)
    if reply.owner not in (None, asked["user"]):
        raise ValueError(f"{asked['source']} belongs to another user.")
    return reply


def _undoable() -> AbstractContextManager[None]:
    # A failed statement undoes itself; inside a transaction it needs a savepoint to leave the rest alive.
    return transaction.atomic() if connection.in_atomic_block else nullcontext()


def refuse_beyond(state: UsageState, *, kind: str, platform: str) -> None:
    """Raise LimitReached unless what was requested fits from here; it says what of which is used up."""
    # Refused though it fits means that somebody moved the counter between our look and our lock: look again.
    if state.fits:
        return
    upgrade_url = f"{settings.APP_URL}/pricing"
    details = {"limit": state.limit, "used": state.used, "requested": state.requested, "resets_at": state.resets_at}
    about = {"kind": UsageKind(kind).value, "platform": platform}
    raise LimitReached(
        f"Your plan's limit for today is reached: {state.used} of {state.limit} {NOUNS[UsageKind(kind)]} a day on "
        f"{platform} are used, and this asks for {state.requested} more. The count begins anew at {state.resets_at}.",
        details={**details, **about, "upgrade_url": upgrade_url},
    )


# Looking


def check_usage_limit(user: User, kind: str, *, platform: str, amount: int = 1) -> UsageState:
    """Say where a user stands, for a quote. It promises nothing: only spending decides."""
    _require_positive(amount)
    kind = UsageKind(kind).value
    today = limits_of(user)
    used = today["used"].get(platform, {}).get(kind, 0)
    return UsageState(today["limits"][kind], used, amount, today["resets_at"])


def limits_of(user: User) -> dict[str, Any]:
    """What the plan allows a day on each platform, and what is used and left where anything was used."""
    plan, today = get_user_plan(user), usage_today(user)
    limits = {kind.value: _limit(plan, kind) for kind in UsageKind}
    used = {row["platform"]: {kind: row[kind] for kind in limits} for row in today["platforms"]}
    remaining = {
        platform: {kind: _remaining(limits[kind], count) for kind, count in counts.items()}
        for platform, counts in used.items()
    }
    return {"limits": limits, "used": used, "remaining": remaining, "resets_at": today["resets_at"]}


def usage_today(user: User) -> dict[str, Any]:
    """What was used today, by platform."""
    # One statement, so that the day and the rows agree at midnight; without rows it still tells the day.
    today = FilteredRelation("usage", condition=Q(usage__day=TODAY))
    columns = ["platform", *UsageKind.values]
    rows = list(
        User.objects.filter(pk=user.pk)
        .annotate(day=TODAY, today=today)
        .order_by("today__platform")
        .values_list("day", *(f"today__{column}" for column in columns))
    )
    platforms = [dict(zip(columns, row[1:], strict=True)) for row in rows if row[1] is not None]
    return {"day": rows[0][0], "platforms": platforms, "resets_at": _resets_at(rows[0][0])}


def _limit(plan: Plan, kind: UsageKind) -> int:
    return int(getattr(plan, LIMITED_BY[kind])) if kind in LIMITED_BY else UNLIMITED


def _remaining(limit: int, used: int) -> int:
    return UNLIMITED if limit == UNLIMITED else max(0, limit - used)


def _state(limit: int, used: int, requested: int, day: date) -> UsageState:
    return UsageState(limit, used, requested, _resets_at(day))


def _resets_at(day: date) -> str:
    return f"{day + timedelta(days=1)}T00:00:00Z"


def _require_positive(amount: int) -> None:
    if amount < 1:
        raise ValueError("The amount must be positive.")
