"""Who cancels is charged no more: while a renewal is owed, and while a page is open on which it can be paid."""

import threading
from datetime import datetime, timedelta

import pytest
from django.db import connection
from django.utils import timezone
from rest_framework.test import APIClient

from accounts.identity.local import start_session
from accounts.models import OutgoingMail, Subscription, User
from accounts.usage import get_user_subscription
from billing import counter
from billing.tests.buying import plan_id, status_of
from billing.tests.post import arrive, pass_days

pytestmark = pytest.mark.django_db


@pytest.fixture
def owed(till, bought):
    till.set_card(works=False)
    pass_days(till, 30)
    arrive(till)
    OutgoingMail.objects.all().delete()
    return bought


def letters():
    return [*OutgoingMail.objects.values_list("template", flat=True)]


def cancelled(api, user):
    return api.post("/api/billing/cancel/").json()["plan"]["slug"]


def changed_to_free(api, user):
    return api.post("/api/billing/upgrade/", {"plan_id": plan_id("free")}, format="json").json()["plan"]["slug"]


def cancelled_by_staff(api, user):
    counter.cancel(get_user_subscription(user), now=False)
    return get_user_subscription(user).plan.slug


@pytest.mark.parametrize("give_up", [cancelled, changed_to_free, cancelled_by_staff])
def test_who_cancels_while_a_renewal_is_owed_is_on_free_at_once_and_charged_no_more(api, user, till, owed, give_up):
    assert status_of(user) == ("pro", "PAST_DUE")
    assert give_up(api, user) == "free"
    arrive(till)
    assert (status_of(user), till.sold()[0].is_over, letters()) == (("free", "ACTIVE"), True, ["subscription_ended"])


def test_an_end_of_what_is_owed_is_shown_to_be_now(api, user, till, owed):
    shown = api.post("/api/billing/upgrade/preview/", {"plan_id": plan_id("free")}, format="json").json()
    assert shown["change"] == "cancel"
    assert abs(datetime.fromisoformat(shown["effective_at"]) - timezone.now()) < timedelta(minutes=1)


def test_what_was_paid_before_the_event_is_here_is_given_to_its_end(api, user, till, owed):
    """Our row still says that it is owed."""
    till.set_card(works=True)
    till.collect(owed)
    answer = api.post("/api/billing/cancel/").json()
    assert (answer["plan"]["slug"], answer["status"], till.sold()[0].is_over) == ("pro", "CANCELING", False)


def test_what_became_owed_before_the_event_is_here_ends_at_once(api, user, till, bought):
    till.set_card(works=False)
    pass_days(till, 30)
    assert status_of(user) == ("pro", "ACTIVE")
    assert (cancelled(api, user), till.sold()[0].is_over) == ("free", True)


# A page that is open


@pytest.mark.django_db(transaction=True, serialized_rollback=True)
@pytest.mark.parametrize("paid_after", [0.0, 0.02, 0.1])
def test_a_page_that_is_paid_while_it_is_cancelled_has_one_outcome(either, paid_after):
    user = User.objects.create_user("pages@example.com", "a long password")
    api = APIClient()
    api.credentials(HTTP_AUTHORIZATION=f"Bearer {start_session(user).access}")
    url = either.open(api)
    gate, codes = threading.Barrier(2), []

    def pay():
        gate.wait()
        threading.Event().wait(paid_after)
        either.pay(url)

    def cancel():
        gate.wait()
        codes.append(api.post("/api/billing/cancel/").status_code)
        connection.close()

    both = [threading.Thread(target=each) for each in (pay, cancel)]
    for each in both:
        each.start()
    for each in both:
        each.join()
    either.deliver()
    assert len(Subscription.objects.filter(user=user, status__in=Subscription.LIVE)) == 1
    assert not Subscription.objects.filter(user=user, status="PENDING").exists()
    live = get_user_subscription(user)
    # Either it was closed in time and nothing is charged, or it was paid once, and that is what one has.
    assert (len(either.charges()), live.plan.slug) in [(0, "free"), (1, "pro")]
    assert either.refunds() == []
    assert codes[0] in {200, 409}
