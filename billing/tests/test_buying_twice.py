"""Two checkouts are paid: one plan is given, the other is ended and its money goes back by itself, once."""

import random
from datetime import timedelta

import pytest
from django.utils import timezone

from accounts.models import OutgoingMail, Plan, Subscription
from accounts.usage import get_user_subscription
from billing import leftovers
from billing.models import BillingEvent, Checkout, Payment, Refund
from billing.news import look_and_tell
from billing.tests.buying import work
from billing.tests.dodo_shop import led_to
from billing.tests.shops import CHEAP, DodoShop, StripeShop
from billing.tests.stripe_buyer import BASIC, stripe_at

pytestmark = pytest.mark.django_db


def pay_twice(api, shop, *slugs):
    """Two pages that are open at once, as where the first could not be closed."""
    urls = []
    for slug in slugs or ("pro", "agency"):
        urls.append(shop.open(api, slug))
        Subscription.objects.filter(status="PENDING").update(status="CANCELLED")
        Checkout.objects.all().delete()
    for url in urls:
        assert shop.pay(url) == 303


def surplus():
    return Subscription.objects.get(surplus_since__isnull=False)


def letters():
    return OutgoingMail.objects.filter(template="paid_twice").count()


def again(*, lease=True):
    if lease:
        Payment.objects.update(refunding_until=None)
    BillingEvent.objects.filter(state="received").update(run_after=timezone.now() - timedelta(seconds=1))
    work()


def test_one_is_given_and_the_other_goes_back(api, user, either):
    pay_twice(api, either)
    either.deliver()
    live = get_user_subscription(user)
    assert (live.status, live.provider) == ("ACTIVE", either.name)
    assert (surplus().status, either.refunds()) == ("CANCELLED", [Payment.objects.get(status="REFUNDED").amount])
    assert either.net() == Payment.objects.get(status="SUCCEEDED").amount
    refund = Refund.objects.get()
    assert (refund.status, refund.payment.subscription_id, refund.partial) == ("SUCCEEDED", surplus().pk, False)
    assert letters() == 1


@pytest.mark.parametrize("seed", [1, 2])
def test_in_any_order_and_with_copies_it_goes_back_once(api, either, seed):
    pay_twice(api, either)
    either.deliver(chance=random.Random(seed), copies=3)
    leftovers.tidy_checkouts()
    assert (len(either.charges()), len(either.refunds()), letters()) == (2, 1, 1)


def test_the_same_plan_paid_twice_goes_back_too(api, either):
    pay_twice(api, either, "pro", "pro")
    either.deliver()
    assert (either.net(), letters()) == (either.charges()[0], 1)


@pytest.mark.parametrize("step", ["end", "refund"])
def test_what_fails_between_is_done_the_next_time(api, either, step):
    pay_twice(api, either)
    either.fail(step, status=503, times=-1)
    either.deliver()
    assert BillingEvent.objects.filter(state="received").exists()
    assert (either.refunds(), letters()) == ([], 0)
    either.sandbox.reset()
    again()
    assert not BillingEvent.objects.filter(state="received").exists()
    assert (len(either.refunds()), letters()) == (1, 1)


@pytest.mark.parametrize("step", ["end", "refund"])
def test_what_was_done_and_never_answered_is_not_done_twice(api, either, step):
    pay_twice(api, either)
    either.lose(step)
    either.deliver()
    again()
    assert not BillingEvent.objects.filter(state="received").exists()
    assert (len(either.refunds()), Refund.objects.count(), letters()) == (1, 1, 1)
    assert either.net() == Payment.objects.get(status="SUCCEEDED").amount


def test_what_went_back_is_not_given_when_the_other_one_ends(api, user, either):
    pay_twice(api, either)
    either.deliver()
    given = get_user_subscription(user)
    either.provider.cancel(given.provider_id, now=True)
    Subscription.objects.filter(pk=given.pk).update(status="CANCELLED")
    look_and_tell(either.provider, surplus().provider_id)
    assert (surplus().status, get_user_subscription(user).plan.slug) == ("CANCELLED", "free")
    assert (len(either.refunds()), letters()) == (1, 1)


def test_what_staff_gave_back_is_not_given_back_again(api, either):
    pay_twice(api, either)
    either.fail("refund", status=503, times=-1)
    either.deliver()
    either.sandbox.reset()
    paid = either.provider.payments(surplus().provider_id)
    either.provider.refund(next(iter(paid)).id, amount=None, reason="By hand", once="staff")
    again()
    either.deliver()
    assert (len(either.refunds()), Refund.objects.get().reason, letters()) == (1, "By hand", 1)


def test_of_what_was_given_before_nothing_goes_back(api, user, either):
    """A renewal is paid long after the plan had ended for it, when another one is paid for."""
    either.buy(api)
    old = get_user_subscription(user)
    Subscription.objects.filter(pk=old.pk).update(status="EXPIRED", ended_at=timezone.now())
    either.buy(api, "agency")
    assert get_user_subscription(user).plan.slug == "agency"
    look_and_tell(either.provider, old.provider_id)
    assert (surplus().pk, surplus().status) == (old.pk, "CANCELLED")
    assert either.refunds() == []
    assert get_user_subscription(user).plan.slug == "agency"


def test_whoever_paid_for_one_plan_can_pay_on_no_other_page(api, either):
    first = either.open(api)
    second = either.open(api, "agency")
    if either.pay(first) == 303:
        either.deliver()
        assert either.pay(second) == 303
        either.deliver()
        assert either.net() == either.charges()[0]
    else:
        assert either.name == "stripe"


def test_two_providers_paid_are_one_plan_and_one_payment(api, user, settings):
    with stripe_at(settings) as stripe, led_to(settings) as dodo:
        settings.OUTBOUND_ALLOWED_HOSTS = [stripe.address, dodo.address]
        shops = [StripeShop(stripe), DodoShop(dodo)]
        plan = Plan.objects.get(slug="pro")
        Plan.objects.filter(pk=plan.pk).update(products={**plan.products, "stripe": BASIC})
        pages = [each.open(api, "pro") for each in shops[::-1]]
        # Dodo's cannot be closed; Stripe's is the one that is wanted.
        assert [each.pay(page) for each, page in zip(shops[::-1], pages, strict=True)] == [303, 303]
        for each in shops:
            each.deliver()
        assert get_user_subscription(user).provider == "stripe"
        assert [each.net() for each in shops] == [CHEAP, 0]
        assert letters() == 1
