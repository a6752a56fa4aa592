"""The figures about money, each defined here and nowhere else. They are read, by indexes, and never kept."""

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any

from django.db.models import Count, Q, QuerySet, Sum
from django.utils import timezone

from accounts.models import Plan, Subscription
from billing.models import Payment, Refund
from billing.pricing import months_of

Status = Subscription.Status
# As the page of figures tells them.
DEFINITIONS = {
    "Month": "A calendar month in UTC.",
    "MRR": "Of every active subscription that a provider is paid for, its plan's price for a month; a price for a year "
    "counts as a twelfth of it. Without taxes and discounts. Trials pay nothing yet, what is past due is not paid, and "
    "what is canceling will not be paid again: each stands apart. Granted plans are paid by nobody and count nowhere.",
    "Churn": "Of the subscriptions that were paid for before the month and had not ended by its start, those that "
    "ended within it. Who began and ended within one month is in neither number, nor is an erased account.",
    "Failed payments": "Those that are failed now and that we first heard of within the month. One that was paid later "
    "is paid.",
    "Failed refunds": "Those that are failed now and that we first heard of within the month, even where another was "
    "made instead.",
    "Net paid": "What came in within the month, less what went back or was lost in a dispute within it, whenever that "
    "had been paid. A refund or a loss counts when we first hear of it. With taxes. Currencies are never added up.",
}
PAID = (Payment.Status.SUCCEEDED, Payment.Status.REFUNDED)


@dataclass(frozen=True, slots=True)
class Month:
    """A calendar month in UTC."""

    year: int
    number: int

    @classmethod
    def now(cls) -> "Month":
        return cls.of(timezone.now())

    @classmethod
    def of(cls, when: datetime) -> "Month":
        at = when.astimezone(UTC)
        return cls(at.year, at.month)

    @classmethod
    def named(cls, text: str) -> "Month | None":
        try:
            first = date.fromisoformat(f"{text}-01")
        except ValueError:
            return None
        return cls(first.year, first.month) if 1990 < first.year < 2200 else None

    def __str__(self) -> str:
        return f"{self.year}-{self.number:02}"

    @property
    def start(self) -> datetime:
        return datetime(self.year, self.number, 1, tzinfo=UTC)

    @property
    def end(self) -> datetime:
        return self.after.start

    @property
    def before(self) -> "Month":
        return Month(self.year - 1, 12) if self.number == 1 else Month(self.year, self.number - 1)

    @property
    def after(self) -> "Month":
        return Month(self.year + 1, 1) if self.number == 12 else Month(self.year, self.number + 1)


@dataclass(slots=True)
class OfPlan:
    """How many pay for a plan, by how it stands with them, and what that brings in a month."""

    plan: Plan
    counts: dict[str, int] = field(default_factory=lambda: dict.fromkeys(Subscription.LIVE, 0))

    def worth(self, status: str) -> int:
        """In coins, rounded once for all of them."""
        months = months_of(self.plan)
        return (self.counts[status] * self.plan.price + months // 2) // months

    @property
    def mrr(self) -> int:
        return self.worth(Status.ACTIVE)


@dataclass(slots=True)
class Moved:
    """What moved within a month in one currency."""

    paid: int = 0
    refunded: int = 0
    lost: int = 0  # in disputes

    @property
    def net(self) -> int:
        return self.paid - self.refunded - self.lost


def by_plan() -> list[OfPlan]:
    """Every plan that anybody pays for."""
    live = Subscription.objects.filter(status__in=Subscription.LIVE, provider_id__isnull=False)
    plans = {plan.pk: OfPlan(plan) for plan in Plan.objects.order_by("currency", "price", "slug")}
    for row in live.values("plan", "status").annotate(n=Count("*")).order_by():
        plans[row["plan"]].counts[row["status"]] = row["n"]
    return [each for each in plans.values() if any(each.counts.values())]


def in_a_month(plans: list[OfPlan], status: str = Status.ACTIVE) -> dict[str, int]:
    """What plans are worth by currency."""
    found: dict[str, int] = defaultdict(int)
    for each in plans:
        found[each.plan.currency] += each.worth(status)
    return {currency: worth for currency, worth in found.items() if worth}


def paid_at_start(month: Month) -> Q:
    """Of subscriptions."""
    return Q(paid_since__lt=month.start) & (Q(ended_at=None) | Q(ended_at__gte=month.start))


def churned(month: Month) -> Q:
    """Of subscriptions."""
    return Q(paid_since__lt=month.start, ended_at__gte=month.start, ended_at__lt=month.end)


def churn(month: Month) -> tuple[int, int]:
    """How many ended, and of how many."""
    rows = Subscription.objects
    return rows.filter(churned(month)).count(), rows.filter(paid_at_start(month)).count()


def failed_payments(month: Month) -> QuerySet[Payment]:
    within = {"created_at__gte": month.start, "created_at__lt": month.end}
    return Payment.objects.filter(status=Payment.Status.FAILED, **within)


def failed_refunds(month: Month) -> QuerySet[Refund]:
    within = {"created_at__gte": month.start, "created_at__lt": month.end}
    return Refund.objects.filter(status=Refund.Status.FAILED, **within)


def moved(month: Month) -> dict[str, Moved]:
    """By currency: what was paid, what went back and what was lost."""
    paid = Payment.objects.filter(status__in=PAID, paid_at__gte=month.start, paid_at__lt=month.end)
    back = Refund.objects.filter(status=Refund.Status.SUCCEEDED, created_at__gte=month.start, created_at__lt=month.end)
    found: dict[str, Moved] = defaultdict(Moved)
    for row in _sums(paid):
        found[row["currency"]].paid = row["total"]
    for row in _sums(back):
        found[row["currency"]].refunded = row["total"]
    for row in _sums(Payment.objects.filter(lost_at__gte=month.start, lost_at__lt=month.end), of="lost"):
        found[row["currency"]].lost = row["total"]
    return dict(sorted(found.items()))


def _sums(rows: QuerySet[Any], *, of: str = "amount") -> QuerySet[Any, dict[str, Any]]:
    found: QuerySet[Any, dict[str, Any]] = rows.values("currency").annotate(total=Sum(of)).order_by()
    return found
