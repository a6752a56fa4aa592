"""Any order of what users, providers, the post and our own clockwork do, beside a model fed once, in order.

The providers are their sandboxes over HTTP, the rows are PostgreSQL's. When time passes, rows and books move into the
past. FUZZ_CASES makes it longer.
"""

import os
import random
from collections.abc import Callable
from typing import Any

import pytest
from django.db.models import Sum
from django.db.models.functions import Now
from hypothesis import HealthCheck, Phase
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import initialize, precondition, rule, run_state_machine_as_test

from accounts.models import Subscription, UsageKind, UserUsage
from accounts.usage import give_back, increment_usage
from billing import inbox, upkeep
from billing.models import BillingEvent
from billing.providers import PROVIDERS
from billing.tests.dealing import Dealing
from billing.tests.post import move_rows, send, send_all, work_off
from billing.tests.reference import FREE, Contract
from billing.tests.tills import till_of
from core.errors import LimitReached
from core.ids import uuid7

pytestmark = pytest.mark.django_db
UPKEEP: dict[str, Callable[[], Any]] = {
    "end": upkeep.end_all_lapsed,
    "downgrade": upkeep.process_scheduled_downgrades,
    "reconcile": upkeep.reconcile,
}
PASSING = {"stripe": 409, "dodo": 408}  # what a provider says that is to be asked again, and is not by the door
places, seeds, plans = st.integers(0, 5), st.integers(0, 10_000), st.sampled_from(["pro", "agency"])
bought = precondition(lambda self: self.model.contracts)
owing = precondition(lambda self: any(each.owed for each in self.model.contracts))


class Dealings(Dealing):
    """Everything that may happen, in any order."""

    @initialize(plan=st.none() | plans | plans)
    def begin(self, plan: str | None) -> None:
        self.open()
        if plan:
            self.subscribe(plan)
            self.press(0, "pay")

    # The post

    @precondition(lambda self: self.bag)
    @rule(which=places, copies=st.integers(1, 2), keeps=st.booleans())
    def deliver(self, which: int, copies: int, keeps: bool) -> None:
        """Any of what is on its way, perhaps to come once more."""
        event = self.bag[which % len(self.bag)]
        for _ in range(copies):
            send(self.till, event)
        if not keeps:
            self.bag.remove(event)

    @rule(which=places, away=st.booleans())
    def work(self, which: int, away: bool) -> None:
        """A worker takes one event; the provider may be away just then."""
        waiting = [*BillingEvent.objects.filter(state="received").values_list("pk", flat=True)]
        if waiting:
            BillingEvent.objects.filter(pk=waiting[which % len(waiting)]).update(run_after=Now())
            if away:
                self.till.sandbox.fail("*", status=PASSING[self.till.name], times=-1)
            inbox.process(waiting[which % len(waiting)])
            self.till.sandbox.reset()
            self.collect_news()

    @rule(seed=seeds)
    def everything_arrives(self, seed: int) -> None:
        chance = random.Random(seed)
        while not self.is_settled():
            send_all(self.till, self.bag, chance)
            self.bag.clear()
            work_off(chance)
            self.collect_news()
            for name in chance.sample([*UPKEEP], len(UPKEEP)):
                self.keep_up(name)
        self.rows_are_as_the_model_says()
        self.money_adds_up()

    # Time, and what it brings about

    @bought
    @rule(name=st.sampled_from([*UPKEEP]))
    def keep_up(self, name: str) -> None:
        UPKEEP[name]()
        self.upkept.add(name)
        self.collect_news()

    @rule(days=st.sampled_from([1, 3, 8, 30, 30]))
    def pass_time(self, days: int) -> None:
        for _ in range(days):
            self.till.pass_day()
            self.model.pass_day()
        move_rows(days)
        self.upkept.clear()
        self.collect_news()

    # What the user does

    @rule(plan=plans)
    def subscribe(self, plan: str) -> None:
        answer = self.ask("subscribe", plan)
        # Looked at afterwards: what was paid on an open page begins right here, before its event comes.
        live = self.live()
        assert answer.status_code == (409 if live.provider_id and not live.is_over else 201), answer.content
        if answer.status_code == 201:
            self.pages.append(answer.json()["checkout_url"])
        self.collect_news()

    @precondition(lambda self: self.pages)
    @rule(which=places, button=st.sampled_from(["pay", "pay", "pay", "decline", "cancel"]))
    def press(self, which: int, button: str) -> None:
        if button == "pay":
            self.till.set_card(works=True)
            self.model.card_works = True
        self.till.press(self.pages[which % len(self.pages)], action=button)
        for sold in self.till.sold()[len(self.model.contracts) :]:
            assert button != "cancel"
            (self.model.begin if button == "pay" else self.model.begin_in_vain)(sold.plan)
        self.collect_news()

    @bought
    @rule(plan=st.sampled_from(["pro", "agency", FREE]), seed=st.none() | seeds)
    def change(self, plan: str, seed: int | None) -> None:
        self.do("upgrade", lambda contract: self.model.change(contract, plan), plan=plan, seed=seed)

    @rule(seed=st.none() | seeds)
    def cancel(self, seed: int | None) -> None:
        self.do("cancel", self.model.cancel, seed=seed)

    @bought
    @rule(seed=st.none() | seeds)
    def resume(self, seed: int | None) -> None:
        self.do("resume", self.model.go_on, seed=seed)

    def do(self, path: str, act: Callable[[Contract], None], *, plan: str = "", seed: int | None) -> None:
        """A verb. Where it meets rows that are behind the provider's books, whatever the provider made of it counts."""
        if seed is not None:
            self.everything_arrives(seed)
        is_settled, given = self.is_settled(), None
        if is_settled:
            given = self.given()
        waits = Subscription.objects.filter(user=self.user, status="PENDING").exists()
        status = self.ask(path, plan).status_code
        self.collect_news()
        if not is_settled or (given and (given.is_over or given.owed)):
            self.take_over()
        elif given is None:
            # A checkout that is open is left by cancelling.
            assert status == (200 if waits and path == "cancel" else 409)
        else:
            act(given)
            assert status == 200 or not self.model.card_works, status

    @bought
    @rule()
    def replace_card(self) -> None:
        live, answer = self.live(), self.ask("payment-methods/update")
        if answer.status_code == 200:
            self.till.replace_card(answer.json()["url"])
            self.model.card_works = True
            contract = self.contract_of(live)
            if contract and contract.owed and not contract.is_over and not self.model.owing_is_renewed:
                self.model.collect(contract)
            self.collect_news()

    @rule(amount=st.integers(1, 400))
    def use(self, amount: int) -> None:
        limit = self.live().plan.max_analyses_per_day
        used = UserUsage.objects.filter(user=self.user).aggregate(used=Sum("url_lookups", default=0))["used"]
        source = f"post:{uuid7()}"
        try:
            increment_usage(self.user, UsageKind.URL_LOOKUPS, platform="x", source=source, amount=amount)
        except LimitReached:
            assert used + amount > limit >= 0
        else:
            assert limit < 0 or used + amount <= limit
            self.sources.append(source)

    @precondition(lambda self: self.sources)
    @rule(which=places)
    def give_back(self, which: int) -> None:
        assert give_back(source=self.sources.pop(which % len(self.sources)), kind=UsageKind.URL_LOOKUPS)

    # What happens at the provider

    @bought
    @rule()
    def break_card(self) -> None:
        self.till.set_card(works=False)
        self.model.card_works = False

    @precondition(lambda self: not self.model.card_works)
    @rule()
    def mend_card(self) -> None:
        self.till.set_card(works=True)
        self.model.card_works = True

    @owing
    @rule(which=places)
    def try_again(self, which: int) -> None:
        for contract, sold in self.pick(which, lambda contract: bool(contract.owed)):
            self.till.collect(sold.id)
            self.model.collect(contract)
            self.collect_news()

    @bought
    @rule(which=places)
    def end_at_once(self, which: int) -> None:
        for contract, sold in self.pick(which, lambda contract: True):
            self.till.end(sold.id)
            self.model.end(contract)
            self.collect_news()

    @bought
    @rule(which=places, cancels=st.booleans())
    def end_or_go_on_at_the_portal(self, which: int, cancels: bool) -> None:
        for contract, sold in self.pick(which, lambda contract: not contract.later):
            if self.till.toggle_ending(sold.id, cancels=cancels):
                (self.model.cancel if cancels else self.model.go_on)(contract)
            self.collect_news()

    @bought
    @rule(which=places, part=st.none() | st.integers(1, 500))
    def refund(self, which: int, part: int | None) -> None:
        """By staff; so much of it, or all that is left."""
        for payment_id, (taken, back) in self.pick_payment(which):
            if taken - back >= (part or 1):
                provider = PROVIDERS[self.till.name]()
                provider.refund(payment_id, amount=part, reason="Goodwill", once=str(uuid7()))
                self.collect_news()

    @bought
    @rule(which=places)
    def dispute(self, which: int) -> None:
        for payment_id, _ in self.pick_payment(which):
            self.disputes.append(self.till.dispute(payment_id))
            self.collect_news()

    @precondition(lambda self: self.disputes)
    @rule(won=st.booleans())
    def decide_dispute(self, won: bool) -> None:
        self.disputes.pop()(won)
        self.collect_news()

    def teardown(self) -> None:
        """Whatever went before, the post comes in the end."""
        try:
            if hasattr(self, "model"):
                self.everything_arrives(0)
        finally:
            super().teardown()


@pytest.mark.parametrize("provider", ["stripe", "dodo"])
def test_any_order_of_events_agrees_with_a_simple_model(provider, settings):
    cases = int(os.environ.get("FUZZ_CASES", "15"))
    effort = hypothesis_settings(
        max_examples=cases, stateful_step_count=25, deadline=None, database=None,
        suppress_health_check=[*HealthCheck], phases=[Phase.generate],
    )  # fmt: skip
    with till_of(provider, settings) as till:
        run_state_machine_as_test(type("With", (Dealings,), {"till": till}), settings=effort)
