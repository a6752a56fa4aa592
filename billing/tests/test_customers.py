"""A customer at a provider is one user here: an address that moves to somebody else leads nobody to another's money."""

import httpx
import pytest
from rest_framework.test import APIClient

from accounts.identity.local import start_session
from accounts.models import Subscription, User
from accounts.usage import ensure_live_subscription
from billing import leaving
from billing.models import Customer

pytestmark = pytest.mark.django_db
OTHER_CARD = "4000056655665556"


def signed_in(email: str) -> APIClient:
    user = User.objects.create_user(email)
    ensure_live_subscription(user)
    api = APIClient()
    api.credentials(HTTP_AUTHORIZATION=f"Bearer {start_session(user).access}")
    return api


def move_away(user: User) -> str:
    """Its address is somebody else's from now on."""
    email = user.email
    User.objects.filter(pk=user.pk).update(email="moved@example.com")
    return email


def customer_of(either, email: str) -> str:
    sold = Subscription.objects.get(user__email=email, status__in=Subscription.LIVE)
    return str(either.provider.subscription(sold.provider_id).customer_id)


def last4(api: APIClient) -> list[str]:
    return [card["last4"] for card in api.get("/api/billing/payment-methods/").json()["results"]]


def test_whoever_has_anothers_old_address_is_another_customer(api, user, either):
    either.buy(api)
    newcomer = signed_in(email := move_away(user))
    httpx.post(either.open(newcomer), data={"action": "pay", "card": OTHER_CARD}, trust_env=False)
    either.deliver()
    assert Customer.objects.get(user__email=email).customer_id == customer_of(either, email)
    assert customer_of(either, email) != customer_of(either, "moved@example.com")
    assert last4(api) == ["4242"]
    if either.name == "dodo":
        assert last4(newcomer) == ["5556"]
        page = httpx.get(newcomer.post("/api/billing/portal/").json()["url"], trust_env=False).text
        assert page.count("Cancel now") == 1


def test_whoever_registers_the_address_of_somebody_erased_is_another_customer(api, user, either):
    either.buy(api)
    email = user.email
    before = customer_of(either, email)
    leaving.leave(user)
    user.delete()
    either.deliver()
    newcomer = signed_in(email)
    either.buy(newcomer)
    assert customer_of(either, email) != before


@pytest.mark.parametrize("verb", ["portal", "payment-methods/update"])
def test_the_pages_of_a_customer_who_is_somebody_else_stay_shut(api, user, either, verb, caplog):
    either.buy(api)
    own = Customer.objects.get(user=user)
    other = User.objects.create_user("other@example.com")
    Customer.objects.filter(pk=own.pk).update(user=other)
    answer = either.ask(api, verb)
    assert (answer.status_code, answer.json()["code"]) == (409, "customer_of_another")
    sold = Subscription.objects.get(user=user, status__in=Subscription.LIVE)
    either.renew(sold)
    either.deliver()
    assert Customer.objects.get().user == other
    [*_, said] = [record for record in caplog.records if "customer_of_another" in record.getMessage()]
    assert said.levelname == "ERROR"
    assert user.email not in said.getMessage()
