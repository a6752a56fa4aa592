"""The ways between events, payments, refunds, subscriptions and people at the desk, and its page of figures."""

import re
from datetime import timedelta
from urllib.parse import parse_qs, urlsplit

import pytest
from django.contrib.auth.models import Permission
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts.models import Plan, Subscription, User
from billing.figures import Month
from billing.models import BillingEvent, Customer, Invoice, Payment, PaymentMethod, Refund

pytestmark = pytest.mark.django_db
EVIL = "<script>alert(1)</script>"


@pytest.fixture
def paid(user):
    """A payment with all that hangs on it."""
    plan = Plan.objects.get(slug="pro")
    Subscription.objects.filter(user=user).update(status="CANCELLED")
    since = timezone.now() - timedelta(days=70)
    subscription = Subscription.objects.create(
        user=user, plan=plan, provider="stripe", provider_id="sub_1", paid_since=since
    )
    row = {"user": user, "provider": "stripe", "seen_at": timezone.now(), "currency": "USD"}
    payment = Payment.objects.create(
        **row, provider_id="in_1", subscription=subscription, amount=2900, reason="new", status="SUCCEEDED",
        paid_at=timezone.now(),
    )  # fmt: skip
    Refund.objects.create(**row, provider_id="re_1", payment=payment, amount=900, status="SUCCEEDED", reason=EVIL)
    Invoice.objects.create(
        user=user, payment=payment, provider_id="in_1", number="1", amount=2900, currency="USD",
        issued_at=timezone.now(),
    )  # fmt: skip
    Customer.objects.create(user=user, provider="stripe", customer_id="cus_1")
    PaymentMethod.objects.create(user=user, provider="stripe", provider_id="pm_1", last4="4242")
    Payment.objects.create(
        **row, provider_id="in_2", subscription=subscription, amount=2900, reason="renewal", status="FAILED",
        failure="card_declined",
    )  # fmt: skip
    about = {"payments": ["in_1", "in_9"], "refunds": ["re_1"], "subscriptions": ["sub_1"], "card_owners": ["cus_1"]}
    BillingEvent.objects.create(
        provider="stripe", delivery_id="evt_1", type="invoice.paid", about=about, state="failed"
    )
    BillingEvent.objects.create(provider="dodo", delivery_id="evt_2", type="other.shop", about=about)
    return payment


def page(row):
    return reverse(f"admin:{row._meta.label_lower.replace('.', '_')}_change", args=[row.pk])


def seen(client, row):
    answer = client.get(page(row))
    assert answer.status_code == 200
    return answer.content.decode()


def clerk(*codenames):
    person = User.objects.create_user("clerk@example.com", "a long password", is_staff=True)
    person.user_permissions.set(Permission.objects.filter(codename__in=codenames))
    client = Client()
    client.force_login(person)
    return client


def test_an_event_leads_to_what_it_names_and_each_of_these_back(desk, paid):
    event = BillingEvent.objects.get(provider="stripe")
    shown = seen(desk, event)
    for row in (paid, paid.subscription, Refund.objects.get()):
        assert f'href="{page(row)}"' in shown
        back = seen(desk, row)
        assert f'href="{page(event)}"' in back
        assert "other.shop" not in back
    assert f'href="{page(paid.user)}"' in shown
    assert "in_9" in shown
    assert "cus_1" in shown


def test_a_payment_leads_to_its_subscription_refunds_and_invoice(desk, paid):
    shown = seen(desk, paid)
    for row in (paid.subscription, Refund.objects.get(), paid.user):
        assert f'href="{page(row)}"' in shown
    for model in ("invoice", "refund"):
        assert f'href="/admin/billing/{model}/?q={paid.pk}"' in shown
        assert desk.get(f"/admin/billing/{model}/?q={paid.pk}").context_data["cl"].result_count == 1
    assert "29.00 USD" in shown
    assert f'href="/admin/billing/payment/?q={paid.pk}"' in shown  # where something can be done
    assert EVIL not in shown


def test_a_subscription_shows_its_payments(desk, paid):
    shown = seen(desk, paid.subscription)
    for payment in Payment.objects.all():
        assert f'href="{page(payment)}"' in shown
    assert "card_declined" in shown


def test_a_person_leads_to_all_their_money(desk, paid):
    shown = seen(desk, paid.user)
    for model in ("payment", "invoice", "refund", "paymentmethod"):
        link = f"/admin/billing/{model}/?q={paid.user.pk}"
        assert f'href="{link}"' in shown
        assert desk.get(link).context_data["cl"].result_count >= 1
    assert f'href="/admin/accounts/subscription/?q={paid.user.pk}"' in shown


def test_a_page_shows_of_others_what_one_may_see(paid):
    client = clerk("view_subscription", "view_billingevent")
    shown = seen(client, paid.subscription)
    assert "invoice.paid" in shown
    assert "card_declined" not in shown
    assert page(paid) not in seen(client, BillingEvent.objects.get(provider="stripe"))


@pytest.mark.parametrize("about", [[], "text", 7, {"payments": "in_1"}, {"payments": [["in_1"], None, 7]}, {"x": {}}])
def test_an_event_that_names_nonsense_opens(desk, about):
    assert seen(desk, BillingEvent.objects.create(provider="stripe", delivery_id="evt", about=about))


# Figures


def links(client, where="/admin/money/"):
    text = client.get(where).content.decode()
    return {
        each.replace("&amp;", "&") for each in re.findall(r'href="(/admin/(?:billing|accounts)/[^"]*\?[^"]*)"', text)
    }


def test_the_page_tells_the_figures_and_what_they_count(desk, paid):
    answer = desk.get("/admin/money/")
    cards = {card.title: card for card in answer.context_data["cards"]}
    plan = Plan.objects.get(slug="pro")
    assert cards["MRR"].value == f"{plan.price / 100:.2f} USD"
    assert (cards["Churn"].value, cards["Net paid"].value) == ("0.0 %", "20.00 USD")
    assert (cards["Failed payments"].value, cards["Failed payments"].bad) == ("1", True)
    shown = answer.content.decode()
    assert f'href="{page(Payment.objects.get(status="FAILED"))}"' in shown
    for word in ("card_declined", "Granted plans are paid by nobody", "A calendar month in UTC", "9.00 USD went back"):
        assert word in shown


def test_every_figure_leads_to_the_rows_behind_it(desk, paid):
    Subscription.objects.create(
        user=User.objects.create_user("gone@example.com"), plan=Plan.objects.get(slug="pro"), status="CANCELLED",
        provider="stripe", provider_id="sub_2", paid_since=timezone.now() - timedelta(days=70), ended_at=timezone.now(),
    )  # fmt: skip
    found = {}
    for link in links(desk):
        answer = desk.get(link)
        assert answer.status_code == 200, link
        kind = urlsplit(link).path.split("/")[3], *sorted(parse_qs(urlsplit(link).query))
        found[kind] = answer.context_data["cl"].result_count
    assert found["subscription", "counted"] == 1
    assert found["subscription", "paid", "status__exact"] == 1
    assert found["subscription", "paid", "plan__id__exact", "status__exact"] == 1
    assert found["payment", "created_at_from", "created_at_until", "status"] == 1
    assert found["payment", "currency", "paid_at_from", "paid_at_until"] == 1
    assert found["refund", "created_at_from", "created_at_until", "currency", "status"] == 1


def test_another_month_is_told_apart(desk, paid):
    before = Month.now().before
    answer = desk.get("/admin/money/", {"month": f"{before}"})
    cards = {card.title: card.value for card in answer.context_data["cards"]}
    assert (cards["Net paid"], cards["Failed payments"]) == ("-", "0")
    assert f"?month={before.before}" in answer.content.decode()
    assert desk.get("/admin/money/", {"month": EVIL}).context_data["month"] == Month.now()


def test_empty_figures_say_what_will_show(desk):
    shown = desk.get("/admin/money/").content.decode()
    for sentence in ("as soon as somebody pays for it", "Nothing was paid in", "No payment failed in"):
        assert sentence in shown


def test_the_figures_are_for_whoever_may_see_payments(paid):
    client = clerk("view_subscription")
    assert client.get("/admin/money/").status_code == 403
    assert "MRR" not in client.get("/admin/").content.decode()


def test_the_start_page_tells_the_most_of_it(desk, paid):
    cards = {card.title: card for card in desk.get("/admin/").context_data["cards"]}
    assert cards["MRR"].link == "/admin/money/"
    assert cards["Failed payments"].bad


def test_the_start_page_tells_of_events_that_were_given_up_and_leads_to_them(desk, paid):
    BillingEvent.objects.create(provider="stripe", delivery_id="evt_2", state="processed")
    cards = {card.title: card for card in desk.get("/admin/").context_data["cards"]}
    assert (cards["Events given up"].value, cards["Events given up"].bad) == ("1", True)
    found = desk.get(cards["Events given up"].link).context_data["cl"]
    assert [event.delivery_id for event in found.result_list] == ["evt_1"]
