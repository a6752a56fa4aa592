"""Money that was taken back and what follows: a bank fails a refund, a payment goes back whole, a dispute is lost."""

from datetime import timedelta

import pytest
from django.utils import timezone

from accounts.models import OutgoingMail, Subscription
from accounts.usage import get_user_plan, get_user_subscription
from billing import leftovers
from billing.models import Payment, Refund
from billing.news import look_and_tell
from billing.tests.shops import CHEAP
from billing.tests.test_buying_twice import again, letters, pay_twice, surplus

pytestmark = pytest.mark.django_db


def give_back(either, amount=None, payment=None):
    paid = payment or Payment.objects.get()
    either.provider.refund(paid.provider_id, amount=amount, reason="", once=f"test:{paid.pk}")
    either.deliver()


# A bank that fails a refund


def test_what_was_paid_twice_goes_back_anew_where_the_bank_failed(api, either):
    pay_twice(api, either)
    either.deliver()
    either.fail_refund(Refund.objects.get().provider_id)
    either.deliver()
    assert surplus().returned_at is None
    leftovers.tidy_checkouts()
    either.deliver()
    assert sorted(Refund.objects.values_list("status", flat=True)) == ["FAILED", "SUCCEEDED"]
    assert Payment.objects.get(subscription=surplus()).status == "REFUNDED"
    assert (surplus().returned_at is None, letters(), len(either.refunds())) == (False, 1, 2)


def test_a_refund_that_fails_long_after_the_plan_ended_is_repeated_too(api, either):
    pay_twice(api, either)
    either.deliver()
    Subscription.objects.filter(pk=surplus().pk).update(ended_at=timezone.now() - timedelta(days=30))
    either.fail_refund(Refund.objects.get().provider_id)
    either.deliver()
    leftovers.tidy_checkouts()
    assert Refund.objects.filter(status="SUCCEEDED").count() == 1


def test_what_was_paid_twice_waits_while_staff_give_it_back(api, either):
    pay_twice(api, either)
    either.fail("refund", status=503)
    either.deliver()
    either.sandbox.reset()
    Payment.objects.update(refunding_until=timezone.now() + timedelta(minutes=5))
    again(lease=False)
    assert (either.refunds(), surplus().returned_at, letters()) == ([], None, 0)
    again()
    assert (len(either.refunds()), letters()) == (1, 1)


def test_a_bank_that_fails_every_refund_is_left_to_staff(api, either):
    pay_twice(api, either)
    either.fail_refunds()
    either.deliver()
    for _ in range(5):
        leftovers.tidy_checkouts()
        either.deliver()
    assert [*Refund.objects.values_list("status", flat=True)] == ["FAILED"] * 3
    assert (surplus().returned_at, letters(), len(either.refunds())) == (None, 0, 3)


def test_an_old_answer_to_the_same_key_does_not_undo_that_it_failed(api, either):
    """The provider answers a known key as it did before, with a refund that was still well."""
    pay_twice(api, either)
    either.deliver()
    refund = Refund.objects.get()
    either.fail_refund(refund.provider_id)
    # The event is lost; what is done again has the first key.
    Subscription.objects.filter(pk=surplus().pk).update(returned_at=None)
    Refund.objects.all().delete()
    Payment.objects.filter(pk=refund.payment_id).update(refunded=0, status="SUCCEEDED")
    look_and_tell(either.provider, surplus().provider_id)
    assert Refund.objects.get(provider_id=refund.provider_id).status == "FAILED"
    look_and_tell(either.provider, surplus().provider_id)
    assert Refund.objects.filter(status="SUCCEEDED").count() == 1


# Access


@pytest.mark.parametrize(("setting", "slug"), [("keep", "pro"), ("end", "free")])
def test_a_whole_refund_does_to_access_what_the_setting_says(api, user, either, settings, setting, slug):
    settings.ACCESS_AFTER_REFUND = setting
    either.buy(api)
    sold = get_user_subscription(user)
    give_back(either)
    assert get_user_plan(user).slug == slug
    found = either.provider.subscription(sold.provider_id)
    assert (found.standing == "ended") is (slug == "free")


def test_what_was_ended_stays_ended_whatever_is_looked_at_later(api, user, either, settings):
    settings.ACCESS_AFTER_REFUND = "end"
    either.buy(api)
    sold = get_user_subscription(user)
    give_back(either)
    look_and_tell(either.provider, sold.provider_id)
    give_back_again = Refund.objects.get()
    either.deliver()
    assert (get_user_plan(user).slug, give_back_again.status) == ("free", "SUCCEEDED")
    assert Subscription.objects.get(pk=sold.pk).status == "CANCELLED"
    assert OutgoingMail.objects.filter(user=user, template="subscription_ended").count() == 1
    either.buy(api)
    assert get_user_plan(user).slug == "pro"


def test_a_part_that_goes_back_ends_nothing(api, user, either, settings):
    settings.ACCESS_AFTER_REFUND = "end"
    either.buy(api)
    give_back(either, CHEAP - 1)
    assert get_user_plan(user).slug == "pro"


def test_an_old_payment_that_goes_back_takes_nothing_from_what_was_paid_since(api, user, either, settings):
    settings.ACCESS_AFTER_REFUND = "end"
    either.buy(api)
    first = Payment.objects.get()
    either.ask(api, "upgrade", "agency")
    either.deliver()
    give_back(either, payment=first)
    assert (Payment.objects.get(pk=first.pk).status, get_user_plan(user).slug) == ("REFUNDED", "agency")


@pytest.mark.parametrize(
    ("setting", "how", "slug"), [("keep", "lost", "pro"), ("end", "lost", "free"), ("end", "won", "pro")]
)
def test_a_dispute_ends_access_only_where_it_is_lost_and_the_setting_says_so(
    api, user, either, settings, setting, how, slug
):
    settings.ACCESS_AFTER_REFUND = setting
    either.buy(api)
    close = either.dispute(Payment.objects.get().provider_id)
    either.deliver()
    assert get_user_plan(user).slug == "pro"
    close(how)
    either.deliver()
    assert (Payment.objects.get().disputed, get_user_plan(user).slug) == (how, slug)


def test_a_provider_that_is_away_ends_access_when_it_is_back(api, user, either, settings):
    settings.ACCESS_AFTER_REFUND = "end"
    either.buy(api)
    either.fail("end", status=503, times=-1)
    give_back(either)
    assert get_user_plan(user).slug == "pro"
    either.sandbox.reset()
    again()
    assert get_user_plan(user).slug == "free"
