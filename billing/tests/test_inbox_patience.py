"""What was answered 200 is seen to, however long it takes: a look that fails is taken again, and giving up is said."""

from datetime import timedelta

import pytest
from django.conf import settings as configured
from django.core.management import call_command
from django.db.models import F
from django.db.models.functions import Now

from accounts.usage import get_user_plan
from billing import inbox
from billing.models import BillingEvent, Payment, PaymentMethod
from billing.tests.buying import states, work
from billing.upkeep import reconcile

pytestmark = pytest.mark.django_db
A_PAGE = b"<!doctype html><title>Sign in to this network</title>"
CARDS = {"stripe": "payment_methods.list", "dodo": "customers.cards"}


def wait_is_over() -> None:
    BillingEvent.objects.filter(state="received").update(run_after=Now())


def paid(api, either) -> None:
    """Paid, and told of, and not looked at yet."""
    either.pay(either.open(api))
    for event in either.take():
        assert either.send(event) == 200


@pytest.mark.parametrize("trouble", [
    {"status": 401}, {"status": 403}, {"status": 404}, {"status": 200, "body": A_PAGE}, {"status": 200, "body": b"{"},
])  # fmt: skip
def test_a_look_that_is_refused_or_unreadable_is_taken_again(api, user, either, trouble):
    paid(api, either)
    either.sandbox.fail("*", times=-1, **trouble)
    work()
    assert "failed" not in states()
    assert "received" in states()
    assert not Payment.objects.exists()
    either.sandbox.reset()
    wait_is_over()
    work()
    assert states() <= {"processed", "recorded", "ignored"}
    assert Payment.objects.get().status == "SUCCEEDED"
    assert get_user_plan(user).slug == "pro"


def test_giving_up_is_an_error_in_the_log(api, user, either, caplog):
    paid(api, either)
    either.sandbox.fail("*", times=-1, status=403)
    BillingEvent.objects.update(attempts=inbox.MOST_ATTEMPTS - 2)
    work()
    assert "billing_event_given_up" not in caplog.text
    assert inbox.count_given_up() == 0
    wait_is_over()
    work()
    given_up = BillingEvent.objects.filter(state="failed")
    assert inbox.count_given_up() == given_up.count() > 0
    errors = [record for record in caplog.records if "billing_event_given_up" in record.getMessage()]
    assert {record.levelname for record in errors} == {"ERROR"}
    assert len(errors) == given_up.count()


def test_what_was_given_up_is_tried_as_often_again_when_it_is_replayed(api, user, either):
    paid(api, either)
    either.sandbox.fail("*", times=-1, status=403)
    BillingEvent.objects.update(attempts=inbox.MOST_ATTEMPTS - 1)
    work()
    assert inbox.count_given_up() > 0
    inbox.replay(BillingEvent.objects.filter(state="failed"))
    work()
    assert inbox.count_given_up() == 0
    either.sandbox.reset()
    wait_is_over()
    work()
    assert Payment.objects.get().status == "SUCCEEDED"


def test_what_was_given_up_is_heeded_when_its_provider_sends_it_again(api, user, either):
    either.pay(either.open(api))
    events = either.take()
    for event in events:
        assert either.send(event) == 200
    either.sandbox.fail("*", times=-1, status=403)
    BillingEvent.objects.update(attempts=inbox.MOST_ATTEMPTS - 1)
    work()
    either.sandbox.reset()
    kept = BillingEvent.objects.count()
    for event in events:
        assert either.send(event) == 200
    assert (inbox.count_given_up(), BillingEvent.objects.count()) == (0, kept)
    work()
    assert states() <= {"processed", "recorded", "ignored"}
    assert get_user_plan(user).slug == "pro"
    either.send(events[0])
    assert "received" not in states()


def test_a_replay_by_command_leaves_a_line_in_the_log(caplog):
    event = BillingEvent.objects.create(provider="dodo", delivery_id="msg_1", type="payout.failed", state="failed")
    call_command("replay_billing_events", "--failed")
    assert BillingEvent.objects.get().state == "received"
    [said] = [record.getMessage() for record in caplog.records if "billing_events_replayed" in record.getMessage()]
    assert str(event.pk) in said


def test_whoever_held_it_before_a_replay_writes_nothing(api, user, either):
    paid(api, either)
    event = BillingEvent.objects.filter(about__has_key="payments").first()
    lease = timedelta(seconds=configured.BILLING_LEASE_SECONDS)

    def replayed_and_taken_by_another(point: str, held: BillingEvent) -> None:
        if point == "settled":
            inbox.replay(BillingEvent.objects.filter(pk=held.pk))
            BillingEvent.objects.filter(pk=held.pk).update(attempts=F("attempts") + 1, run_after=Now() + lease)

    assert not inbox.process(event.pk, observe=replayed_and_taken_by_another)
    event.refresh_from_db()
    assert (event.state, event.attempts, event.processed_at) == ("received", 1, None)


# Cards


@pytest.mark.parametrize(
    "trouble", [{"status": 403}, {"status": 404}, {"status": 503}, {"status": 200, "body": A_PAGE}]
)
def test_what_is_paid_does_not_wait_for_cards(api, user, either, trouble, caplog):
    paid(api, either)
    either.sandbox.fail(CARDS[either.name], times=-1, **trouble)
    work()
    assert Payment.objects.get().status == "SUCCEEDED"
    assert not PaymentMethod.objects.exists()
    assert "cards_not_looked_at" in caplog.text
    either.sandbox.reset()
    reconcile(wait=lambda seconds: None)
    assert PaymentMethod.objects.get().last4 == "4242"


def test_what_its_workers_die_of_is_given_up_too():
    deadly = BillingEvent.objects.create(provider="dodo", delivery_id="msg_1", attempts=inbox.MOST_ATTEMPTS)
    BillingEvent.objects.update(run_after=Now())
    assert not inbox.process(deadly.pk)
    deadly.refresh_from_db()
    assert (deadly.state, deadly.error, deadly.run_after) == ("failed", "worker_lost", None)
