"""What our rows come to say of odd things: silence, endings at once, money of nobody's, and people who are gone."""

from datetime import timedelta

import pytest

from accounts.models import Plan, Subscription, User
from accounts.subscriptions import Paid, settle
from accounts.usage import ensure_live_subscription
from billing import upkeep
from billing.models import Payment, Refund
from billing.providers import PROVIDERS
from billing.rounds import MOST_SILENCES
from billing.settling import look_at_payment, look_at_refund, look_at_subscription
from billing.tests.buying import states, status_of, subscribe
from billing.tests.post import arrive, move_rows, pass_days
from billing.tests.tills import AnyTill, StripeTill
from sandbox import dodo_cycle as cycle

pytestmark = pytest.mark.django_db


def forget_what_for(till: AnyTill, payment_id: str) -> None:
    """As one that was made by hand at the provider, for the same customer."""
    if isinstance(till, StripeTill):
        till.sandbox.books.objects[payment_id]["parent"] = None
    else:
        till.sandbox.books.payments[payment_id] |= {"subscription_id": None, "metadata": {}}


def forget_payment(till: AnyTill, payment_id: str) -> None:
    """Nothing leads from its refund to it any more."""
    if isinstance(till, StripeTill):
        for intent in till.sandbox.books.all("payment_intent"):
            intent["invoice_"] = None
    else:
        del till.sandbox.books.payments[payment_id]


# Endings


def test_what_is_paid_for_is_given_though_the_providers_page_ended_it_at_once(user, till, bought):
    till.end(bought)
    arrive(till)
    assert status_of(user) == ("pro", "CANCELING")
    pass_days(till, 30)
    upkeep.end_all_lapsed()
    assert status_of(user) == ("free", "ACTIVE")


def test_what_was_ended_for_want_of_payment_is_not_given_on(user, till, bought):
    till.set_card(works=False)
    pass_days(till, 31)
    till.end(bought)
    arrive(till)
    assert status_of(user) == ("free", "ACTIVE")


def test_a_renewal_that_fails_has_its_days_of_grace_and_comes_back_when_it_is_paid(user, till, bought):
    till.set_card(works=False)
    pass_days(till, 30)
    arrive(till)
    assert status_of(user) == ("pro", "PAST_DUE")
    pass_days(till, 6)
    upkeep.end_all_lapsed()
    assert status_of(user) == ("pro", "PAST_DUE")
    till.set_card(works=True)
    till.collect(bought)
    arrive(till)
    assert status_of(user) == ("pro", "ACTIVE")


def test_a_subscription_that_its_provider_does_not_know_ends_as_one_never_heard_of(user, till, bought):
    till.open_books()
    move_rows(30 + 7)
    assert upkeep.end_all_lapsed() == 1
    assert status_of(user) == ("free", "ACTIVE")


def test_what_is_paused_is_given_to_the_end_of_what_is_paid_for(user, till, bought):
    if isinstance(till, StripeTill):
        till.sandbox.books.objects[bought]["pause_collection"] = {"behavior": "void"}
    else:
        cycle.update(till.sandbox.books, till.sandbox.books.subscriptions[bought], {"status": "paused"})
    look_at_subscription(PROVIDERS[till.name](), bought)
    assert status_of(user) == ("pro", "CANCELING")
    move_rows(30)
    till.sandbox.stop()
    try:
        upkeep.end_all_lapsed()
    finally:
        till.sandbox.start()
    assert status_of(user) == ("free", "ACTIVE")


def test_one_that_made_way_for_another_does_not_come_back_when_that_one_ends(api, user, till, bought):
    till.end(bought)
    arrive(till)
    till.press(subscribe(api, "agency")["checkout_url"], action="pay")
    arrive(till)
    assert status_of(user) == ("agency", "ACTIVE")
    Subscription.objects.filter(user=user, plan__slug="agency").update(status="CANCELLED")
    ensure_live_subscription(user)
    look_at_subscription(PROVIDERS[till.name](), bought)
    assert status_of(user) == ("free", "ACTIVE")


def test_what_an_earlier_look_found_does_not_undo_what_a_later_one_did(user, till, bought):
    row = Subscription.objects.select_related("plan").get(user=user, provider_id=bought)
    assert row.seen_at
    earlier = Paid(
        provider=till.name, provider_id=bought, status="PAST_DUE", plan=row.plan, period_start=None,
        period_end=row.current_period_end, cancel_at_period_end=False, grace_until=row.current_period_end,
        downgrade_to=None, seen_at=row.seen_at - timedelta(seconds=1),
    )  # fmt: skip
    assert not settle(user.pk, ref=None, paid=earlier).is_news
    assert status_of(user) == ("pro", "ACTIVE")


# What no event told


def test_whoever_is_charged_after_all_has_the_plan_again_though_no_event_says_so(user, till, bought):
    till.set_card(works=False)
    pass_days(till, 38)
    arrive(till)
    assert status_of(user) == ("free", "ACTIVE")
    till.set_card(works=True)
    till.collect(bought)
    till.take()
    upkeep.reconcile()
    assert status_of(user) == ("pro", "ACTIVE")
    assert {row.provider_id for row in Payment.objects.filter(status="SUCCEEDED")} == {*till.payments(bought)}


def test_a_provider_that_does_not_answer_is_not_asked_for_each_of_many(till, bought):
    plan = Plan.objects.get(slug="pro")
    for place in range(8):
        user = User.objects.create_user(f"{place}@example.com", "a long password")
        Subscription.objects.create(user=user, plan=plan, provider=till.name, provider_id=f"sub_{place}")
    till.sandbox.reset()
    till.sandbox.fail("*", status=409 if till.name == "stripe" else 408, times=-1)
    upkeep.reconcile()
    assert len(till.sandbox.calls) == MOST_SILENCES


def test_a_refund_that_fails_after_all_leaves_the_payment_paid(till, bought):
    provider = PROVIDERS[till.name]()
    [payment_id] = till.payments(bought)
    refund = provider.refund(payment_id, amount=None, reason="Goodwill", once="fails")
    arrive(till)
    assert Payment.objects.get().status == "REFUNDED"
    if isinstance(till, StripeTill):
        till.sandbox.books.objects[refund.id]["status"] = "failed"
    else:
        till.sandbox.books.settle_refund(refund.id, "failed")
    look_at_refund(provider, refund.id)
    assert (Payment.objects.get().status, Payment.objects.get().refunded) == ("SUCCEEDED", 0)


# Nobody's


def test_a_payment_for_no_subscription_is_not_taken_for_that_of_whoever_has_a_checkout_open(api, user, till, bought):
    [payment_id] = till.payments(bought)
    other = User.objects.create_user("other@example.com", "a long password")
    pending = Subscription.objects.create(
        user=other, plan=Plan.objects.get(slug="pro"), provider=till.name, status="PENDING"
    )
    Payment.objects.all().delete()
    forget_what_for(till, payment_id)
    payment = look_at_payment(PROVIDERS[till.name](), payment_id)
    assert payment
    assert (payment.user, payment.subscription) == (user, None)
    assert not pending.payments.exists()


def test_what_came_back_of_something_that_is_not_ours_is_no_refund_here(till, bought):
    provider = PROVIDERS[till.name]()
    [payment_id] = till.payments(bought)
    refund = provider.refund(payment_id, amount=100, reason="Goodwill", once="nobody")
    forget_payment(till, payment_id)
    Payment.objects.all().delete()
    assert look_at_refund(provider, refund.id) is None
    assert not Refund.objects.exists()


def test_when_it_was_paid_stays_when_money_comes_back(till, bought):
    [payment_id] = till.payments(bought)
    Payment.objects.update(paid_at=Payment.objects.get().created_at - timedelta(days=2))
    paid_at = Payment.objects.get().paid_at
    PROVIDERS[till.name]().refund(payment_id, amount=100, reason="Goodwill", once="stays")
    arrive(till)
    assert (Payment.objects.get().paid_at, Payment.objects.get().refunded) == (paid_at, 100)


# People who are gone


def test_events_about_somebody_who_was_erased_come_to_an_end(user, till, bought):
    user.delete()
    till.end(bought)
    arrive(till)
    assert states() <= {"processed", "recorded", "ignored"}
    assert look_at_subscription(PROVIDERS[till.name](), bought) is None


def test_the_books_go_on_when_their_owner_was_erased(user, till, bought):
    [payment_id] = till.payments(bought)
    user.delete()
    PROVIDERS[till.name]().refund(payment_id, amount=100, reason="Goodwill", once="gone")
    pass_days(till, 30)
    arrive(till)
    kept = {row.provider_id: (row.amount, row.refunded) for row in Payment.objects.filter(user=None)}
    assert kept == till.payments(bought)
    assert [row.user for row in Refund.objects.all()] == [None]


def test_an_old_debt_takes_no_day_of_grace_from_a_new_one(user, till, bought):
    till.set_card(works=False)
    pass_days(till, 30)
    till.set_card(works=True)
    if till.name == "dodo":
        till.collect(bought)
    pass_days(till, 30)
    arrive(till)
    assert status_of(user) == ("pro", "ACTIVE")
    till.set_card(works=False)
    pass_days(till, 30)
    arrive(till)
    assert status_of(user) == ("pro", "PAST_DUE")
