"""What staff do about money at the desk: at both providers, asked first, once, kept with who did it, errors told."""

import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission
from django.contrib.messages import get_messages
from django.db import connection
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts.models import OutgoingMail, Subscription, User
from accounts.usage import get_user_subscription
from billing import counter
from billing.admin.money import moment
from billing.models import Payment, Refund
from billing.refunding import BeingGivenBack
from billing.tests.shops import CHEAP

pytestmark = pytest.mark.django_db
YES = {"confirmed": "yes"}


@pytest.fixture
def payment(api, either):
    """Of somebody who has bought Pro."""
    either.buy(api)
    return Payment.objects.get()


@pytest.fixture
def subscription(payment):
    return payment.subscription


@pytest.fixture
def clerk(db):
    """Staff who may look at everything and change payments and subscriptions, but not by the verbs here."""
    clerk = User.objects.create_user("clerk@example.com", "a long password", is_staff=True)
    names = ["view_payment", "view_subscription"]
    clerk.user_permissions.set(Permission.objects.filter(codename__in=names))
    client = Client()
    client.force_login(clerk)
    return client


def act(client, action, *rows, **form):
    ticked = {"action": action, "_selected_action": [str(row.pk) for row in rows]}
    return client.post(reverse(f"admin:{rows[0]._meta.label_lower.replace('.', '_')}_changelist"), ticked | form)


def said(answer):
    return " ".join(str(message) for message in get_messages(answer.wsgi_request))


def give_back(client, payment, amount="9.00", seen=0):
    return act(client, "refund", payment, amount=amount, reason="Asked for it", seen=seen, **YES)


def let_the_lease_run_out():
    Payment.objects.update(refunding_until=timezone.now() - timedelta(seconds=1))


# Giving back


def test_the_page_tells_what_can_be_given_back(desk, payment, either):
    page = act(desk, "refund", payment).content.decode()
    assert "9.00 USD of it can be" in page
    assert 'value="9.00"' in page
    assert either.refunds() == []


def test_a_payment_is_given_back_whole_and_the_row_follows(desk, staff, payment, either):
    answer = give_back(desk, payment)
    assert "9.00 USD goes back; the provider says: succeeded." in said(answer)
    payment.refresh_from_db()
    assert (payment.status, payment.refunded, either.net()) == ("REFUNDED", CHEAP, 0)
    [row] = Refund.objects.all()
    assert (row.reason, row.user_id, row.status) == ("Asked for it", payment.user_id, "SUCCEEDED")
    kept = LogEntry.objects.filter(object_id=str(payment.pk), user=staff).order_by("pk")
    told = [entry.change_message for entry in kept]
    assert told == ["Asked to give 9.00 USD back: Asked for it", "Gave 9.00 USD back: Asked for it"]
    # Whoever asked is named before anything moves: the process may end at any moment after that.
    assert kept[0].action_time < row.created_at < kept[1].action_time
    either.deliver()
    assert Refund.objects.count() == 1


def test_a_second_click_gives_nothing_back(desk, payment, either):
    give_back(desk, payment, "4.00")
    answer = give_back(desk, payment, "4.00")
    assert "given_back_meanwhile" in said(answer)
    assert either.refunds() == [400]


def test_a_part_and_then_the_rest_and_never_more(desk, payment, either):
    assert "At most 9.00 USD can be given back." in give_back(desk, payment, "9.01").content.decode()
    give_back(desk, payment, "4.00")
    assert "At most 5.00 USD can be given back." in give_back(desk, payment, "5.01", seen=400).content.decode()
    give_back(desk, payment, "5.00", seen=400)
    assert "All of it was given back" in said(give_back(desk, payment, "0.01", seen=900))
    assert either.refunds() == [400, 500]
    payment.refresh_from_db()
    assert (payment.status, payment.refunded) == ("REFUNDED", CHEAP)


def test_what_cannot_be_given_back_is_said_before_it_is_asked_how_much(desk, payment, either):
    Payment.objects.update(status="FAILED")
    answer = act(desk, "refund", payment)
    assert (answer.status_code, "It was not paid (Failed)" in said(answer)) == (302, True)


@pytest.mark.parametrize("amount", ["0", "-1", "0.001", "nine", ""])
def test_an_amount_that_is_none_is_asked_for_again(amount, desk, payment, either):
    assert give_back(desk, payment, amount).status_code == 200
    assert either.refunds() == []


def test_what_the_provider_refuses_is_told_and_kept_and_can_be_tried_again(desk, payment, either):
    either.fail("refund", status=500)
    answer = give_back(desk, payment)
    assert "(perhaps_given_back)" in said(answer)
    assert "vendor_unavailable" in LogEntry.objects.filter(object_id=str(payment.pk)).latest("pk").change_message
    either.sandbox.reset()
    let_the_lease_run_out()
    assert "goes back" in said(give_back(desk, payment))
    assert either.refunds() == [CHEAP]


def test_an_answer_that_was_lost_gives_back_once(desk, payment, either):
    either.lose("refund")
    assert "goes back" not in said(give_back(desk, payment))
    let_the_lease_run_out()
    assert "goes back" in said(give_back(desk, payment))
    assert either.refunds() == [CHEAP]


@pytest.mark.parametrize("trouble", [{"delay": 1.2}, {"status": 504}, {"truncate": 0}])
def test_a_part_that_may_be_on_its_way_is_not_sent_again(desk, payment, either, settings, trouble):
    settings.STRIPE_SECONDS = settings.DODO_SECONDS = 0.4
    either.fail("refund", **trouble)
    assert "(perhaps_given_back)" in said(give_back(desk, payment, "1.00"))
    settings.STRIPE_SECONDS = settings.DODO_SECONDS = 10.0
    assert "(being_given_back)" in said(give_back(desk, payment, "1.00"))
    time.sleep(trouble.get("delay", 0))
    let_the_lease_run_out()
    give_back(desk, payment, "1.00")
    either.deliver()
    assert either.refunds() == [100]


def test_what_failed_or_is_still_under_way_is_counted_as_such(user):
    row = {"user": user, "provider": "stripe", "seen_at": timezone.now(), "currency": "USD"}
    payment = Payment.objects.create(**row, provider_id="in_1", amount=900, reason="new", status="SUCCEEDED")
    Refund.objects.create(**row, payment=payment, provider_id="re_1", amount=300, status="PENDING")
    Refund.objects.create(**row, payment=payment, provider_id="re_2", amount=500, status="FAILED")
    assert (payment.asked_back(), counter.left_of(payment)) == (300, 600)
    payment.status = "FAILED"
    assert counter.left_of(payment) == 0


@pytest.mark.django_db(transaction=True, serialized_rollback=True)
def test_two_who_give_back_at_once_give_back_once(api, either):
    either.buy(api)
    payment = Payment.objects.get()

    def refund(_):
        try:
            return counter.refund(Payment.objects.get(pk=payment.pk), amount=CHEAP, reason="", seen=0) is not None
        except (BeingGivenBack, counter.GivenBackMeanwhile):
            return False
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as pool:
        assert sorted(pool.map(refund, range(4))) == [False, False, False, True]
    assert either.refunds() == [CHEAP]


# Ending and looking


@pytest.mark.parametrize("when", ["end", "now"])
def test_a_subscription_is_cancelled_and_what_is_paid_for_is_given(when, desk, user, subscription, either):
    asked = act(desk, "cancel", subscription)
    assert (
        asked.status_code,
        f"Active, until {moment(subscription.current_period_end)}" in asked.content.decode(),
    ) == (
        200,
        True,
    )
    answer = act(desk, "cancel", subscription, when=when, **YES)
    assert "1 subscription is cancelled." in said(answer)
    live = get_user_subscription(user)
    assert (live.pk, live.status, live.cancel_at_period_end) == (subscription.pk, "CANCELING", True)
    found = either.provider.subscription(subscription.provider_id)
    assert (found.standing == "ended") is (when == "now")
    either.deliver()
    assert OutgoingMail.objects.filter(user=user, template="subscription_ends").count() == 1
    assert LogEntry.objects.filter(object_id=str(subscription.pk)).count() == 1


def test_a_provider_that_does_not_answer_is_told_on_the_page(desk, user, subscription, either):
    either.fail("look", status=503, times=20)
    answer = act(desk, "cancel", subscription, when="now", **YES)
    assert answer.status_code == 302
    assert "(vendor_" in said(answer)
    assert LogEntry.objects.get(object_id=str(subscription.pk)).change_message.startswith("Tried (vendor_")


def test_what_nobody_is_paid_for_cannot_be_cancelled_there(desk, user):
    free = get_user_subscription(user)
    for form in ({}, {"when": "now", **YES}):
        assert "Nobody is paid for this" in said(act(desk, "cancel", free, **form))
    assert get_user_subscription(user).pk == free.pk


def test_what_our_rows_have_missed_is_found_by_looking_again(desk, user, subscription, either):
    either.provider.cancel(subscription.provider_id, now=False)
    either.provider.refund(Payment.objects.get().provider_id, amount=None, reason="", once="elsewhere")
    Payment.objects.update(amount=1, refunded=0)
    assert "1 subscription was looked at." in said(act(desk, "look_again", subscription))
    assert get_user_subscription(user).status == "CANCELING"
    assert Payment.objects.get().amount == CHEAP
    Payment.objects.update(amount=1, refunded=0, seen_at=timezone.now() - timedelta(days=1))
    assert "1 payment was looked at." in said(act(desk, "look_again", Payment.objects.get()))
    assert Payment.objects.get().amount == CHEAP


def test_each_verb_takes_a_permission_of_its_own(clerk, payment, subscription, either):
    give_back(clerk, payment)
    act(clerk, "cancel", subscription, when="now", **YES)
    assert (either.refunds(), Subscription.objects.get(pk=subscription.pk).status) == ([], "ACTIVE")
    person = User.objects.get(email="clerk@example.com")
    person.user_permissions.add(*Permission.objects.filter(codename__in=["refund_payment", "cancel_subscription"]))
    give_back(clerk, payment)
    act(clerk, "cancel", subscription, when="end", **YES)
    assert (either.refunds(), Subscription.objects.get(pk=subscription.pk).status) == ([CHEAP], "CANCELING")
