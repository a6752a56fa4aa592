"""Clerk's session tokens: every known way to forge or replay one."""

import base64
import hashlib
import hmac
import json
import time
from typing import Any

import jwt
import pytest
from django.test import Client
from jwt.algorithms import RSAAlgorithm

from accounts.identity.clerk import ClerkIdentity
from accounts.identity.contract import EXPIRED
from accounts.models import User
from sandbox.clerk import STRANGER, ClerkSandbox, rsa_key


def status_of(client: Client, token: str) -> int:
    return client.get("/api/accounts/me/", headers={"Authorization": f"Bearer {token}"}).status_code


def sign_out(client: Client, token: str) -> int:
    bearer = {"Authorization": f"Bearer {token}"}
    return client.post("/api/accounts/logout/", content_type="application/json", headers=bearer).status_code


def part(value: Any) -> str:
    raw = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def by_hand(header: dict[str, Any], claims: dict[str, Any], sign: Any = lambda _: b"") -> str:
    signed = f"{part(header)}.{part(claims)}"
    return f"{signed}.{part(sign(signed.encode()))}"


def with_pem_as_secret(clerk: ClerkSandbox, session: str) -> str:
    header = {"alg": "HS256", "typ": "JWT", "kid": clerk.key_id}
    return by_hand(header, clerk.claims(session), lambda data: hmac.digest(clerk.pem.encode(), data, hashlib.sha256))


def with_changed_claims(clerk: ClerkSandbox, session: str) -> str:
    header, _, signature = clerk.token(session).split(".")
    return f"{header}.{part(clerk.claims(session) | {'sub': 'user_somebody_else'})}.{signature}"


def strangers_jwk() -> dict[str, Any]:
    return RSAAlgorithm.to_jwk(rsa_key(STRANGER).public_key(), as_dict=True)


FORGED = {
    "no algorithm": lambda c, s: by_hand({"alg": "none", "typ": "JWT", "kid": c.key_id}, c.claims(s)),
    "oddly spelled no algorithm": lambda c, s: by_hand({"alg": "nOnE", "kid": c.key_id}, c.claims(s)),
    "no algorithm named at all": lambda c, s: by_hand({"kid": c.key_id}, c.claims(s)),
    "an algorithm that is a list": lambda c, s: by_hand({"alg": ["RS256"], "kid": c.key_id}, c.claims(s)),
    "the PEM key as an HMAC secret": with_pem_as_secret,
    "another RSA algorithm": lambda c, s: jwt.encode(c.claims(s), c.private_key, "RS512", {"kid": c.key_id}),
    "a stranger's key": lambda c, s: c.forged(s),
    "a stranger's key by its address": lambda c, s: c.forged(s, jku=f"{c.url}/.well-known/jwks.json"),
    "a stranger's certificate by its address": lambda c, s: c.forged(s, x5u=f"{c.url}/certificate"),
    "a stranger's key inside": lambda c, s: c.forged(s, jwk=strangers_jwk()),
    "a key id that is a path": lambda c, s: c.forged(s, kid="../../../dev/null"),
    "a key id that is an address": lambda c, s: c.forged(s, kid=f"{c.url}/key"),
    "a key id that is an injection": lambda c, s: c.forged(s, kid="' OR 1=1 --"),
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
def test_a_token_that_has_expired_is_told_so(clerk, session, client):
    late = clerk.token(session, exp=int(time.time()) - 6)
    answer = client.get("/api/accounts/me/", HTTP_AUTHORIZATION=f"Bearer {late}").json()
    assert (answer["code"], answer["error"]) == ("unauthenticated", EXPIRED)


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
        assert sign_out(client, token) == 204
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
