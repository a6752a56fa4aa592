"""Any order of what users, providers, the post and our own clockwork do, beside a model fed once, in order.

The providers are their sandboxes over HTTP, the rows are PostgreSQL's. When time passes, rows and books move into the
past. FUZZ_CASES=50 is the long form.
"""

import os
import random
from collections.abc import Callable
from typing import Any

import pytest
from django.db.models import Q, Sum
from django.db.models.functions import Now
from hypothesis import HealthCheck, Phase
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import initialize, rule, run_state_machine_as_test

from accounts.models import Subscription, UsageKind, UserUsage
from accounts.usage import give_back, increment_usage
from billing import inbox, upkeep, wishes
from billing.models import BillingEvent
from billing.providers import PROVIDERS
from billing.rounds import Round
from billing.tests.dealing import BY_THE_CLOCK, CLOCKWORK, Dealing
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
    "wishes": wishes.fulfil_all,
}
# What passes, and is not asked again by the door: a provider that is busy, a key that is wrong, a page of a proxy's.
PASSING = {"stripe": 409, "dodo": 408}
REFUSALS: tuple[dict[str, Any], ...] = ({"status": 403}, {"status": 200, "body": b"<html>"})
seeds = st.integers(0, 2**32 - 1)
# How often each happens, beside the others.
OFTEN = {
    "deliver": 5, "work": 4, "everything_arrives": 3, "keep_up": 3, "pass_time": 6,
    "buy": 3, "subscribe": 2, "press": 2, "change": 4, "cancel": 2, "resume": 2, "replace_card": 2, "use": 2,
    "give_back": 1, "break_card": 3, "mend_card": 1, "try_again": 3, "end_at_once": 1, "end_or_go_on_at_the_portal": 2,
    "refund": 2, "dispute": 1, "decide_dispute": 1,
}  # fmt: skip


class Dealings(Dealing):
    """Everything that may happen, in any order. What exactly it is, chance decides."""

    @initialize(seed=seeds)
    def begin(self, seed: int) -> None:
        self.open()
        self.steps = 0
        if seed % 10:
            self.buy(random.Random(seed))

    # One rule rather than twenty: of many rules, each run is given only some.
    @rule(what=st.sampled_from([name for name, often in OFTEN.items() for _ in range(often)]), seed=seeds)
    def happens(self, what: str, seed: int) -> None:
        # Hypothesis likes to draw a number again: the step makes another chance of it.
        self.steps += 1
        getattr(self, what)(random.Random(f"{seed} {self.steps}"))

    # The post

    def deliver(self, chance: random.Random) -> None:
        """Any of what is on its way, perhaps to come once more."""
        if self.bag:
            event = chance.choice(self.bag)
            for _ in range(chance.randint(1, 2)):
                send(self.till, event)
            if chance.random() < 0.7:
                self.bag.remove(event)

    def work(self, chance: random.Random) -> None:
        """A worker takes one event; the provider may be away just then."""
        if waiting := [*BillingEvent.objects.filter(state="received").values_list("pk", flat=True)]:
            event_id = chance.choice(waiting)
            BillingEvent.objects.filter(pk=event_id).update(run_after=Now())
            if chance.random() < 0.3:
                trouble = chance.choice([{"status": PASSING[self.till.name]}, *REFUSALS])
                self.till.sandbox.fail("*", times=-1, **trouble)
            inbox.process(event_id)
            self.till.sandbox.reset()
            self.collect_news()

    def everything_arrives(self, chance: random.Random) -> None:
        while not self.is_settled():
            send_all(self.till, self.bag, chance)
            self.bag.clear()
            work_off(chance)
            self.collect_news()
            for name in chance.sample(sorted(self.clockwork), len(self.clockwork)):
                self.run_clockwork(name)
        self.rows_are_as_the_model_says()
        self.money_adds_up()

    # Time, and what it brings about

    def keep_up(self, chance: random.Random) -> None:
        self.run_clockwork(chance.choice(sorted(self.clockwork)))

    def run_clockwork(self, name: str) -> None:
        UPKEEP[name]()
        self.upkept.add(name)
        if self.upkept >= BY_THE_CLOCK:
            self.kept_up_on = self.model.day
        self.collect_news()

    def pass_time(self, chance: random.Random) -> None:
        days = chance.choice([1, 3, 7, 8, 30, 30, 30])
        for _ in range(days):
            self.till.pass_day()
            self.model.pass_day()
        move_rows(days)
        self.upkept.clear()
        self.collect_news()

    # What the user does

    def subscribe(self, chance: random.Random) -> None:
        plan = chance.choice(["pro", "pro", "agency"])
        answer = self.ask("subscribe", plan)
        if answer.status_code == 409 and answer.json()["code"] == "checkout_left":
            # Another page was paid, and what it was for ended before anybody heard of either. Chosen again, it works.
            answer = self.ask("subscribe", plan)
        live = self.live()
        # Looked at afterwards: what was paid on an open page begins right here, before its event comes.
        assert answer.status_code == (409 if live.provider_id and not live.is_over else 201), answer.content
        if answer.status_code == 201:
            self.pages.append(answer.json()["checkout_url"])
        self.collect_news()

    def buy(self, chance: random.Random) -> None:
        """At once, unless there is a plan already."""
        self.subscribe(chance)
        if self.pages:
            self.pay(self.pages[-1])

    def press(self, chance: random.Random) -> None:
        if self.pages:
            url, button = chance.choice(self.pages), chance.choice(["pay", "pay", "pay", "decline", "cancel"])
            if button == "pay":
                self.pay(url)
                return
            self.till.press(url, action=button)
            for sold in self.till.sold()[len(self.model.contracts) :]:
                assert button == "decline"
                self.model.begin_in_vain(sold.plan)
            self.collect_news()

    def pay(self, url: str) -> None:
        """With a card that works, which is then the one for all."""
        self.mend_card()
        self.till.press(url, action="pay")
        for sold in self.till.sold()[len(self.model.contracts) :]:
            self.model.begin(sold.plan)
        self.collect_news()

    def change(self, chance: random.Random) -> None:
        plan = chance.choice(["agency", "agency", "pro", FREE])
        self.do("upgrade", lambda contract: self.model.change(contract, plan), plan=plan, chance=chance)

    def cancel(self, chance: random.Random) -> None:
        self.do("cancel", self.model.cancel, chance=chance)

    def resume(self, chance: random.Random) -> None:
        self.do("resume", self.model.go_on, chance=chance)

    def do(self, path: str, act: Callable[[Contract], None], *, plan: str = "", chance: random.Random) -> None:
        """A verb. Where it meets rows that are behind the provider's books, whatever the provider made of it counts."""
        if chance.random() < 0.6:
            self.everything_arrives(chance)
        is_settled = self.is_settled()
        given = self.given() if is_settled else None
        waits = Subscription.objects.filter(user=self.user, status="PENDING").exists()
        status = self.ask(path, plan).status_code
        # What is owed and cancelled is not waited for any more.
        self.collect_news(gives_up=path == "cancel" or plan == FREE)
        if not is_settled or (given and (given.is_over or given.owed)):
            self.take_over(path, plan)
        elif given is None:
            # A checkout that is open is left by cancelling.
            assert status == (200 if waits and path == "cancel" else 409)
        else:
            act(given)
            assert status == 200 or not self.model.card_works, status

    def replace_card(self, chance: random.Random) -> None:
        live, answer = self.live(), self.ask("payment-methods/update")
        if answer.status_code == 200:
            self.till.replace_card(answer.json()["url"])
            self.model.card_works = True
            contract = self.contract_of(live)
            if contract and contract.owed and not contract.is_over and not self.model.owing_is_renewed:
                self.model.collect(contract)
            self.collect_news()

    def use(self, chance: random.Random) -> None:
        limit, amount = self.live().plan.max_analyses_per_day, chance.randint(1, 60)
        used = UserUsage.objects.filter(user=self.user).aggregate(used=Sum("url_lookups", default=0))["used"]
        source = f"post:{uuid7()}"
        try:
            increment_usage(self.user, UsageKind.URL_LOOKUPS, platform="x", source=source, amount=amount)
        except LimitReached:
            assert used + amount > limit >= 0
        else:
            assert limit < 0 or used + amount <= limit
            self.sources.append(source)

    def give_back(self, chance: random.Random) -> None:
        if self.sources:
            source = self.sources.pop(chance.randrange(len(self.sources)))
            assert give_back(source=source, kind=UsageKind.URL_LOOKUPS)

    # What happens at the provider

    def break_card(self, chance: random.Random) -> None:
        self.till.set_card(works=False)
        self.model.card_works = False

    def mend_card(self, chance: random.Random | None = None) -> None:
        self.till.set_card(works=True)
        self.model.card_works = True

    def try_again(self, chance: random.Random) -> None:
        for contract, sold in self.pick(chance, lambda contract: bool(contract.owed)):
            self.till.collect(sold.id)
            self.model.collect(contract)
            self.collect_news()

    def end_at_once(self, chance: random.Random) -> None:
        for contract, sold in self.pick(chance, lambda contract: True):
            self.till.end(sold.id)
            self.model.end(contract)
            self.collect_news()

    def end_or_go_on_at_the_portal(self, chance: random.Random) -> None:
        cancels = chance.random() < 0.5
        for contract, sold in self.pick(chance, lambda contract: not contract.later):
            if self.till.toggle_ending(sold.id, cancels=cancels):
                (self.model.cancel if cancels else self.model.go_on)(contract)
            self.collect_news()

    def refund(self, chance: random.Random) -> None:
        """By staff; a part of it, or all that is left."""
        part = chance.choice([None, chance.randint(1, 500)])
        for payment_id, (taken, back) in self.pick_payment(chance):
            if taken - back >= (part or 1):
                provider = PROVIDERS[self.till.name]()
                provider.refund(payment_id, amount=part, reason="Goodwill", once=str(uuid7()))
                self.collect_news()

    def dispute(self, chance: random.Random) -> None:
        for payment_id, _ in self.pick_payment(chance):
            self.disputes.append(self.till.dispute(payment_id))
            self.collect_news()

    def decide_dispute(self, chance: random.Random) -> None:
        if self.disputes:
            self.disputes.pop()(chance.random() < 0.5)
            self.collect_news()

    def the_night_finds_nothing(self) -> None:
        """What no event had told of by then would be lost. Cards alone may wait for the night."""
        tour, paid = Round(), Subscription.objects.filter(user=self.user, provider_id__isnull=False)
        for subscription in paid.filter(Q(status__in=Subscription.LIVE) | Q(is_over=False)):
            assert upkeep._look(subscription, tour, with_payments=True)
        assert {*tour.put_right} <= {"card"}, tour.put_right

    def teardown(self) -> None:
        """Whatever went before, the post comes in the end."""
        try:
            if hasattr(self, "model"):
                self.everything_arrives(random.Random(0))
                self.the_night_finds_nothing()
        finally:
            super().teardown()


# What the night puts right, events must have done already: so half of the runs know no night.
@pytest.mark.parametrize("clockwork", [CLOCKWORK, BY_THE_CLOCK], ids=["with_nights", "by_events_alone"])
@pytest.mark.parametrize("provider", ["stripe", "dodo"])
def test_any_order_of_events_agrees_with_a_simple_model(provider, clockwork, settings):
    settings.THROTTLES = {**settings.THROTTLES, "billing": (10_000, 60)}
    cases = int(os.environ.get("FUZZ_CASES", "5"))
    effort = hypothesis_settings(
        max_examples=cases, stateful_step_count=25, deadline=None, database=None,
        suppress_health_check=[*HealthCheck], phases=[Phase.generate, Phase.shrink],
    )  # fmt: skip
    with till_of(provider, settings) as till:
        run_state_machine_as_test(type("With", (Dealings,), {"till": till, "clockwork": clockwork}), settings=effort)
