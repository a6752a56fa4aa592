"""Making an account."""

import threading

import pytest
from django.db import connection

from accounts.models import OutgoingMail, Subscription, User, UserSession

FORM = {"email": "Ana@Example.com", "password": "a long enough password", "full_name": "Ana"}


def sign_up(client, **changes):
    return client.post("/api/accounts/signup/", {**FORM, **changes}, format="json")


def test_it_answers_the_user_and_a_pair_of_tokens(db, stranger):
    answer = sign_up(stranger)
    assert answer.status_code == 201
    assert answer.json()["user"]["email"] == "ana@example.com"
    assert answer.json()["user"]["plan"]["slug"] == "free"
    token = answer.json()["access"]
    me = stranger.get("/api/accounts/me/", HTTP_AUTHORIZATION=f"Bearer {token}")
    assert me.json()["full_name"] == "Ana"


def test_everybody_starts_with_one_free_subscription(db, stranger):
    sign_up(stranger)
    assert list(Subscription.objects.values_list("plan__slug", "status")) == [("free", "ACTIVE")]


def test_an_address_is_taken_whatever_its_case(db, stranger):
    sign_up(stranger)
    answer = sign_up(stranger, email="ANA@example.COM", password="another password")
    assert answer.status_code == 400
    assert list(answer.json()["details"]) == ["email"]
    assert User.objects.count() == 1


@pytest.mark.parametrize("password", ["short", "1234567890123", "password1234", "ana@example.com"])
def test_a_weak_password_is_refused_with_its_reason(db, stranger, password):
    answer = sign_up(stranger, password=password)
    assert answer.status_code == 400
    assert answer.json()["details"]["password"]
    assert not User.objects.exists()


@pytest.mark.parametrize("email", ["", "ana", "a@b", "ana@example.com\n", "x" * 250 + "@example.com"])
def test_an_address_that_is_none_is_refused(db, stranger, email):
    answer = sign_up(stranger, email=email)
    assert answer.status_code == 400 or answer.json()["user"]["email"] == "ana@example.com"


def test_passwords_are_kept_as_argon2(db, stranger, settings):
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.Argon2PasswordHasher"]
    sign_up(stranger)
    assert User.objects.get().password.startswith("argon2")


def test_a_mail_to_prove_the_address_is_owed(db, stranger):
    sign_up(stranger)
    assert OutgoingMail.objects.values_list("template", "user__email").get() == ("verify_email", "ana@example.com")


@pytest.mark.django_db(transaction=True, serialized_rollback=True)
def test_the_same_form_sent_by_twenty_at_once_makes_one_account(stranger, settings):
    settings.THROTTLES = dict.fromkeys(settings.THROTTLES, (10_000, 60))
    statuses = []

    def send():
        statuses.append(sign_up(stranger).status_code)
        connection.close()

    threads = [threading.Thread(target=send) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(statuses) == [201] + [400] * 19
    assert (User.objects.count(), Subscription.objects.count(), UserSession.objects.count()) == (1, 1, 1)
