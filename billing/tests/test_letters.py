"""The letters about money: each owed once for what happened at a provider, however often that is told, and true."""

import re
from datetime import timedelta

import pytest
from django.utils import timezone

from accounts.mail import owe_mail, send_owed_mail
from accounts.models import OutgoingMail, Plan, Subscription
from accounts.subscriptions import Paid, grant, settle
from accounts.usage import get_user_subscription
from billing import counter, inbox
from billing.letters import owe_letter
from billing.mail import LETTERS
from billing.models import BillingEvent, Payment
from billing.tests.buying import work
from billing.upkeep import end_all_lapsed, reconcile

pytestmark = pytest.mark.django_db
BILLING = "https://app.whyral.test/billing"


@pytest.fixture(autouse=True)
def _app(settings):
    settings.APP_URL = "https://app.whyral.test"


@pytest.fixture
def bought(api, either, user):
    """Somebody on Agency, to whom nothing is owed any more."""
    either.buy(api, "agency")
    OutgoingMail.objects.all().delete()
    return live(user)


def live(user):
    return Subscription.objects.select_related("plan").get(user=user, status__in=Subscription.LIVE)


def told(either, mailoutbox):
    """The one letter that is owed, as it is read; everything that happened is told three times over."""
    either.deliver(copies=2)
    inbox.replay(BillingEvent.objects.all())
    work()
    reconcile()
    [mail] = OutgoingMail.objects.all()
    return mail.template, read(mail, mailoutbox)


def read(mail, mailoutbox):
    mailoutbox.clear()
    assert send_owed_mail(str(mail.pk))
    [letter] = mailoutbox
    assert "{" not in letter.subject + letter.body
    assert "None" not in letter.body
    return f"{letter.subject}\n{letter.body}"


def written(when):
    return f"{when:%-d %B %Y, %H:%M} UTC"


def test_a_plan_that_was_bought(api, either, user, mailoutbox):
    either.buy(api, "agency")
    template, text = told(either, mailoutbox)
    assert template == "plan_changed"
    assert f"your plan is {live(user).plan.name} from now on" in text
    assert f"paid for until {written(live(user).current_period_end)} and goes on by itself" in text
    assert BILLING in text


def test_a_plan_that_was_changed(api, either, user, mailoutbox):
    either.buy(api, "pro")
    OutgoingMail.objects.all().delete()
    assert either.ask(api, "upgrade", "agency").status_code == 200
    template, text = told(either, mailoutbox)
    assert (template, live(user).plan.slug) == ("plan_changed", "agency")
    assert f"Your Whyral plan is {live(user).plan.name}" in text


def test_a_payment_that_was_refused(api, either, user, bought, mailoutbox):
    either.decline()
    either.renew(bought)
    template, text = told(either, mailoutbox)
    assert template == "payment_failed"
    assert "the payment of 29.00 USD for your plan Agency was refused" in text
    assert f"until {written(live(user).grace_until)}" in text
    assert f"enter another one here: {BILLING}" in text


def test_a_cancellation(api, either, user, bought, mailoutbox):
    assert either.ask(api, "cancel").status_code == 200
    template, text = told(either, mailoutbox)
    end = bought.current_period_end
    assert template == "subscription_ends"
    assert text.startswith(f"Your Whyral plan ends on {end:%-d %B %Y}\n")
    assert f"It goes on until {written(end)}; then comes Free" in text


def test_a_cheaper_plan_to_come(api, either, user, bought, mailoutbox):
    assert either.ask(api, "upgrade", "pro").status_code == 200
    template, text = told(either, mailoutbox)
    assert template == "downgrade_coming"
    assert f"your plan is Agency until {written(bought.current_period_end)}; from then on it is Pro" in text


def test_a_cancellation_that_was_undone(api, either, user, bought, mailoutbox):
    for before in ({"verb": "cancel"}, {"verb": "upgrade", "slug": "pro"}):
        either.ask(api, **before)
        OutgoingMail.objects.all().delete()
        assert either.ask(api, "resume").status_code == 200
        template, text = told(either, mailoutbox)
        assert template == "goes_on"
        assert "your plan Agency goes on after all" in text
        assert f"It is paid for until {written(bought.current_period_end)}" in text


def test_money_that_staff_gave_back(either, user, bought, mailoutbox):
    counter.refund(Payment.objects.get(), amount=450, reason="A bad day", seen=0)
    template, text = told(either, mailoutbox)
    assert template == "given_back"
    assert "4.50 USD of what you paid is on its way back to you" in text


def test_an_end_that_the_provider_tells_of(api, either, user, bought, mailoutbox):
    """Its event mostly comes before our own clock: either way there is one letter."""
    either.provider.cancel(bought.provider_id, now=True)
    run_out(either, bought)
    template, text = told(either, mailoutbox)
    assert end_all_lapsed() == 0
    assert (template, get_user_subscription(user).plan.slug) == ("subscription_ended", "free")
    assert "your plan Agency has ended, and you are on Free now" in text


def test_an_end_that_our_own_clock_finds(user, mailoutbox):
    granted = grant(user, Plan.objects.get(slug="pro"), until=timezone.now() + timedelta(days=1))
    Subscription.objects.filter(pk=granted.pk).update(current_period_end=timezone.now())
    assert (end_all_lapsed(), end_all_lapsed()) == (1, 0)
    assert "your plan Pro has ended" in read(OutgoingMail.objects.get(), mailoutbox)


def run_out(either, subscription):
    """What was paid for ended a minute ago, as the provider has it."""
    then = timezone.now() - timedelta(minutes=1)
    if either.name == "stripe":
        [item] = either.sandbox.books.objects[subscription.provider_id]["items"]["data"]
        item["current_period_end"] = int(then.timestamp())
    else:
        either.sandbox.books.subscriptions[subscription.provider_id]["next_billing_date"] = f"{then.isoformat()}"


def test_a_change_and_its_letter_are_kept_together_or_not_at_all(user):
    """A worker that dies between the two would have the change seen, and never told of."""
    now = timezone.now()
    paid = Paid(
        provider="stripe", provider_id="sub_1", status="ACTIVE", plan=Plan.objects.get(slug="pro"), period_start=now,
        period_end=now + timedelta(days=30), cancel_at_period_end=False, grace_until=None, downgrade_to=None,
        seen_at=now,
    )  # fmt: skip

    def die(settled):
        raise OSError("the worker is gone")

    with pytest.raises(OSError, match="gone"):
        settle(user.pk, ref=None, paid=paid, with_it=die)
    assert get_user_subscription(user).plan.slug == "free"
    settle(user.pk, ref=None, paid=paid, with_it=owe_letter)
    settle(user.pk, ref=None, paid=paid, with_it=owe_letter)
    assert [mail.template for mail in OutgoingMail.objects.all()] == ["plan_changed"]


# What is missing, or over, when it is sent


@pytest.mark.parametrize(
    ("template", "fields"),
    [
        ("payment_failed", {"status": "PAST_DUE"}),
        ("subscription_ends", {"status": "CANCELING"}),
        ("downgrade_coming", {"status": "ACTIVE"}),
        ("plan_changed", {"status": "TRIAL"}),
        ("plan_changed", {"status": "ACTIVE"}),
        ("paid_twice", {"status": "ACTIVE"}),
        ("given_back", {"status": "ACTIVE"}),
    ],
)
def test_a_letter_is_plain_where_a_fact_is_missing(template, fields, user, mailoutbox):
    pro, agency = Plan.objects.get(slug="pro"), Plan.objects.get(slug="agency")
    Subscription.objects.filter(user=user).update(
        plan=agency, provider="stripe", provider_id="sub_1", downgrade_to_plan=pro, current_period_end=None, **fields
    )
    text = read(owe_mail(user, template), mailoutbox)
    assert not re.search(r" ,| \.|  |until (and|;|\.)|on \n", text), text


def test_an_end_without_a_trace_of_the_plan_is_told_plainly(user, mailoutbox):
    assert "your plan has ended, and you are on Free now" in read(owe_mail(user, "subscription_ended"), mailoutbox)


@pytest.mark.parametrize("template", sorted(LETTERS.keys() - {"subscription_ended", "paid_twice", "given_back"}))
def test_a_letter_without_its_reason_is_not_sent(template, user, mailoutbox):
    assert send_owed_mail(str(owe_mail(user, template).pk))
    assert mailoutbox == []


def test_who_has_bought_again_is_not_told_of_the_end(user, mailoutbox):
    Subscription.objects.filter(user=user).update(provider="stripe", provider_id="sub_1")
    assert send_owed_mail(str(owe_mail(user, "subscription_ended").pk))
    assert mailoutbox == []
