"""What one customer has bought and may use, as a few rules say it; fed once, in order. It knows nothing of our code.

Time is whole days, and a month has thirty.
"""

from collections import Counter
from dataclasses import dataclass, field

MONTH, GRACE = 30, 7
FREE = "free"
RANKS = {FREE: 0, "pro": 1, "agency": 2}


@dataclass
class Contract:
    """One subscription at a provider."""

    plan: str
    until: int  # the day on which the running period ends
    later: str = ""  # the plan that begins then
    ends: bool = False  # it is not renewed
    is_over: bool = False  # the provider has ended it
    is_refused: bool = False  # it was paid beside another one, and is not given
    owed: list[int] = field(default_factory=list)  # the days on which a renewal failed, until it is paid
    paid: list[tuple[str, int]] = field(default_factory=list)  # plans, and until when they were paid for

    def was_paid(self, plan: str, day: int) -> bool:
        return any(each == plan and until > day for each, until in self.paid)

    def is_waited_for(self, day: int) -> bool:
        """Also where its provider has ended it, as long as nobody has heard of that."""
        return bool(self.owed) and day < self.owed[0] + GRACE

    def in_grace(self, day: int) -> bool:
        return self.is_waited_for(day) and not self.is_over

    def status(self, day: int) -> str:
        """Empty where it gives nothing."""
        if self.is_refused:
            return ""
        if self.is_over:
            return "CANCELING" if not self.owed and self.was_paid(self.plan, day) else ""
        if self.owed:
            return "PAST_DUE" if self.in_grace(day) else ""
        return "CANCELING" if self.ends else "ACTIVE"


class Customer:
    """Everything that one has bought, at a provider of which two things are known."""

    def __init__(self, *, upgrade_begins_anew: bool, owing_is_renewed: bool) -> None:
        self.upgrade_begins_anew, self.owing_is_renewed = upgrade_begins_anew, owing_is_renewed
        self.day, self.card_works = 0, True
        self.contracts: list[Contract] = []
        self.charged = Counter[tuple[int, str]]()  # by contract and reason
        self.changes = Counter[str]()  # what a letter may be owed for

    def giving(self) -> list[Contract]:
        return [each for each in self.contracts if each.status(self.day)]

    # What happens to the whole of it

    def begin(self, plan: str) -> None:
        contract = Contract(plan, self.day + MONTH)
        self.contracts.append(contract)
        self._pay(contract, "new", contract.until)
        self.card_works = True
        self.changes["plan_changed"] += 1

    def begin_in_vain(self, plan: str) -> None:
        self.contracts.append(Contract(plan, self.day, is_over=True))

    def pass_day(self) -> None:
        self.day += 1
        self.catch_up()

    def catch_up(self) -> None:
        while due := [each for each in self.contracts if self._is_due(each)]:
            for contract in due:
                self._renew(contract)

    def _is_due(self, contract: Contract) -> bool:
        waits = bool(contract.owed) and not self.owing_is_renewed
        return not contract.is_over and contract.until <= self.day and not waits

    def _renew(self, contract: Contract) -> None:
        if contract.ends:
            contract.is_over = True
            return
        if contract.later:
            contract.plan, contract.later = contract.later, ""
            self.changes["plan_changed"] += 1
        if self.card_works:
            self._pay(contract, "renewal", contract.until + MONTH)
            contract.until += MONTH
            contract.owed.clear()
        else:
            self.changes["payment_failed"] += not contract.owed
            contract.owed.append(contract.until)
            contract.until += MONTH if self.owing_is_renewed else 0

    def _pay(self, contract: Contract, reason: str, until: int) -> None:
        contract.paid.append((contract.plan, until))
        self.charged[self.contracts.index(contract), reason] += 1

    # What happens to one contract

    def collect(self, contract: Contract) -> None:
        """What is owed is tried again."""
        if self.card_works:
            for day in contract.owed:
                self._pay(contract, "renewal", day + MONTH)
                contract.until = max(contract.until, day + MONTH)
            contract.owed.clear()
            self.catch_up()

    def change(self, contract: Contract, plan: str) -> None:
        if plan == FREE:
            self.cancel(contract)
        elif RANKS[plan] > RANKS[contract.plan]:
            self._upgrade(contract, plan)
        else:
            self.go_on(contract)
            contract.later = plan if plan != contract.plan else ""
            self.changes["downgrade_coming"] += 1

    def _upgrade(self, contract: Contract, plan: str) -> None:
        """A card that is declined changes nothing."""
        if self.card_works:
            self.go_on(contract)
            contract.plan = plan
            contract.until = self.day + MONTH if self.upgrade_begins_anew else contract.until
            self._pay(contract, "plan_change", contract.until)
            self.changes["plan_changed"] += 1

    def cancel(self, contract: Contract) -> None:
        contract.ends, contract.later = True, ""
        self.changes["subscription_ends"] += 1

    def go_on(self, contract: Contract) -> None:
        contract.ends, contract.later = False, ""

    def end(self, contract: Contract) -> None:
        """At once: on the provider's own page, or after its last try."""
        contract.is_over = True
        self.changes["subscription_ends"] += 1

    def refuse(self, contract: Contract) -> None:
        contract.is_over = contract.is_refused = True
