"""Clerk's users as ours: made once, at first sight, never with an address that was not proved."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest
from django.db import connections
from structlog.testing import capture_logs

from accounts.identity import NewUser, Principal
from accounts.identity.clerk import ClerkIdentity
from accounts.models import Subscription, User, UserSession
from core.errors import Conflict, HandledElsewhere, Unauthenticated, VendorProblem
from sandbox.clerk import ClerkSandbox

pytestmark = pytest.mark.django_db
PASSWORD = "a long enough password"


@pytest.fixture
def identity() -> ClerkIdentity:
    return ClerkIdentity()


def at_once(count: int, act: Callable[[int], Any]) -> list[Any]:
    barrier = Barrier(count)

    def run(number: int) -> Any:
        barrier.wait()
        try:
            return act(number)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(run, range(count)))


# First sight


def test_the_first_token_of_a_user_makes_the_user(clerk, client):
    token = clerk.token(clerk.open_session(clerk.add_user("Ana@Example.com", first_name="Ana", last_name="Rivera")))
    me = client.get("/api/accounts/me/", headers={"Authorization": f"Bearer {token}"}).json()
    assert (me["email"], me["email_verified"], me["full_name"]) == ("ana@example.com", True, "Ana Rivera")
    assert me["plan"]["slug"] == "free"


@pytest.mark.django_db(transaction=True, serialized_rollback=True)
def test_fifty_parallel_first_requests_make_one_user_with_one_subscription(clerk, identity):
    session = clerk.open_session(clerk.add_user("ana@example.com"))
    token = clerk.token(session)
    principals = at_once(50, lambda _: identity.principal(token))
    user = User.objects.get(provider="clerk")
    assert {(each.user.pk, each.session_key) for each in principals} == {(user.pk, session)}
    assert Subscription.objects.filter(user=user, status__in=Subscription.LIVE).count() == 1
    assert UserSession.objects.get(user=user).key == session
    assert clerk.count("jwks") == 1


@pytest.mark.django_db(transaction=True, serialized_rollback=True)
def test_parallel_first_requests_link_one_local_account_once(clerk, identity):
    local = User.objects.create_user("ana@example.com", email_verified=True)
    token = clerk.token(clerk.open_session(clerk.add_user("ana@example.com")))
    assert {each.user.pk for each in at_once(10, lambda _: identity.principal(token))} == {local.pk}
    assert User.objects.count() == 1


def test_a_user_without_a_verified_address_gets_one_that_no_mail_reaches(clerk, identity):
    for user_id in (clerk.add_user(), clerk.add_user("ana@example.com", verified=False)):
        user = identity.principal(clerk.token(clerk.open_session(user_id))).user
        assert (user.email, user.email_verified) == (f"{user_id.lower()}@users.clerk.invalid", False)


@pytest.mark.parametrize("status", ["unverified", "failed", "expired", "transferable", None])
def test_an_address_counts_only_while_it_is_verified(status, clerk, identity):
    user_id = clerk.add_user("ana@example.com")
    clerk.users[user_id]["email_addresses"][0]["verification"]["status"] = status
    assert not identity.principal(clerk.token(clerk.open_session(user_id))).user.email_verified


def test_only_the_primary_address_counts(clerk, identity):
    user_id = clerk.add_user("ana@example.com")
    clerk.change_user(user_id, primary_email_address_id=None)
    assert not identity.principal(clerk.token(clerk.open_session(user_id))).user.email_verified


@pytest.mark.parametrize(
    "trouble", [{"status": 500}, {"status": 401}, {"drop": True}, {"status": 200, "body": b"<html>"}]
)
def test_nothing_is_half_made_when_clerk_cannot_say_who_comes(trouble, clerk, client):
    token = clerk.token(clerk.open_session(clerk.add_user("ana@example.com")))
    clerk.fail("users.get", times=-1, **trouble)
    answer = client.get("/api/accounts/me/", headers={"Authorization": f"Bearer {token}"})
    assert answer.status_code == 503
    assert answer.json()["code"].startswith("vendor_")
    assert not User.objects.exists()
    assert not UserSession.objects.exists()
    clerk.reset()
    assert client.get("/api/accounts/me/", headers={"Authorization": f"Bearer {token}"}).status_code == 200


def test_a_new_sign_in_brings_the_user_up_to_date(clerk, identity):
    user_id = clerk.add_user("ana@example.com")
    identity.principal(clerk.token(clerk.open_session(user_id)))
    clerk.set_email(user_id, "new@example.com")
    assert identity.principal(clerk.token(clerk.open_session(user_id))).user.email == "new@example.com"


def test_a_known_user_signs_in_anew_although_clerk_is_away(clerk, identity):
    user_id = clerk.add_user("ana@example.com")
    identity.principal(clerk.token(clerk.open_session(user_id)))
    clerk.fail("users.get", delay=60, times=-1)
    begun = time.monotonic()
    assert identity.principal(clerk.token(clerk.open_session(user_id))).user.email == "ana@example.com"
    assert time.monotonic() - begun < 3


@pytest.mark.parametrize("known", [True, False])
def test_a_banned_or_deleted_user_opens_no_session(known, clerk, identity):
    user_id = clerk.add_user("ana@example.com")
    if known:
        identity.principal(clerk.token(clerk.open_session(user_id)))
    token = clerk.token(clerk.open_session(user_id))
    clerk.change_user(user_id, banned=True)
    with pytest.raises(Unauthenticated):
        identity.principal(token)
    clerk.users.clear()
    with pytest.raises(Unauthenticated):
        identity.principal(token)


# Accounts from before Clerk


def test_a_proved_local_account_is_handed_to_whoever_proved_the_address_at_clerk(clerk, identity):
    local = User.objects.create_user("ana@example.com", email_verified=True)
    user_id = clerk.add_user("ana@example.com")
    assert identity.principal(clerk.token(clerk.open_session(user_id))).user.pk == local.pk
    local.refresh_from_db()
    assert (local.provider, local.provider_id, local.email) == ("clerk", user_id, "ana@example.com")


def test_an_unproved_local_account_is_neither_handed_over_nor_overwritten(clerk, identity, client):
    local = User.objects.create_user("ana@example.com")
    token = clerk.token(clerk.open_session(clerk.add_user("ana@example.com")))
    with pytest.raises(Conflict):
        identity.principal(token)
    answer = client.get("/api/accounts/me/", headers={"Authorization": f"Bearer {token}"})
    assert (answer.status_code, answer.json()["code"]) == (409, "conflict")
    local.refresh_from_db()
    assert (local.provider, local.provider_id) == ("local", None)
    assert User.objects.count() == 1


def test_an_address_that_was_not_proved_at_clerk_leads_to_no_local_account(clerk, identity):
    local = User.objects.create_user("ana@example.com", email_verified=True)
    token = clerk.token(clerk.open_session(clerk.add_user("ana@example.com", verified=False)))
    assert identity.principal(token).user.pk != local.pk


# Coming and going


def test_signing_in_takes_clerks_token(clerk, client):
    token = clerk.token(clerk.open_session(clerk.add_user("ana@example.com")))
    answer = client.post("/api/accounts/login/", {"token": token}, content_type="application/json")
    assert (answer.status_code, answer.json()["user"]["email"]) == (200, "ana@example.com")
    wrong = client.post("/api/accounts/login/", {"token": "rubbish"}, content_type="application/json")
    assert wrong.status_code == 401
    password = {"email": "ana@example.com", "password": PASSWORD}
    assert client.post("/api/accounts/login/", password, content_type="application/json").status_code == 400


def test_signing_out_ends_the_session_here_and_there(clerk, identity):
    session = clerk.open_session(clerk.add_user("ana@example.com"))
    token = clerk.token(session)
    identity.sign_out(identity.principal(token))
    assert clerk.sessions[session]["status"] == "revoked"
    with pytest.raises(Unauthenticated):
        identity.principal(token)


@pytest.mark.parametrize("trouble", [{"status": 500}, {"status": 404}, {"status": 403}, {"drop": True}])
def test_signing_out_works_although_clerk_does_not(trouble, clerk, identity):
    session = clerk.open_session(clerk.add_user("ana@example.com"))
    identity.principal(clerk.token(session))
    clerk.fail("sessions.revoke", times=-1, **trouble)
    identity.sign_out(Principal(User.objects.get(), session))
    with pytest.raises(Unauthenticated):
        identity.principal(clerk.token(session))


@pytest.mark.parametrize(
    ("host", "portal"),
    [
        ("clerk.example.com", "https://accounts.example.com"),
        ("fit-ox-1.clerk.accounts.dev", "https://fit-ox-1.accounts.dev"),
    ],
)
def test_what_clerk_keeps_to_itself_is_answered_with_the_address_to_go_to(host, portal, settings, identity):
    settings.CLERK_PUBLISHABLE_KEY = ClerkSandbox(host=host).publishable_key
    for page, ask in {
        "sign-in": lambda: identity.ask_password_reset("ana@example.com"),
        "sign-in#": lambda: identity.reset_password(uid="u", token="t", password="p"),
        "sign-in##": lambda: identity.renew("token"),
        "user": lambda: identity.ask_verification(User()),
        "user#": lambda: identity.verify_email(uid="u", token="t"),
    }.items():
        with pytest.raises(HandledElsewhere) as elsewhere:
            ask()
        assert elsewhere.value.details == {"address": f"{portal}/{page.rstrip('#')}"}


def test_erasing_deletes_the_user_at_clerk_once(clerk, identity):
    user = identity.principal(clerk.token(clerk.open_session(clerk.add_user("ana@example.com")))).user
    identity.erase(user)
    assert clerk.users == {}
    identity.erase(user)
    identity.erase(User.objects.create_user("local@example.com"))
    assert clerk.count("users.delete") == 2
    clerk.fail("users.delete", status=500, times=-1)
    with pytest.raises(VendorProblem):
        identity.erase(user)


def test_no_token_key_or_address_reaches_a_log(clerk, identity):
    session = clerk.open_session(clerk.add_user("ana@example.com"))
    token = clerk.token(session)
    with capture_logs() as lines:
        identity.principal(token)
        for bad in (token[:-4], clerk.token(session, azp="https://evil.example.com")):
            with pytest.raises(Unauthenticated):
                identity.principal(bad)
        identity.sign_up(NewUser(email="eve@example.com", password=PASSWORD))
    assert lines
    for secret in (token, token[:-4], clerk.secret_key, "ana@example.com", "eve@example.com", PASSWORD):
        assert secret not in str(lines)
