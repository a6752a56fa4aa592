"""Money at the desk in a real browser: the figures lead to a payment, and the payment is given back. Loopback only."""

import pytest
from django.utils import timezone

from accounts.models import Plan, Subscription, User
from billing.models import BillingEvent, Payment, Refund
from billing.tests.shops import CHEAP, StripeShop
from billing.tests.stripe_buyer import stripe_at
from tests.browsing import Window, chromium, needs_browser

pytestmark = [pytest.mark.django_db(transaction=True, serialized_rollback=True), needs_browser]


@pytest.fixture
def shop(settings):
    with stripe_at(settings) as stripe:
        yield StripeShop(stripe)


@pytest.fixture
def desk(live_server, tmp_path):
    """A browser with a member of staff signed in."""
    User.objects.create_superuser("staff@example.com", "a long password")
    with chromium(tmp_path) as browser:
        desk = Window(browser, live_server.url)
        desk.open("/admin/login/")
        desk.write("[name=username]", "staff@example.com")
        desk.write("[name=password]", "a long password")
        desk.press("[type=submit]")
        yield desk


def test_an_hour_with_the_money(desk, api, user, shop):
    shop.buy(api)
    fail_another(user)
    the_figures_lead_to_what_was_paid(desk)
    a_payment_is_given_back(desk, shop)
    a_plan_is_granted(desk)
    no_page_is_wider_than_a_phone(desk)
    assert desk.complaints() == []


def fail_another(user):
    Payment.objects.create(
        user=user, provider="stripe", provider_id="in_failed", amount=CHEAP, currency="USD", reason="renewal",
        status="FAILED", failure="card_declined", seen_at=timezone.now(),
    )  # fmt: skip


def the_figures_lead_to_what_was_paid(desk):
    desk.open("/admin/money/")
    assert "card_declined" in desk.see("#main").text
    shown = desk.see(".whyral-cards").text
    assert "29.00 USD" in shown  # what the plan costs here
    assert "9.00 USD" in shown  # what the provider took for it
    desk.press("a[href*='paid_at_from']")
    assert "9.00 USD" in desk.see("#result_list").text


def a_payment_is_given_back(desk, shop):
    payment = Payment.objects.get(status="SUCCEEDED")
    desk.open(f"/admin/billing/payment/?q={payment.pk}")
    desk.see("input.action-select").click()
    desk.see("select[name=action] option[value=refund]").click()
    desk.press("#changelist-actions-wrapper button")
    assert desk.see("[name=amount]").get_attribute("value") == "9.00"
    desk.write("[name=reason]", "Asked for it")
    desk.press(".whyral-ask [type=submit]")
    assert "9.00 USD goes back" in desk.see("#main").text
    assert shop.refunds() == [CHEAP]
    assert Refund.objects.get().reason == "Asked for it"


def a_plan_is_granted(desk):
    other = User.objects.create_user("other@example.com")
    desk.open("/admin/accounts/user/?q=other@")
    desk.see("input.action-select").click()
    desk.see("select[name=action] option[value=grant_plan]").click()
    desk.press("#changelist-actions-wrapper button")
    desk.see(f"[name=plan] option[value='{Plan.objects.get(slug='agency').pk}']").click()
    desk.ask(f"document.querySelector('[name=last_day]').value = '{timezone.now():%Y-%m-%d}'")
    desk.press(".whyral-ask [type=submit]")
    assert "1 account has Agency" in desk.see("#main").text
    assert Subscription.objects.get(user=other).plan.slug == "agency"


def no_page_is_wider_than_a_phone(desk):
    desk.hold_as_a_phone()
    rows = [Payment.objects.get(status="REFUNDED"), BillingEvent.objects.latest("created_at"), Refund.objects.get()]
    pages = [f"/admin/{row._meta.label_lower.replace('.', '/')}/{row.pk}/change/" for row in rows]
    paid = Subscription.objects.get(provider="stripe")
    for path in ("/admin/money/", f"/admin/accounts/subscription/{paid.pk}/change/", *pages):
        desk.open(path)
        desk.see("#main")
        assert desk.fits_a_phone(), path
