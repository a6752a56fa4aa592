"""What the night puts right is counted and said, all of it and nothing else, without whose it is."""

from collections.abc import Callable
from typing import Any

import pytest

from accounts.models import Subscription
from billing import upkeep
from billing.models import Payment, PaymentMethod
from billing.providers import PROVIDERS
from billing.providers.contract import Provider
from billing.rounds import Round
from billing.tasks import reconcile
from billing.tests.buying import plan_id, subscribe
from billing.tests.post import arrive, pass_days
from billing.tests.tills import AnyTill

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def everything_is_logged(caplog):
    caplog.set_level("INFO")


@pytest.fixture
def provider(till: AnyTill) -> Provider:
    return PROVIDERS[till.name]()


def refund(till: AnyTill, bought: str) -> None:
    [payment_id] = till.payments(bought)
    PROVIDERS[till.name]().refund(payment_id, amount=100, reason="Goodwill", once="unheard")


def dispute(till: AnyTill, bought: str) -> None:
    till.dispute(next(iter(till.payments(bought))))


def cancel(till: AnyTill, bought: str) -> None:
    till.toggle_ending(bought, cancels=True)


def renew(till: AnyTill, bought: str) -> None:
    pass_days(till, 30)


def forget_card(till: AnyTill, bought: str) -> None:
    PaymentMethod.objects.all().delete()


LOST: dict[str, tuple[Callable[[AnyTill, str], None], dict[str, int]]] = {
    "refund": (refund, {"refund": 1, "payment": 1}),
    "dispute": (dispute, {"dispute": 1}),
    "cancellation": (cancel, {"subscription": 1}),
    "renewal": (renew, {"subscription": 1, "payment": 1}),
    "card": (forget_card, {"card": 1}),
}


def told(caplog: Any, event: str) -> list[Any]:
    return [record.msg for record in caplog.records if isinstance(record.msg, dict) and record.msg["event"] == event]


@pytest.mark.parametrize("what", LOST)
def test_whatever_no_event_told_of_is_counted_and_said(user, till, bought, what, caplog):
    happen, put_right = LOST[what]
    happen(till, bought)
    till.take()
    Subscription.objects.update(seen_at=None)  # not tonight yet
    assert reconcile() == {"put_right": sum(put_right.values())}
    [drift], [summary] = told(caplog, "subscription_drifted"), told(caplog, "billing_reconciled")
    assert drift["put_right"] == summary["put_right"] == put_right
    assert user.email not in caplog.text
    assert upkeep.reconcile() == 0


def test_a_plan_that_is_to_begin_later_and_no_event_told_of_is_counted(api, user, till):
    till.press(subscribe(api, "agency")["checkout_url"], action="pay")
    arrive(till)
    assert api.post("/api/billing/upgrade/", {"plan_id": plan_id("pro")}, format="json").status_code == 200
    arrive(till)
    live = Subscription.objects.filter(user=user, status__in=Subscription.LIVE)
    live.update(downgrade_to_plan=None)
    assert upkeep.reconcile() == 1
    assert live.get().downgrade_to_plan


@pytest.mark.parametrize("what", LOST)
def test_what_events_told_of_is_no_drift(till, bought, what, caplog):
    happen, _ = LOST[what]
    if what != "card":
        happen(till, bought)
    arrive(till)
    assert upkeep.reconcile() == 0
    assert not told(caplog, "subscription_drifted")


def test_what_an_event_brings_while_a_round_is_under_way_is_no_drift(till, bought):
    tour = Round()
    [row] = Subscription.objects.filter(provider_id=bought).select_related("user", "plan")
    cancel(till, bought)
    arrive(till)
    assert upkeep._look(row, tour, with_payments=True)
    assert tour.put_right.total() == 0


def test_what_was_put_right_before_the_provider_fell_silent_is_counted(till, bought, caplog):
    cancel(till, bought)
    Payment.objects.all().delete()
    till.take()
    till.sandbox.fail("invoices.list" if till.name == "stripe" else "payments.list", status=503, times=-1)
    assert upkeep.reconcile() == 1
    assert not Payment.objects.exists()
    [drift] = told(caplog, "subscription_drifted")
    assert drift["put_right"] == {"subscription": 1}
