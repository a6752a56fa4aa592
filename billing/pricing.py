"""Which of two plans is dearer: by what a month of each costs, and only where both cost the same kind of money."""

from accounts.models import Plan
from core.errors import Conflict

MONTHS = {"year": 12, "month": 1}


class OtherCurrency(Conflict):
    """That plan is sold in another currency than yours: cancel yours, and buy it when what is paid for is over."""

    code = "other_currency"


def begins_now(plan: Plan, *, instead_of: Plan) -> bool:
    """Whether a change is an upgrade, which is charged for at once; a cheaper plan waits for the period's end."""
    if plan.currency != instead_of.currency:
        raise OtherCurrency(details={"currency": instead_of.currency, "wanted": plan.currency})
    # What each would cost for as long as the other one runs: nothing is rounded.
    return plan.price * months_of(instead_of) >= instead_of.price * months_of(plan)


def months_of(plan: Plan) -> int:
    return MONTHS.get(plan.interval, 1)
