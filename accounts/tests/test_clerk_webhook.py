"""Clerk's webhooks: signed or refused, in any order and number, never a crash."""

import copy
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import permutations
from typing import Any

import orjson
import pytest
from django.test import Client

from accounts.identity.clerk import ClerkIdentity, apply_clerk_event
from accounts.models import Subscription, User, UserSession
from core.errors import Unauthenticated
from core.webhooks import MalformedWebhook
from sandbox.clerk import SESSION, USER, ClerkSandbox, new_id

pytestmark = pytest.mark.django_db
ADDRESS = "/api/accounts/webhook/clerk/"


def tell(clerk: ClerkSandbox, kind: str, data: Any) -> None:
    apply_clerk_event(*clerk.webhook(kind, data))


def post(client: Client, body: bytes, headers: dict[str, str]) -> int:
    return client.post(ADDRESS, body, content_type="application/json", headers=headers).status_code


def snapshot(clerk: ClerkSandbox, user_id: str) -> dict[str, Any]:
    return copy.deepcopy(clerk.users[user_id])


def state_of(user_id: str) -> list[Any]:
    columns = ("email", "email_verified", "full_name", "profile_image", "is_active", "provider_updated_at")
    return [User.objects.filter(provider_id=user_id).values_list(*columns).get(), sessions_of(user_id)]


def sessions_of(user_id: str) -> list[Any]:
    sessions = UserSession.objects.filter(user__provider_id=user_id).order_by("key")
    return [(session.key, session.revoked_at is None) for session in sessions]


def test_a_signed_event_makes_the_user(clerk, client):
    user_id = clerk.add_user("Ana@example.com")
    assert post(client, *clerk.webhook("user.created", clerk.users[user_id])) == 200
    user = User.objects.get(provider_id=user_id)
    assert (user.email, user.email_verified, user.full_name) == ("ana@example.com", True, "Ana Rivera")
    assert user.profile_image.startswith("https://img.clerk.com/")
    assert not user.has_usable_password()
    assert Subscription.objects.filter(user=user, status__in=Subscription.LIVE).count() == 1


def test_a_forged_or_stale_event_is_refused_and_does_nothing(clerk, client):
    body, headers = clerk.webhook("user.created", clerk.users[clerk.add_user("ana@example.com")])
    late = clerk.signature(body, at=datetime.now(UTC) - timedelta(minutes=6))
    changes = ({"svix-signature": "v1,AAAA"}, {"svix-signature": "rubbish"}, {"svix-id": "msg_other"})
    for forged in ({"content-type": "application/json"}, late, *(headers | change for change in changes)):
        assert post(client, body, forged) in {400, 401}
    assert post(client, body + b" ", headers) in {400, 401}
    assert not User.objects.exists()


@pytest.mark.parametrize("kind", ["organization.created", "session.created", "session.pending", "email.created", ""])
def test_an_event_that_does_not_concern_us_is_accepted(kind, clerk, client):
    assert post(client, *clerk.webhook(kind, {"id": "whatever"})) == 200
    assert not User.objects.exists()


def test_changes_of_a_user_end_the_same_in_any_order_and_number(clerk):
    ends = set()
    for order in permutations(range(4)):
        user_id = clerk.add_user()
        events = [("user.created", snapshot(clerk, user_id))]
        clerk.set_email(user_id, f"{user_id}@example.com".lower())
        events.append(("user.updated", snapshot(clerk, user_id)))
        clerk.change_user(user_id, first_name="New", last_name=None)
        events.append(("user.updated", snapshot(clerk, user_id)))
        clerk.change_user(user_id, primary_email_address_id=None)
        events.append(("user.updated", snapshot(clerk, user_id)))
        for number in order:
            tell(clerk, *events[number])
            tell(clerk, *events[number])
        (email, verified, name, *_), _ = state_of(user_id)
        ends.add((email == f"{user_id.lower()}@users.clerk.invalid", verified, name))
    assert ends == {(True, False, "New")}


def test_a_deletion_holds_whatever_comes_late(clerk):
    ends = set()
    for order in permutations(range(4)):
        user_id = clerk.add_user(f"{new_id('x')}@example.com".lower())
        session = clerk.open_session(user_id)
        events = [("user.created", snapshot(clerk, user_id))]
        clerk.change_user(user_id, first_name="New")
        events.append(("user.updated", snapshot(clerk, user_id)))
        events.append(("session.ended", clerk.sessions[session]))
        events.append(("user.deleted", {"id": user_id, "object": "user", "deleted": True}))
        for number in order:
            tell(clerk, *events[number])
        (email, verified, _, _, active, _), sessions = state_of(user_id)
        ends.add((email == f"{user_id.lower()}@users.clerk.invalid", verified, active, *(live for _, live in sessions)))
        with pytest.raises(Unauthenticated):
            ClerkIdentity().principal(clerk.token(clerk.open_session(user_id)))
    assert ends == {(True, False, False, False)}


def test_a_deleted_user_leaves_the_address_to_who_has_it_next(clerk):
    first, second = clerk.add_user("ana@example.com"), clerk.add_user("ana@example.com")
    tell(clerk, "user.created", clerk.users[first])
    tell(clerk, "user.deleted", {"id": first, "deleted": True})
    tell(clerk, "user.created", clerk.users[second])
    assert User.objects.get(email="ana@example.com").provider_id == second


def test_an_address_that_changed_hands_belongs_to_the_newer_owner_in_any_order(clerk):
    for order in permutations(range(3)):
        address = f"{new_id('x')}@example.com".lower()
        first, second = clerk.add_user(address), clerk.add_user(None)
        events = [snapshot(clerk, first)]
        moved = clerk.set_email(first, f"moved-{address}")
        events.append(copy.deepcopy(moved))
        events.append(clerk.set_email(second, address) | {"updated_at": moved["updated_at"] + 5})
        for number in order:
            tell(clerk, "user.updated", events[number])
        assert User.objects.get(email=address).provider_id == second
        assert User.objects.get(email=f"moved-{address}").provider_id == first


def test_an_address_held_by_an_unproved_local_account_is_left_there(clerk, client):
    User.objects.create_user("ana@example.com")
    user_id = clerk.add_user("ana@example.com")
    assert post(client, *clerk.webhook("user.created", clerk.users[user_id])) == 200
    assert not User.objects.filter(provider_id=user_id).exists()


def test_taking_over_a_local_address_later_merges_no_accounts(clerk):
    local = User.objects.create_user("ana@example.com", email_verified=True)
    user_id = clerk.add_user("first@example.com")
    tell(clerk, "user.created", clerk.users[user_id])
    tell(clerk, "user.updated", clerk.set_email(user_id, "ana@example.com"))
    assert User.objects.get(email="ana@example.com").pk == local.pk
    assert not User.objects.get(provider_id=user_id).email_verified


@pytest.mark.parametrize("kind", ["session.ended", "session.removed", "session.revoked"])
def test_the_end_of_a_session_refuses_the_tokens_it_still_has(kind, clerk, client):
    session = clerk.open_session(clerk.add_user("ana@example.com"))
    bearer = {"Authorization": f"Bearer {clerk.token(session)}"}
    assert client.get("/api/accounts/me/", headers=bearer).status_code == 200
    assert post(client, *clerk.webhook(kind, clerk.sessions[session])) == 200
    called = len(clerk.calls)
    assert client.get("/api/accounts/me/", headers=bearer).status_code == 401
    assert len(clerk.calls) == called


def test_the_end_of_a_session_never_seen_is_remembered_and_harms_no_other(clerk):
    user_id = clerk.add_user("ana@example.com")
    ended, other = clerk.open_session(user_id), clerk.open_session(user_id)
    tell(clerk, "session.revoked", clerk.sessions[ended])
    identity = ClerkIdentity()
    with pytest.raises(Unauthenticated):
        identity.principal(clerk.token(ended))
    assert identity.principal(clerk.token(other)).user.email == "ana@example.com"


def test_a_ban_ends_the_sessions_unless_it_is_old_news(clerk):
    user_id = clerk.add_user("ana@example.com")
    session = clerk.open_session(user_id)
    ClerkIdentity().principal(clerk.token(session))
    banned = copy.deepcopy(clerk.change_user(user_id, banned=True))
    tell(clerk, "user.updated", clerk.change_user(user_id, banned=False))
    tell(clerk, "user.updated", banned)
    assert sessions_of(user_id) == [(session, True)]
    tell(clerk, "user.updated", clerk.change_user(user_id, banned=True))
    assert sessions_of(user_id) == [(session, False)]


ODD = [None, 5, -1, 1e300, "", "x", "\x00", "a" * 5000, [], [None], {}, {"a": 1}, True, 2**62]


def oddities(data: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The same object with each field gone or odd."""
    for name in data:
        yield {key: value for key, value in data.items() if key != name}
        yield from ({**data, name: odd} for odd in ODD)


def odd_addresses() -> Iterator[dict[str, Any]]:
    for address in oddities(USER["email_addresses"][0]):
        yield {**USER, "email_addresses": [address]}
    for odd in ODD:
        yield {**USER, "email_addresses": [USER["email_addresses"][0] | {"verification": odd}]}
        yield {**USER, "primary_email_address_id": odd, "email_addresses": [{"id": odd}, odd]}


@pytest.mark.parametrize(
    ("kind", "shapes"),
    [
        ("user.updated", lambda: [*oddities(USER), *odd_addresses()]),
        ("user.deleted", lambda: oddities({"id": "user_1", "object": "user", "deleted": True})),
        ("session.ended", lambda: oddities(SESSION)),
    ],
)
def test_a_signed_event_of_any_shape_is_applied_or_called_malformed(kind, shapes, clerk):
    outcomes = set()
    for data in shapes():
        try:
            tell(clerk, kind, data)
            outcomes.add("applied")
        except MalformedWebhook:
            outcomes.add("malformed")
    assert outcomes == {"applied", "malformed"}


@pytest.mark.parametrize(
    "body", [b"", b"null", b"[]", b"7", b"{", b'{"type": 7}', b'{"type": "user.created"}', b'{"type": "x", "data": []}']
)
def test_a_signed_body_that_is_no_event_is_called_malformed(body, clerk, client):
    assert post(client, body, clerk.signature(body)) == 400


def test_an_event_carries_an_address_only_where_it_is_one(clerk):
    user_id = clerk.add_user("not an address")
    tell(clerk, "user.created", clerk.users[user_id])
    assert not User.objects.get(provider_id=user_id).email_verified


def test_the_published_examples_are_understood(clerk):
    event = {"type": "user.created", "data": USER}
    body = orjson.dumps(event)
    apply_clerk_event(body, clerk.signature(body))
    assert User.objects.get().email == "ana.rivera@example.com"
