"""Clerk's session tokens: every known way to forge or replay one, and keys that change or cannot be had."""

import base64
import hashlib
import hmac
import json
import secrets
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import jwt
import pytest
from django.test import Client
from jwt.algorithms import RSAAlgorithm
from pytest_django import Settings

from accounts.identity.clerk import ClerkIdentity
from accounts.identity.clerk.keys import PATIENCE_SECONDS, REST_SECONDS
from accounts.models import User, UserSession
from core.errors import NotConfigured, Unauthenticated, VendorUnavailable
from sandbox.clerk import ClerkSandbox, rsa_key

STRANGERS_KEY = 99


@pytest.fixture
def clerk(settings: Settings) -> Iterator[ClerkSandbox]:
    with ClerkSandbox() as sandbox:
        settings.IDENTITY_PROVIDER, settings.CLERK_JWT_KEY = "clerk", ""
        for name, value in sandbox.settings().items():
            setattr(settings, name, value)
        yield sandbox


@pytest.fixture
def session(clerk: ClerkSandbox) -> str:
    return clerk.open_session(clerk.add_user("ana@example.com"))


class Clock:
    """A clock that is put forward by hand."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def status_of(client: Client, token: str) -> int:
    return client.get("/api/accounts/me/", headers={"Authorization": f"Bearer {token}"}).status_code


def part(value: Any) -> str:
    raw = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def by_hand(header: dict[str, Any], claims: dict[str, Any], sign: Any = lambda _: b"") -> str:
    signed = f"{part(header)}.{part(claims)}"
    return f"{signed}.{part(sign(signed.encode()))}"


def by_stranger(clerk: ClerkSandbox, session: str, **header: Any) -> str:
    headers = {"kid": clerk.key_id, **header}
    return jwt.encode(clerk.claims(session), rsa_key(STRANGERS_KEY), algorithm="RS256", headers=headers)


def with_pem_as_secret(clerk: ClerkSandbox, session: str) -> str:
    header = {"alg": "HS256", "typ": "JWT", "kid": clerk.key_id}
    return by_hand(header, clerk.claims(session), lambda data: hmac.digest(clerk.pem.encode(), data, hashlib.sha256))


def with_changed_claims(clerk: ClerkSandbox, session: str) -> str:
    header, _, signature = clerk.token(session).split(".")
    return f"{header}.{part(clerk.claims(session) | {'sub': 'user_somebody_else'})}.{signature}"


def strangers_jwk() -> dict[str, Any]:
    return RSAAlgorithm.to_jwk(rsa_key(STRANGERS_KEY).public_key(), as_dict=True)


FORGED = {
    "no algorithm": lambda c, s: by_hand({"alg": "none", "typ": "JWT", "kid": c.key_id}, c.claims(s)),
    "oddly spelled no algorithm": lambda c, s: by_hand({"alg": "nOnE", "kid": c.key_id}, c.claims(s)),
    "no algorithm named at all": lambda c, s: by_hand({"kid": c.key_id}, c.claims(s)),
    "an algorithm that is a list": lambda c, s: by_hand({"alg": ["RS256"], "kid": c.key_id}, c.claims(s)),
    "the PEM key as an HMAC secret": with_pem_as_secret,
    "another RSA algorithm": lambda c, s: jwt.encode(c.claims(s), c.private_key, "RS512", {"kid": c.key_id}),
    "a stranger's key": by_stranger,
    "a stranger's key by its address": lambda c, s: by_stranger(c, s, jku=f"{c.url}/.well-known/jwks.json"),
    "a stranger's certificate by its address": lambda c, s: by_stranger(c, s, x5u=f"{c.url}/certificate"),
    "a stranger's key inside": lambda c, s: by_stranger(c, s, jwk=strangers_jwk()),
    "a key id that is a path": lambda c, s: by_stranger(c, s, kid="../../../dev/null"),
    "a key id that is an address": lambda c, s: by_stranger(c, s, kid=f"{c.url}/key"),
    "a key id that is an injection": lambda c, s: by_stranger(c, s, kid="' OR 1=1 --"),
    "a key id that is a number": lambda c, s: by_hand({"alg": "RS256", "kid": 7}, c.claims(s)),
    "an unknown key id, rightly signed": lambda c, s: c.sign(c.claims(s), headers={"kid": "ins_unknown"}),
    "no key id": lambda c, s: jwt.encode(c.claims(s), c.private_key, "RS256"),
    "an unknown critical header": lambda c, s: c.sign(c.claims(s), headers={"crit": ["exp"], "exp": 1}),
    "an unencoded payload": lambda c, s: c.sign(c.claims(s), headers={"b64": False}),
    "changed claims": with_changed_claims,
    "no signature": lambda c, s: c.token(s).rpartition(".")[0] + ".",
    "a signature twice": lambda c, s: c.token(s) + "." + c.token(s).rpartition(".")[2],
    "expired": lambda c, s: c.token(s, exp=int(time.time()) - 6),
    "expiry that is no number": lambda c, s: c.token(s, exp="tomorrow"),
    "endless expiry": lambda c, s: c.sign(c.claims(s) | {"exp": float("inf")}),
    "not yet valid": lambda c, s: c.token(s, nbf=int(time.time()) + 10),
    "issued in the future": lambda c, s: c.token(s, iat=int(time.time()) + 10),
    "another issuer": lambda c, s: c.token(s, iss="https://clerk.example.com"),
    "an issuer with a slash more": lambda c, s: c.token(s, iss=f"{c.issuer}/"),
    "no issuer": lambda c, s: c.token(s, iss=None),
    "a list of issuers": lambda c, s: c.token(s, iss=[c.issuer]),
    "another page's token": lambda c, s: c.token(s, azp="https://evil.example.com"),
    "a list of pages": lambda c, s: c.token(s, azp=[c.origin]),
    "an empty page": lambda c, s: c.token(s, azp=""),
    "no subject": lambda c, s: c.token(s, sub=None),
    "a subject that is a number": lambda c, s: c.token(s, sub=7),
    "a subject that is a path": lambda c, s: c.token(s, sub="../sessions"),
    "a session of somebody's own naming": lambda c, s: c.token(s, sid="a" * 101),
    "no session, as in a token from a template": lambda c, s: c.token(s, sid=None),
    "no expiry": lambda c, s: c.token(s, exp=None),
    "no time of issue": lambda c, s: c.token(s, iat=None),
    "a pending session": lambda c, s: c.token(s, sts="pending"),
    "an unheard-of state": lambda c, s: c.token(s, sts="revoked"),
    "an audience, as in a token from a template": lambda c, s: c.token(s, aud="another-service"),
    "somebody acting as the user": lambda c, s: c.token(s, act={"sub": "user_support"}),
    "a user that Clerk does not know": lambda c, s: c.token(s, sub="user_unknown", sid="sess_unknown"),
    "claims that are a list": lambda c, s: jwt.api_jws.encode(b"[1]", c.private_key, "RS256", {"kid": c.key_id}),
    "rubbish": lambda c, s: "rubbish",
    "three parts of nothing": lambda c, s: "..",
    "three parts of rubbish": lambda c, s: "a.b.c",
    "deep nesting": lambda c, s: f"{part(b'[' * 3000)}.e30.e30",
    "far too long": lambda c, s: c.token(s) + "a" * 9000,
    "not ASCII": lambda c, s: "t\u00f6ken",
}


@pytest.mark.django_db
@pytest.mark.parametrize("kind", FORGED)
def test_it_refuses_a_token_with(kind, clerk, session, client):
    token = FORGED[kind](clerk, session)
    assert status_of(client, token) == 401
    assert clerk.count("jwks") <= 1
    assert {call.operation for call in clerk.calls} <= {"jwks", "users.get"}
    assert not User.objects.filter(provider="clerk").exists()
    # The refused one has not spoiled anything for the good one.
    assert status_of(client, clerk.token(session)) == 200


@pytest.mark.django_db
def test_it_accepts_a_token_that_is_late_or_early_within_the_leeway(clerk, session, client):
    now = int(time.time())
    assert status_of(client, clerk.token(session, exp=now - 3)) == 200
    assert status_of(client, clerk.token(session, nbf=now + 3, iat=now + 3)) == 200


@pytest.mark.django_db
def test_it_accepts_a_token_without_a_page_as_native_apps_have_them(clerk, session, client):
    assert status_of(client, clerk.token(session, azp=None)) == 200


@pytest.mark.django_db
def test_it_refuses_the_token_of_another_instance(clerk, session, client):
    with ClerkSandbox(host="clerk.elsewhere.test") as other:
        other.rotate_key()
        theirs = other.token(other.open_session(other.add_user("ana@example.com")))
        assert status_of(client, theirs) == 401


@pytest.mark.django_db
@pytest.mark.parametrize("ending", ["signed out", "deactivated", "deleted"])
def test_it_refuses_the_replay_of_a_token_after_the_user_was(ending, clerk, session, client):
    token = clerk.token(session)
    assert status_of(client, token) == 200
    if ending == "signed out":
        assert client.post("/api/accounts/logout/", headers={"Authorization": f"Bearer {token}"}).status_code == 204
    elif ending == "deactivated":
        User.objects.update(is_active=False)
    else:
        clerk.users.clear()
        User.objects.all().delete()
    assert status_of(client, token) == 401
    assert status_of(client, clerk.token(session)) == 401


@pytest.mark.django_db
def test_it_refuses_a_session_that_was_opened_for_somebody_else(clerk, session, client):
    assert status_of(client, clerk.token(session)) == 200
    assert status_of(client, clerk.token(session, sub=clerk.add_user("eve@example.com"))) == 401


@pytest.mark.django_db
def test_a_good_token_costs_one_query_and_no_call(clerk, session, client, django_assert_num_queries):
    identity, token = ClerkIdentity(), clerk.token(session)
    identity.principal(token)
    called = len(clerk.calls)
    with django_assert_num_queries(1):
        identity.principal(token)
    assert len(clerk.calls) == called


# Keys


def refused(identity: ClerkIdentity, token: str) -> bool:
    try:
        identity.principal(token)
    except Unauthenticated:
        return True
    return False


def unknown_kid(clerk: ClerkSandbox, session: str) -> str:
    return by_stranger(clerk, session, kid=secrets.token_hex(8))


def test_strangers_cannot_make_it_ask_for_keys_more_than_once_in_a_while(clerk, session):
    clock = Clock()
    identity = ClerkIdentity(clock=clock)
    flood = [unknown_kid(clerk, session) for _ in range(100)] + [by_stranger(clerk, session) for _ in range(100)]
    for times in (1, 2):
        with ThreadPoolExecutor(32) as pool:
            assert all(pool.map(lambda token: refused(identity, token), flood))
        assert clerk.count("jwks") == times
        clock.now += REST_SECONDS + 1


@pytest.mark.django_db
def test_it_finds_a_new_key_under_the_old_id_or_a_new_one(clerk, session):
    clock = Clock()
    identity = ClerkIdentity(clock=clock)
    identity.principal(clerk.token(session))
    for number, key_id in enumerate([None, "ins_new"], start=2):
        clerk.rotate_key(key_id=key_id)
        clock.now += REST_SECONDS + 1
        identity.principal(clerk.token(session))
        assert clerk.count("jwks") == number


@pytest.mark.django_db
def test_a_withdrawn_key_stops_working_within_minutes(clerk, session):
    clock = Clock()
    identity = ClerkIdentity(clock=clock)
    old = clerk.token(session)
    identity.principal(old)
    clerk.rotate_key(key_id="ins_new")
    identity.principal(old)
    clock.now += 301
    assert refused(identity, old)


@pytest.mark.django_db
@pytest.mark.parametrize(
    "trouble",
    [{"status": 500}, {"status": 429}, {"drop": True}, {"body": {"keys": []}, "status": 200}, {"status": 401}],
)
def test_known_users_keep_working_while_keys_cannot_be_had(trouble, clerk, session):
    clock = Clock()
    identity = ClerkIdentity(clock=clock)
    identity.principal(clerk.token(session))
    clerk.fail("*", times=-1, **trouble)
    for _ in range(3):
        clock.now += 3600
        identity.principal(clerk.token(session))
        assert refused(identity, unknown_kid(clerk, session))


@pytest.mark.django_db
def test_known_users_do_not_wait_for_a_clerk_that_hangs(clerk, session):
    clock = Clock()
    identity = ClerkIdentity(clock=clock)
    identity.principal(clerk.token(session))
    clerk.fail("jwks", delay=60, times=-1)
    clock.now += REST_SECONDS + 1
    strangers = [threading.Thread(target=refused, args=(identity, unknown_kid(clerk, session))) for _ in range(8)]
    begun = time.monotonic()
    for stranger in strangers:
        stranger.start()
    identity.principal(clerk.token(session))
    assert time.monotonic() - begun < 1
    for stranger in strangers:
        stranger.join()
    assert time.monotonic() - begun < PATIENCE_SECONDS + 1
    assert clerk.count("jwks") == 2


def test_without_any_key_it_says_try_again_and_does_so_itself(clerk, session):
    clerk.fail("jwks", delay=60, times=1)
    clock = Clock()
    identity = ClerkIdentity(clock=clock)

    def failure(_: int) -> str:
        with pytest.raises(VendorUnavailable) as raised:
            identity.principal(clerk.token(session))
        return raised.value.code

    begun = time.monotonic()
    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(failure, range(8))) == {"vendor_unavailable"}
    assert time.monotonic() - begun < PATIENCE_SECONDS + 1
    assert clerk.count("jwks") == 1
    clock.now += 6
    assert refused(identity, unknown_kid(clerk, session))
    assert clerk.count("jwks") == 2


@pytest.mark.django_db
@pytest.mark.parametrize("spelled", [str, lambda pem: pem.replace("\n", ""), lambda pem: pem.replace("\n", " ")])
def test_with_a_pinned_key_it_asks_nobody_for_keys(spelled, clerk, session, settings, client):
    settings.CLERK_JWT_KEY = spelled(clerk.pem)
    assert status_of(client, clerk.token(session)) == 200
    for forged in (by_stranger, with_pem_as_secret, with_changed_claims):
        assert status_of(client, forged(clerk, session)) == 401
    assert clerk.count("jwks") == 0


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("CLERK_PUBLISHABLE_KEY", ""),
        ("CLERK_PUBLISHABLE_KEY", "pk_test_!!!"),
        ("CLERK_PUBLISHABLE_KEY", "pk_test_" + base64.b64encode(b"host/path$").decode()),
        ("CLERK_PUBLISHABLE_KEY", "sk_test_" + base64.b64encode(b"clerk.sandbox.test$").decode()),
        ("CLERK_JWT_KEY", "not a key"),
        ("CLERK_SECRET_KEY", ""),
    ],
)
def test_a_wrong_setting_is_named_and_lets_nobody_in(name, value, clerk, session, settings):
    setattr(settings, name, value)
    with pytest.raises((NotConfigured, VendorUnavailable)):
        ClerkIdentity().principal(clerk.token(session))
    assert not UserSession.objects.none().exists()
