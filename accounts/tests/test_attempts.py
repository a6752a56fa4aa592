"""Guessing at passwords: who waits, who does not, and who hears of it."""

import json
import logging
import statistics
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
import structlog
from django.db import connection
from rest_framework.test import APIClient

from accounts.identity.local import start_session
from accounts.tests.test_sign_in import PASSWORD, sign_in
from analytics.models import AuthenticationLog
from core import redis

pytestmark = pytest.mark.django_db
FEW = 5


@pytest.fixture(autouse=True)
def _behind_a_proxy(settings):
    settings.TRUSTED_PROXIES = 1
    settings.THROTTLES = {**settings.THROTTLES, "login-account-address": (FEW, 900), "login-account": (10, 900)}


@pytest.fixture
def warnings():
    """What is said to be suspicious, as it leaves for stdout and for AppLog."""
    said = []

    class Listener(logging.Handler):
        def emit(self, record):
            if isinstance(record.msg, dict) and record.msg["event"] == "sign_in_suspicious":
                said.append(record.msg)

    listener = Listener()
    logging.getLogger("accounts.attempts").addHandler(listener)
    yield said
    logging.getLogger("accounts.attempts").removeHandler(listener)


def attempt(client, place="192.0.2.1", **given):
    return sign_in(client, HTTP_X_FORWARDED_FOR=place, **given)


def guess(client, times, **given):
    return [attempt(client, password="wrong", **given).status_code for _ in range(times)]


def test_too_many_failures_from_one_place_make_that_place_wait(user, stranger):
    assert guess(stranger, FEW) == [401] * FEW
    refused = attempt(stranger)
    assert refused.status_code == 429
    assert refused.json()["code"] == "rate_limited"
    # Short: the fifth part of the window gives the next attempt.
    assert 0 < int(refused["Retry-After"]) <= 900 / FEW


def test_but_not_the_owner_in_another_place(user, stranger):
    guess(stranger, 50)
    assert attempt(stranger, "198.51.100.7").status_code == 200


def test_nor_the_owner_at_home_when_the_whole_world_guesses(user, stranger):
    assert attempt(stranger, "198.51.100.7").status_code == 200
    for number in range(20):
        attempt(stranger, f"192.0.2.{number}", password="wrong")
    assert attempt(stranger, "192.0.2.99").status_code == 429
    assert attempt(stranger, "198.51.100.7").status_code == 200


def test_home_is_no_place_to_guess_from_either(user, stranger):
    attempt(stranger)
    assert guess(stranger, FEW + 2) == [401] * FEW + [429] * 2


def test_a_success_begins_the_count_again(user, stranger):
    for _ in range(3):
        assert guess(stranger, FEW - 1) == [401] * (FEW - 1)
        assert attempt(stranger).status_code == 200


def test_but_not_the_count_of_a_network(user, stranger, settings):
    settings.THROTTLES = {**settings.THROTTLES, "login-address": (6, 900)}
    statuses = [
        attempt(stranger, email="user@example.com" if number % 2 else f"nobody{number}@example.com").status_code
        for number in range(8)
    ]
    assert statuses == [401, 200, 401, 200, 401, 200, 429, 429]


def test_an_account_that_does_not_exist_is_locked_in_the_same_words(user, stranger):
    def answers(email):
        every = [attempt(stranger, email=email, password="wrong") for _ in range(FEW + 3)]
        # The ids of the requests differ.
        return [(each.status_code, {**each.json(), "request_id": ""}, sorted(each.headers)) for each in every]

    assert answers("user@example.com") == answers("nobody@example.com")


def test_and_takes_as_long_to_refuse(user, stranger):
    emails = ("user@example.com", "nobody@example.com")
    for email in emails:
        guess(stranger, FEW, email=email)

    def seconds(email):
        redis.client().delete(*redis.client().keys("told:*"))
        start = time.process_time()
        attempt(stranger, email=email)
        return time.process_time() - start

    pairs = [[seconds(email) for email in emails] for _ in range(15)]
    known, unknown = (statistics.median(side) for side in zip(*pairs, strict=True))
    assert 0.5 < unknown / known < 2


@pytest.mark.django_db(transaction=True, serialized_rollback=True)
def test_guesses_at_once_are_all_counted(user):
    def guess_once(_):
        try:
            return attempt(APIClient(), password="wrong").status_code
        finally:
            connection.close()

    with ThreadPoolExecutor(8) as pool:
        statuses = list(pool.map(guess_once, range(40)))
    assert (statuses.count(401), statuses.count(429)) == (FEW, 40 - FEW)
    refused = AuthenticationLog.objects.filter(user=user, reason="rate_limited")
    assert refused.count() == 1


def test_it_is_said_once_and_names_no_address(user, stranger, warnings):
    guess(stranger, FEW + 10)
    guess(stranger, FEW + 10, email="nobody@example.com")
    known, unknown = warnings
    assert (known["category"], known["level"]) == ("AUTH", "warning")
    assert (known["limit"], known["network"]) == ("login-account-address", "192.0.2.1")
    assert known["user_id"] == str(user.pk)
    assert "user_id" not in unknown
    assert len(unknown["account"]) == 16
    assert "@" not in json.dumps(warnings)


def test_an_account_that_is_guessed_at_from_everywhere_is_said_too(user, stranger, warnings):
    for number in range(15):
        attempt(stranger, f"192.0.2.{number}", password="wrong")
    (warning,) = warnings
    assert (warning["limit"], warning["user_id"], "network" in warning) == ("login-account", str(user.pk), False)


def test_and_an_address_that_tries_many_accounts(db, stranger, warnings, settings):
    settings.THROTTLES = {**settings.THROTTLES, "login-address": (6, 900)}
    statuses = [attempt(stranger, email=f"nobody{number}@example.com").status_code for number in range(10)]
    assert statuses == [401] * 6 + [429] * 4
    (warning,) = warnings
    assert (warning["limit"], warning["network"]) == ("login-address", "192.0.2.1")
    assert {"user_id", "account"} & warning.keys() == set()


def test_a_few_mistakes_are_not_said(user, stranger, warnings):
    guess(stranger, FEW - 1)
    attempt(stranger)
    assert warnings == []


@pytest.mark.django_db(transaction=True, serialized_rollback=True)
def test_the_owner_sees_the_lock_once_and_why(user, stranger):
    guess(stranger, FEW + 10)
    access = start_session(user).access
    rows = stranger.get("/api/accounts/me/activity/", HTTP_AUTHORIZATION=f"Bearer {access}").json()["results"]
    seen = [(row["event"], row["success"], row["reason"]) for row in rows]
    assert seen == [("login", False, "rate_limited")] + [("login", False, "unauthenticated")] * FEW


def test_nothing_in_redis_names_an_account(user, stranger):
    attempt(stranger)
    guess(stranger, FEW + 1)
    guess(stranger, 1, email="nobody@example.com")
    keys = redis.client().keys("*")
    assert {key.partition(":")[0] for key in keys} >= {"rate", "told", "known-network"}
    assert not [key for key in keys if "@" in key or "example" in key]
    assert all(redis.client().pttl(key) > 0 for key in keys)


def test_without_redis_nobody_comes_in(user, stranger, settings):
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    refused = attempt(stranger)
    assert (refused.status_code, refused.json()["code"]) == (503, "limits_unavailable")


def test_the_desk_is_guarded_by_the_same_counts(user, stranger, client):
    guess(stranger, FEW, place="192.0.2.1")
    form = {"username": "user@example.com", "password": PASSWORD}
    page = client.post("/admin/login/", form, HTTP_X_FORWARDED_FOR="192.0.2.1")
    assert b"Too many requests" in page.content
    structlog.contextvars.clear_contextvars()
