"""What is stored of a delivery, for how long, and what becomes of it."""

import time
from datetime import timedelta

import pytest
from django.utils import timezone
from pytest_django import Settings

from billing import bell, inbox
from billing.models import BillingEvent, Payment
from billing.tasks import hand_out, tidy
from billing.tests.buying import buy, states, work
from billing.tests.senders import SENDERS, send
from core.ids import uuid7
from core.queue import REST_SECONDS, count_waiting

pytestmark = pytest.mark.django_db


@pytest.fixture
def sender(settings: Settings):
    made = SENDERS["dodo"]()
    for name, value in made.settings.items():
        setattr(settings, name, value)
    return made


def arrive(sender, *, delivery: str = "") -> int:
    body = sender.event()
    status: int = send(sender.name, body, sender.sign(body, delivery=delivery)).status_code
    return status


def test_a_delivery_that_comes_again_is_stored_once(sender):
    assert [arrive(sender, delivery="msg_1") for _ in range(3)] == [200] * 3
    assert BillingEvent.objects.count() == 1


def test_only_the_first_of_several_rings(sender, django_capture_on_commit_callbacks):
    with django_capture_on_commit_callbacks() as first:
        arrive(sender, delivery="msg_1")
    with django_capture_on_commit_callbacks() as second:
        arrive(sender, delivery="msg_1")
    assert (len(first), len(second)) == (1, 0)


def test_ids_of_two_providers_are_not_mixed_up(sender, settings):
    body = sender.event()
    send("dodo", body, sender.sign(body, delivery="evt_1"))
    BillingEvent.objects.update(provider="stripe")
    send("dodo", body, sender.sign(body, delivery="evt_1"))
    assert BillingEvent.objects.count() == 2


def test_it_keeps_no_header_that_says_nothing_about_the_signature(sender):
    body = sender.event()
    send("dodo", body, sender.sign(body) | {"Cookie": "sessionid=1", "Authorization": "Bearer x"})
    assert set(BillingEvent.objects.get().headers) == {"webhook-id", "webhook-timestamp", "webhook-signature"}


# Telling the workers


def test_it_tells_of_a_few_events_one_by_one_and_of_many_in_one_message():
    bell.tell([uuid7() for _ in range(bell.FEW)])
    assert count_waiting("default") == bell.FEW
    bell.tell([uuid7() for _ in range(bell.MANY + 1)])
    assert count_waiting("default") == bell.FEW + 2


def test_many_are_handed_out_one_by_one():
    hand_out(*(str(uuid7()) for _ in range(30)))
    assert count_waiting("default") == 30


def test_a_ring_reaches_the_broker_by_itself():
    event_ids = [uuid7() for _ in range(3)]
    for event_id in event_ids:
        bell.ring(event_id)
    until = time.monotonic() + 5
    while (count_waiting("default") or 0) < len(event_ids) and time.monotonic() < until:
        time.sleep(0.01)
    assert count_waiting("default") == len(event_ids)


def test_a_broker_that_is_away_holds_nobody_up(sender, celery_broker, django_capture_on_commit_callbacks, caplog):
    celery_broker("redis://127.0.0.1:1/0")
    start = time.monotonic()
    with django_capture_on_commit_callbacks(execute=True):
        statuses = [arrive(sender) for _ in range(20)]
    assert statuses == [200] * 20
    assert time.monotonic() - start < 20 * 0.4
    assert BillingEvent.objects.count() == 20
    # Until the thread has tried, and the broker is asked again: neither is the next test's.
    until = time.monotonic() + 20
    while "broker_away" not in caplog.text and time.monotonic() < until:
        time.sleep(0.05)
    time.sleep(REST_SECONDS)


def test_the_sweeper_sends_for_what_nobody_was_told_of(sender):
    for _ in range(3):
        arrive(sender)
    inbox.sweep()
    assert count_waiting("default") == 3


def test_the_sweeper_sends_for_nothing_while_so_much_waits_already(sender):
    arrive(sender)
    hand_out(*(str(uuid7()) for _ in range(inbox.AT_ONCE)))
    inbox.sweep()
    assert count_waiting("default") == inbox.AT_ONCE


# Being processed


def test_an_event_is_processed_once(sender):
    arrive(sender)
    [event_id] = BillingEvent.objects.values_list("pk", flat=True)
    assert inbox.process(event_id)
    assert not inbox.process(event_id)
    assert states() == {"ignored"}


def test_nobody_takes_an_event_that_somebody_is_at(sender):
    arrive(sender)
    [event] = BillingEvent.objects.all()
    BillingEvent.objects.update(attempts=1, run_after=timezone.now() + timedelta(seconds=60))
    assert not inbox.process(event.pk)


def test_whoever_was_gone_for_too_long_does_not_write_over_another():
    slow = BillingEvent.objects.create(provider="dodo", delivery_id="msg_1", attempts=1)
    BillingEvent.objects.update(attempts=2)
    inbox._fail(slow, "too_late")
    assert states() == {"received"}


# Being forgotten


def age(days: float) -> None:
    BillingEvent.objects.update(created_at=timezone.now() - timedelta(days=days))


def test_what_a_delivery_said_is_forgotten_and_its_id_is_not(sender, settings):
    arrive(sender, delivery="msg_1")
    age(settings.WEBHOOK_BODY_DAYS - 1)
    assert tidy()["bodies"] == 0
    age(settings.WEBHOOK_BODY_DAYS + 1)
    assert tidy() == {"bodies": 1, "refused": 0}
    assert tidy()["bodies"] == 0
    event = BillingEvent.objects.get()
    assert (bytes(event.body), event.headers) == (b"", {})
    assert event.about == {"payments": ["pay_1"]}
    arrive(sender, delivery="msg_1")
    assert BillingEvent.objects.count() == 1


def test_an_event_can_be_replayed_when_its_body_is_forgotten(api, user, shop, settings):
    buy(api, shop)
    Payment.objects.all().delete()
    age(settings.WEBHOOK_BODY_DAYS + 1)
    assert tidy()["bodies"] > 0
    inbox.replay(BillingEvent.objects.all())
    work()
    assert Payment.objects.get().status == "SUCCEEDED"
