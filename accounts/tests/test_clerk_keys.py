"""The keys that Clerk signs with: they change, they cannot always be had, and no stranger makes us ask for them."""

import base64
import secrets
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import jwt
import pytest
from django.test import Client

from accounts.identity.clerk import ClerkIdentity
from accounts.identity.clerk.keys import COURTESY_SECONDS, PATIENCE_SECONDS, REST_SECONDS
from core.errors import NotConfigured, Unauthenticated, VendorUnavailable
from sandbox.clerk import ClerkSandbox


class Clock:
    """A clock that is put forward by hand."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def status_of(client: Client, token: str) -> int:
    return client.get("/api/accounts/me/", headers={"Authorization": f"Bearer {token}"}).status_code


def refused(identity: ClerkIdentity, token: str) -> bool:
    try:
        identity.principal(token)
    except Unauthenticated:
        return True
    return False


def unknown_kid(clerk: ClerkSandbox, session: str) -> str:
    return clerk.forged(session, kid=secrets.token_hex(8))


def test_strangers_cannot_make_it_ask_for_keys_more_than_once_in_a_while(clerk, session):
    clock = Clock()
    identity = ClerkIdentity(clock=clock)
    flood = [unknown_kid(clerk, session) for _ in range(100)] + [clerk.forged(session) for _ in range(100)]
    for times in (1, 2):
        with ThreadPoolExecutor(32) as pool:
            assert all(pool.map(lambda token: refused(identity, token), flood))
        assert clerk.count("jwks") == times
        clock.now += REST_SECONDS + 1


def test_what_clerk_can_never_have_signed_makes_it_ask_for_nothing(clerk, session):
    identity = ClerkIdentity()
    hmac = jwt.encode(clerk.claims(session), "s" * 32, algorithm="HS256", headers={"kid": clerk.key_id})
    no_key_id = jwt.encode(clerk.claims(session), clerk.private_key, algorithm="RS256")
    assert all(refused(identity, token) for token in (hmac, no_key_id, "rubbish", "a.b.c"))
    assert clerk.calls == []


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
    [
        {"status": 500},
        {"status": 429},
        {"status": 401},
        {"status": 200, "body": {"keys": []}},
        {"status": 200, "body": {"keys": [{"kty": "RSA", "kid": "ins_1", "n": "!", "e": 7}]}},
        {"drop": True},
        {"delay": 60},
    ],
)
def test_known_users_keep_working_while_keys_cannot_be_had(trouble, clerk, session):
    clock = Clock()
    identity = ClerkIdentity(clock=clock)
    identity.principal(clerk.token(session))
    clerk.fail("*", times=-1, **trouble)
    for _ in range(2):
        clock.now += 3600
        begun = time.monotonic()
        identity.principal(clerk.token(session))
        assert refused(identity, unknown_kid(clerk, session))
        assert time.monotonic() - begun < COURTESY_SECONDS + 0.5


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
    assert status_of(client, clerk.forged(session)) == 401
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
