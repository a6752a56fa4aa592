"""Drill 21: the events of a subscription's life come in any order and more than once, and end as they do in order.

FUZZ_CASES=200 is the drill's long form. And once with real commits: workers at events while the owner changes the plan.
"""

import os
import random
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.db import connection, transaction
from django.db.models import Model
from rest_framework.test import APIClient

from accounts.models import OutgoingMail, Plan, Subscription
from accounts.usage import get_user_plan
from billing import inbox
from billing.models import BillingEvent, Invoice, Payment, Refund
from billing.providers import PROVIDERS
from billing.tests.post import arrive, pass_days, send, send_all, work_off
from billing.tests.tills import AnyTill

CASES = int(os.environ.get("FUZZ_CASES", "8"))
SEED = int(os.environ.get("FUZZ_SEED", "21"))


def ask(api: APIClient, path: str, plan: str = "") -> Any:
    body = {"plan_id": str(Plan.objects.get(slug=plan).pk)} if plan else {}
    answer = api.post(f"/api/billing/{path}/", body, format="json")
    assert answer.status_code in (200, 201), answer.content
    return answer.json()


def buy(api: APIClient, till: AnyTill, plan: str = "pro") -> None:
    till.press(ask(api, "subscribe", plan)["checkout_url"], action="pay")


def state() -> dict[str, list[Any]]:
    """All that follows from events, except when it was seen."""
    tables: dict[type[Model], tuple[str, ...]] = {
        Subscription: ("provider_id", "status", "plan__slug", "cancel_at_period_end", "downgrade_to_plan__slug"),
        Payment: ("provider_id", "status", "reason", "amount", "refunded", "disputed", "subscription__provider_id"),
        Refund: ("provider_id", "status", "amount", "partial"),
        Invoice: ("provider_id", "amount"),
        OutgoingMail: ("template",),
        BillingEvent: ("delivery_id", "state"),
    }
    return {
        model.__name__: sorted(map(str, model._default_manager.values_list(*names))) for model, names in tables.items()
    }


@contextmanager
def undone() -> Iterator[None]:
    with transaction.atomic():
        yield
        transaction.set_rollback(True)


def live_through(api: APIClient, till: AnyTill) -> Iterator[str]:
    """A life with everything in it, and what it has come to at each of four points."""
    buy(api, till)
    yield "paid"
    [sold] = till.sold()
    till.toggle_ending(sold.id, cancels=True)
    [payment_id] = till.payments(sold.id)
    PROVIDERS[till.name]().refund(payment_id, amount=100, reason="Goodwill", once="order")
    till.dispute(payment_id)
    yield "to end, with something given back, and disputed"
    till.toggle_ending(sold.id, cancels=False)
    pass_days(till, 30)
    yield "renewed"
    till.end(sold.id)
    yield "ended at once"


def ends_alike(till: AnyTill, events: list[Any], cases: int) -> None:
    with undone():
        for event in events:
            send(till, event)
            work_off(random.Random(0))
        expected = state()
    for case in range(cases):
        with undone():
            send_all(till, events, random.Random(SEED + case))
            work_off(random.Random(SEED + case))
            assert state() == expected, f"FUZZ_SEED={SEED + case}"


@pytest.mark.django_db
def test_any_order_ends_as_the_right_one_does(api, till):
    events: list[Any] = []
    for _ in live_through(api, till):
        events += till.take()
        ends_alike(till, events, CASES // 4)


# At once


def beside(*doings: Callable[[], object]) -> list[threading.Thread]:
    def run(act: Callable[[], object]) -> None:
        try:
            act()
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=(each,)) for each in doings]
    for thread in threads:
        thread.start()
    return threads


def worker(seed: int) -> Callable[[], None]:
    """Takes every event there is, in an order of its own."""
    events = [*BillingEvent.objects.filter(state="received").values_list("pk", flat=True)]
    random.Random(seed).shuffle(events)
    return lambda: [inbox.process(event_id) for event_id in events].clear()


@pytest.mark.django_db(transaction=True, serialized_rollback=True)
@pytest.mark.parametrize("seed", range(2))
def test_workers_and_a_change_of_plan_at_once_end_as_one_after_the_other(seed, api, user, till):
    buy(api, till)
    arrive(till)
    [sold] = till.sold()
    [payment_id] = till.payments(sold.id)
    till.toggle_ending(sold.id, cancels=True)
    PROVIDERS[till.name]().refund(payment_id, amount=100, reason="Goodwill", once="order")
    send_all(till, till.take(), random.Random(seed))
    workers = beside(worker(seed), worker(seed + 1))
    ask(api, "upgrade", "agency")
    for thread in workers:
        thread.join()
    arrive(till)
    [live] = Subscription.objects.filter(user=user, status__in=Subscription.LIVE)
    [sold] = till.sold()
    # Whether it still ends depends on what was known when the change was asked for.
    assert (
        (get_user_plan(user).slug, live.cancel_at_period_end) == (sold.plan, sold.cancels) == ("agency", sold.cancels)
    )
    paid = {row.provider_id: (row.amount, row.refunded) for row in Payment.objects.all()}
    assert paid == till.payments(sold.id)
    assert len(paid) == 2
    letters = [*OutgoingMail.objects.filter(user=user).values_list("template", flat=True)]
    assert letters.count("subscription_ends") <= 1
    assert letters.count("plan_changed") <= 2
    assert {*BillingEvent.objects.values_list("state", flat=True)} <= {"processed", "recorded", "ignored"}
