"""Signing up at Clerk through us: the address stays to be proved, and a refusal names the field in our own words."""

import pytest

from accounts.identity import NewUser
from accounts.identity.clerk import ClerkIdentity
from accounts.models import Subscription, User
from core.errors import Invalid, VendorBusy, VendorProblem
from sandbox.clerk import too_many

pytestmark = pytest.mark.django_db
PASSWORD = "a long enough password"


@pytest.fixture
def identity() -> ClerkIdentity:
    return ClerkIdentity()


def test_sign_up_makes_the_user_at_clerk_with_an_address_still_to_be_proved(clerk, client):
    form = {
        "email": "Ana@Example.com",
        "password": PASSWORD,
        "full_name": "Ana de la Rivera",
        "company_name": "Ana & Co",
    }
    answer = client.post("/api/accounts/signup/", form, content_type="application/json")
    assert answer.status_code == 201
    assert answer.json().keys() == {"user"}
    made = next(iter(clerk.users.values()))
    assert (made["first_name"], made["last_name"]) == ("Ana", "de la Rivera")
    assert made["email_addresses"][0]["email_address"] == "ana@example.com"
    assert made["email_addresses"][0]["verification"] is None
    user = User.objects.get(provider_id=made["id"])
    assert (user.full_name, user.company_name, user.email_verified) == ("Ana de la Rivera", "Ana & Co", False)
    assert Subscription.objects.filter(user=user, status__in=Subscription.LIVE).count() == 1


@pytest.mark.parametrize(
    ("email", "password", "field"),
    [
        ("taken@example.com", PASSWORD, "email"),
        ("b@example.com", "password", "password"),
        ("b@example.com", "x", "password"),
    ],
)
def test_it_says_which_field_clerk_refused_in_our_own_words(email, password, field, clerk, identity):
    clerk.add_user("taken@example.com")
    with pytest.raises(Invalid) as refused:
        identity.sign_up(NewUser(email=email, password=password))
    assert refused.value.details.keys() == {field}
    assert "form_" not in str(refused.value.details)
    assert not User.objects.exists()


def test_nobody_signs_up_under_the_address_of_a_local_account(clerk, identity):
    User.objects.create_user("ana@example.com")
    with pytest.raises(Invalid):
        identity.sign_up(NewUser(email="Ana@example.com", password=PASSWORD))
    assert clerk.count("users.create") == 0


@pytest.mark.parametrize(
    "body", [{}, [], {"errors": None}, {"errors": [None, 5, {"code": ["x"], "meta": 7}]}, {"errors": [{"code": "new"}]}]
)
def test_a_refusal_that_cannot_be_read_is_no_crash(body, clerk, identity):
    clerk.fail("users.create", status=422, body=body)
    with pytest.raises(VendorProblem):
        identity.sign_up(NewUser(email="ana@example.com", password=PASSWORD))


def test_a_busy_clerk_is_passed_on_and_never_asked_twice(clerk, identity):
    clerk.fail("users.create", times=-1, **too_many(seconds=7))
    with pytest.raises(VendorBusy) as busy:
        identity.sign_up(NewUser(email="ana@example.com", password=PASSWORD))
    assert busy.value.retry_after == 7
    assert clerk.count("users.create") == 1
