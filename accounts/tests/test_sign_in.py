"""Coming in, staying in and going out."""

import statistics
import time

import jwt
import pytest

from accounts import events
from accounts.models import User, UserSession
from analytics.models import AuthenticationLog

PASSWORD = "a long password"


def sign_in(client, email="user@example.com", password=PASSWORD, **headers):
    return client.post("/api/accounts/login/", {"email": email, "password": password}, format="json", **headers)


def renew(client, refresh):
    return client.post("/api/accounts/token/refresh/", {"refresh": refresh}, format="json")


def me(client, access):
    return client.get("/api/accounts/me/", HTTP_AUTHORIZATION=f"Bearer {access}").status_code


def test_it_answers_the_user_and_a_pair_of_tokens(user, stranger):
    answer = sign_in(stranger, email="USER@example.com").json()
    assert answer["user"]["id"] == str(user.pk)
    assert me(stranger, answer["access"]) == 200


@pytest.mark.parametrize(
    ("email", "password"), [("user@example.com", "wrong"), ("nobody@example.com", PASSWORD), ("user", PASSWORD)]
)
def test_it_never_says_which_part_was_wrong(user, stranger, email, password):
    answer = sign_in(stranger, email, password)
    assert answer.status_code == 401
    assert answer.json()["error"] == "The e-mail address or the password is wrong."
    assert answer["WWW-Authenticate"] == "Bearer"


def test_a_deactivated_user_stays_out(user, stranger):
    User.objects.update(is_active=False)
    assert sign_in(stranger).status_code == 401


def test_an_unknown_address_takes_as_long_as_a_wrong_password(user, stranger, settings):
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.Argon2PasswordHasher"]
    settings.THROTTLES = dict.fromkeys(settings.THROTTLES, (10_000, 60))
    user.set_password(PASSWORD)
    user.save()

    def seconds(email):
        start = time.process_time()
        sign_in(stranger, email, "wrong")
        return time.process_time() - start

    pairs = [(seconds("user@example.com"), seconds("nobody@example.com")) for _ in range(7)]
    known, unknown = (statistics.median(side) for side in zip(*pairs, strict=True))
    # Without the hash for nobody the ratio is about a tenth.
    assert 0.5 < unknown / known < 2


def test_a_refresh_token_works_once_and_gives_a_new_pair(user, stranger):
    first = sign_in(stranger).json()
    second = renew(stranger, first["refresh"]).json()
    assert me(stranger, second["access"]) == 200
    assert renew(stranger, second["refresh"]).status_code == 200


def test_a_reused_refresh_token_ends_its_whole_family_and_no_other(user, stranger):
    first, other = sign_in(stranger).json(), sign_in(stranger).json()
    second = renew(stranger, first["refresh"]).json()
    assert renew(stranger, first["refresh"]).status_code == 401
    assert renew(stranger, second["refresh"]).status_code == 401
    assert me(stranger, second["access"]) == 401
    assert me(stranger, other["access"]) == 200
    assert set(UserSession.objects.values_list("revoked_why", flat=True)) == {"refresh_token_reused", ""}


def test_signing_out_ends_the_session_at_once(user, stranger):
    tokens = sign_in(stranger).json()
    answer = stranger.post("/api/accounts/logout/", {}, format="json", HTTP_AUTHORIZATION=f"Bearer {tokens['access']}")
    assert answer.status_code == 204
    assert me(stranger, tokens["access"]) == 401
    assert renew(stranger, tokens["refresh"]).status_code == 401


def test_an_access_token_is_not_a_refresh_token_nor_the_reverse(user, stranger):
    tokens = sign_in(stranger).json()
    assert renew(stranger, tokens["access"]).status_code == 401
    assert me(stranger, tokens["refresh"]) == 401


def forged(good, secret, *, header=None, without=(), **claims):
    payload = jwt.decode(good, options={"verify_signature": False}) | claims
    payload = {name: value for name, value in payload.items() if name not in without}
    algorithm = (header or {}).get("alg", "HS256")
    return jwt.encode(payload, None if algorithm == "none" else secret, algorithm, header)


FORGERIES = {
    "no signature": lambda good, key: forged(good, key, header={"alg": "none"}),
    "another secret": lambda good, key: forged(good, "another secret that is long enough to be a key"),
    "another algorithm": lambda good, key: forged(good, key * 2, header={"alg": "HS512"}),
    "expired": lambda good, key: forged(good, key, exp=int(time.time()) - 1),
    "no expiry": lambda good, key: forged(good, key, without=["exp"]),
    "no session": lambda good, key: forged(good, key, without=["sid"]),
    "somebody's session by guess": lambda good, key: forged(good, key, sid="00000000"),
    "another issuer": lambda good, key: forged(good, key, iss="somebody"),
    "no type": lambda good, key: forged(good, key, without=["token_type"]),
    "session is a list": lambda good, key: forged(good, key, sid=["x"]),
    "session holds a NUL": lambda good, key: forged(good, key, sid="a\x00b"),
    "critical header": lambda good, key: forged(good, key, header={"crit": ["exp"]}),
    "cut off": lambda good, key: good[:-4],
    "not a token": lambda good, key: "abc",
    "three dots": lambda good, key: "...",
    "too long": lambda good, key: "a" * 9000,
    "not ASCII": lambda good, key: "töken",
}


@pytest.mark.parametrize("forge", FORGERIES.values(), ids=FORGERIES)
def test_a_forged_token_is_refused(user, stranger, settings, forge):
    good = sign_in(stranger).json()["access"]
    assert me(stranger, good) == 200
    assert me(stranger, forge(good, settings.SECRET_KEY)) == 401


def test_a_token_that_has_expired_is_told_so_unless_it_is_forged(user, stranger, settings):
    def said(secret):
        late = forged(good, secret, exp=int(time.time()) - 1)
        return stranger.get("/api/accounts/me/", HTTP_AUTHORIZATION=f"Bearer {late}").json()

    good = sign_in(stranger).json()["access"]
    own, strange = said(settings.SECRET_KEY), said("another secret that is long enough to be a key")
    assert own["error"] == "The access token has expired: renew it, or sign in again."
    assert own["code"] == strange["code"] == "unauthenticated"
    assert strange["error"] == "Sign in first: the request carries no valid token."


def test_a_deleted_user_is_out_at_once(user, stranger):
    access = sign_in(stranger).json()["access"]
    user.delete()
    assert me(stranger, access) == 401


def test_guessing_is_stopped_for_the_account_from_wherever_it_comes(user, stranger, settings):
    settings.TRUSTED_PROXIES = 1
    limit, _ = settings.THROTTLES["login-account"]
    statuses = [sign_in(stranger, password="x", HTTP_X_FORWARDED_FOR=f"192.0.2.{n}").status_code for n in range(limit)]
    assert set(statuses) == {401}
    answer = sign_in(stranger, HTTP_X_FORWARDED_FOR="192.0.2.200")
    assert answer.status_code == 429
    assert int(answer["Retry-After"]) > 0
    assert sign_in(stranger, email="other@example.com", HTTP_X_FORWARDED_FOR="192.0.2.201").status_code == 401


def test_guessing_is_stopped_for_the_address_whatever_the_account(db, stranger, settings):
    settings.THROTTLES = {**settings.THROTTLES, "login-address": (5, 900)}
    statuses = [sign_in(stranger, email=f"user{n}@example.com").status_code for n in range(7)]
    assert statuses == [401] * 5 + [429] * 2


def test_a_caller_cannot_choose_the_address_it_is_counted_under(db, stranger, settings):
    settings.THROTTLES = {**settings.THROTTLES, "login-address": (5, 900)}
    statuses = [
        sign_in(stranger, email=f"user{n}@example.com", HTTP_X_FORWARDED_FOR=f"192.0.2.{n}").status_code
        for n in range(6)
    ]
    assert statuses[-1] == 429


@pytest.mark.django_db(transaction=True, serialized_rollback=True)
def test_the_owner_sees_who_came_in_and_who_tried(user, stranger):
    sign_in(stranger, password="wrong")
    access = sign_in(stranger, HTTP_USER_AGENT="Firefox").json()["access"]
    sign_in(stranger, email="nobody@example.com")
    rows = stranger.get("/api/accounts/me/activity/", HTTP_AUTHORIZATION=f"Bearer {access}").json()["results"]
    assert [(row["event"], row["success"], row["user_agent"]) for row in rows] == [
        ("login", True, "Firefox"),
        ("login", False, ""),
    ]
    assert AuthenticationLog.objects.filter(user=None, success=False).count() == 1


def test_a_refresh_token_alone_ends_the_session_when_the_access_token_has_run_out(user, stranger):
    tokens = sign_in(stranger).json()
    headers = {"HTTP_AUTHORIZATION": "Bearer has-run-out"}
    body = {"refresh": tokens["refresh"]}
    assert stranger.post("/api/accounts/logout/", body, format="json", **headers).status_code == 204
    assert me(stranger, tokens["access"]) == 401
    assert stranger.post("/api/accounts/logout/", body, format="json").status_code == 401


def test_one_household_of_ipv6_addresses_counts_as_one(db, stranger, settings):
    settings.TRUSTED_PROXIES = 1
    settings.THROTTLES = {**settings.THROTTLES, "login-address": (5, 900)}
    addresses = [f"2001:db8:1:2::{number}" for number in range(6)]
    statuses = [
        sign_in(stranger, email=f"user{number}@example.com", HTTP_X_FORWARDED_FOR=address).status_code
        for number, address in enumerate(addresses)
    ]
    assert statuses == [401] * 5 + [429]


@pytest.mark.django_db(transaction=True, serialized_rollback=True)
@pytest.mark.parametrize(
    ("said", "known"),
    [
        ("1.2.3.4:5555", "1.2.3.4"),
        ("[2001:db8::1]:443", "2001:db8::1"),
        ("::ffff:1.2.3.4", "1.2.3.4"),
        ("unknown-host", "127.0.0.1"),
        ("1.2.3.4\x00", "127.0.0.1"),
    ],
)
def test_a_proxy_may_spell_an_address_as_it_likes(user, stranger, settings, said, known):
    settings.TRUSTED_PROXIES = 1
    assert sign_in(stranger, HTTP_X_FORWARDED_FOR=said).status_code == 200
    assert AuthenticationLog.objects.get().ip == known


@pytest.mark.django_db(transaction=True, serialized_rollback=True)
def test_a_record_that_cannot_be_kept_refuses_nobody(user, stranger):
    def broken(fact):
        raise RuntimeError("the record is full")

    listeners = events._listeners[:]
    events.on_authentication(broken)
    try:
        assert sign_in(stranger).status_code == 200
    finally:
        events._listeners[:] = listeners
