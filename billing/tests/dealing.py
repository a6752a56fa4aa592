"""One customer's dealings with one provider, as a test holds them: what is sent and asked, and what must hold."""

import random
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

from django.db import transaction
from django.db.models import Count, Sum
from hypothesis.stateful import RuleBasedStateMachine, invariant
from rest_framework.test import APIClient

from accounts.identity.local import start_session
from accounts.models import OutgoingMail, Plan, Subscription, User, UserUsage
from accounts.usage import ensure_live_subscription, limits_of
from billing.models import BillingEvent, Payment
from billing.tests.post import DAY
from billing.tests.reference import FREE, MONTH, Contract, Customer
from billing.tests.tills import AnyTill, Sold
from core.ids import uuid7

BY_THE_CLOCK = frozenset({"end", "downgrade", "wishes"})
CLOCKWORK = BY_THE_CLOCK | {"reconcile"}


def may_become(contract: Contract, path: str, plan: str) -> set[tuple[bool, str, str]]:
    """What a verb can make of it, whatever our rows said: if it ends, what comes later, and what is given now."""
    same, goes_on = (contract.ends, contract.later, contract.plan), (False, "", contract.plan)
    if path == "cancel" or plan == FREE:
        return {same, (True, "", contract.plan)}
    return {same, goes_on} | ({(False, plan, contract.plan), (False, "", plan)} if path == "upgrade" else set())


class Dealing(RuleBasedStateMachine):
    """A user, a provider, the model, and the post that is on its way between them."""

    till: AnyTill
    clockwork: frozenset[str] = CLOCKWORK

    def open(self) -> None:
        self.frame = transaction.atomic()
        self.frame.__enter__()
        self.till.open_books()
        self.user = User.objects.create_user(email=f"{uuid7()}@example.com")
        ensure_live_subscription(self.user)
        self.api = APIClient()
        self.api.credentials(HTTP_AUTHORIZATION=f"Bearer {start_session(self.user).access}")
        is_dodo = self.till.name == "dodo"
        self.model = Customer(upgrade_begins_anew=is_dodo, owing_is_renewed=not is_dodo)
        self.pages: list[str] = []
        self.bag: list[Any] = []  # what the provider has sent, and keeps sending until it is taken
        self.disputes: list[Callable[[bool], None]] = []
        self.sources: list[str] = []
        self.upkept: set[str] = set()  # what our clockwork has done since time went by
        self.kept_up_on = 0  # the last day on which all of it that goes by the clock has been done

    def teardown(self) -> None:
        if hasattr(self, "frame"):
            transaction.set_rollback(True)
            self.frame.__exit__(None, None, None)

    # Asking and sending

    def ask(self, path: str, plan: str = "") -> Any:
        body = {"plan_id": str(Plan.objects.get(slug=plan).pk)} if plan else {}
        return self.api.post(f"/api/billing/{path}/", body, format="json")

    def collect_news(self, *, gives_up: bool = False) -> None:
        self.bag.extend(self.till.take())
        for contract, sold in self.pairs():
            if sold.is_over and not contract.is_over:
                # We ended it ourselves, which is right where another one is given, or nobody paid in time, or will.
                is_unpaid = bool(contract.owed) and (gives_up or not contract.in_grace(self.model.day))
                assert is_unpaid or [each for each in self.model.giving() if each is not contract], sold
                self.model.refuse(contract)

    # Looking

    def live(self) -> Subscription:
        [live] = Subscription.objects.select_related("plan", "downgrade_to_plan").filter(
            user=self.user, status__in=Subscription.LIVE
        )
        return live

    def pairs(self) -> list[tuple[Contract, Sold]]:
        return list(zip(self.model.contracts, self.till.sold(), strict=True))

    def contract_of(self, live: Subscription) -> Contract | None:
        return next((contract for contract, sold in self.pairs() if sold.id == live.provider_id), None)

    def is_settled(self) -> bool:
        is_waiting = BillingEvent.objects.filter(state="received").exists()
        return not self.bag and not is_waiting and self.upkept >= self.clockwork

    def given(self) -> Contract | None:
        """Of several that were paid for, the one that our rows give; the others are then not given any more."""
        giving = self.model.giving()
        if len(giving) > 1:
            given = self.contract_of(self.live())
            # What was ended makes way for what goes on.
            assert given in ([each for each in giving if not each.is_over] or giving)
            for each in giving:
                if each is not given:
                    assert each.is_over
                    self.model.refuse(each)
            return given
        return giving[0] if giving else None

    def pick(self, chance: random.Random, wanted: Callable[[Contract], bool]) -> Iterator[tuple[Contract, Sold]]:
        found = [pair for pair in self.pairs() if not pair[0].is_over and wanted(pair[0])]
        if found:
            yield chance.choice(found)

    def pick_payment(self, chance: random.Random) -> Iterator[tuple[str, tuple[int, int]]]:
        found = [item for _, sold in self.pairs() for item in self.till.payments(sold.id).items()]
        if found:
            yield chance.choice(found)

    def take_over(self, path: str, plan: str) -> None:
        """Have the model follow the books, where it cannot know what a verb met, as far as that verb can go."""
        moved = [(place, *pair) for place, pair in enumerate(self.pairs()) if self.is_moved(*pair)]
        assert len(moved) <= 1, moved
        for place, contract, sold in moved:
            assert (sold.cancels, sold.later, sold.plan) in may_become(contract, path, plan), (path, plan, sold)
            self.model.changes["subscription_ends"] += sold.cancels and not contract.ends
            self.model.changes["downgrade_coming"] += sold.later not in ("", contract.later)
            contract.ends, contract.later = sold.cancels, sold.later
            if contract.plan != sold.plan:
                self.take_over_plan(place, contract, sold.plan)

    def take_over_plan(self, place: int, contract: Contract, plan: str) -> None:
        """For which it was paid, once; how many charges there are and when it ends is compared with the books."""
        contract.plan = plan
        contract.until = self.model.day + MONTH if self.model.upgrade_begins_anew else contract.until
        contract.paid.append((contract.plan, contract.until))
        self.model.charged[place, "plan_change"] += 1
        self.model.changes["plan_changed"] += 1

    @staticmethod
    def is_moved(contract: Contract, sold: Sold) -> bool:
        told = (sold.cancels, sold.later, sold.plan)
        return not sold.is_over and told != (contract.ends, contract.later, contract.plan)

    def day_of(self, sold: Sold) -> int:
        return self.model.day + round((sold.ends_at - self.till.now()) / DAY)

    # What must hold after each step

    @invariant()
    def the_model_follows_the_providers_books(self) -> None:
        for place, (contract, sold) in enumerate(self.pairs()):
            assert sold.is_over == contract.is_over
            charges = sum(count for (where, _), count in self.model.charged.items() if where == place)
            assert len(self.till.payments(sold.id)) == charges
            if not sold.is_over:
                told = (sold.plan, sold.is_owed, sold.cancels, sold.later, self.day_of(sold))
                assert told == (contract.plan, bool(contract.owed), contract.ends, contract.later, contract.until)

    @invariant()
    def money_is_never_more_than_was_taken_nor_less_than_none(self) -> None:
        taken = {key: moved for _, sold in self.pairs() for key, moved in self.till.payments(sold.id).items()}
        for payment in Payment.objects.filter(user=self.user, status__in=["SUCCEEDED", "REFUNDED"]):
            amount, back = taken[payment.provider_id]
            assert payment.amount == amount
            assert 0 <= payment.refunded <= back

    @invariant()
    def nobody_has_more_than_was_paid_for(self) -> None:
        """Or than was paid for when our clockwork last ran: what has run out since it has not seen."""
        live = self.live()
        if live.plan.slug == FREE:
            assert (live.status, live.provider_id) == ("ACTIVE", None)
            return
        contract, day = self.contract_of(live), self.kept_up_on
        assert contract
        assert contract.was_paid(live.plan.slug, day) or contract.is_waited_for(day), (live.plan.slug, live.status)

    @invariant()
    def limits_follow_the_plan_at_once(self) -> None:
        told, plan = limits_of(self.user), self.live().plan
        assert told["limits"]["url_lookups"] == plan.max_analyses_per_day
        assert UserUsage.objects.filter(user=self.user).aggregate(used=Sum("url_lookups", default=0))["used"] >= 0
        assert all(left >= 0 or plan.max_analyses_per_day < 0 for left in self._left(told))

    @staticmethod
    def _left(told: dict[str, Any]) -> list[int]:
        return [counts["url_lookups"] for counts in told["remaining"].values()]

    @invariant()
    def a_letter_is_owed_at_most_once_for_each_change(self) -> None:
        owed = OutgoingMail.objects.filter(user=self.user).values("template").annotate(count=Count("pk"))
        for row in owed:
            assert row["count"] <= self.model.changes.get(row["template"], row["count"]), row

    # What must hold when everything has arrived

    def rows_are_as_the_model_says(self) -> None:
        assert {*BillingEvent.objects.values_list("state", flat=True)} <= {"processed", "recorded", "ignored"}
        given, live = self.given(), self.live()
        if given is None:
            assert (live.plan.slug, live.provider_id) == (FREE, None), live.status
            return
        later = live.downgrade_to_plan.slug if live.downgrade_to_plan else ""
        said = (given.plan, given.status(self.model.day), given.later if not given.is_over else "")
        assert (live.plan.slug, live.status, later) == said
        assert self.contract_of(live) is given
        if live.status != "PAST_DUE":
            assert live.current_period_end
            assert abs(live.current_period_end - self.till.now() - (given.until - self.model.day) * DAY) < DAY / 24

    def money_adds_up(self) -> None:
        charged = Counter[tuple[int, str]]()
        for place, (_, sold) in enumerate(self.pairs()):
            rows = Payment.objects.filter(subscription__provider_id=sold.id, status__in=["SUCCEEDED", "REFUNDED"])
            told = {row.provider_id: (row.amount, row.refunded) for row in rows}
            assert told == self.till.payments(sold.id)
            charged.update((place, row.reason) for row in rows)
        assert charged == +self.model.charged
