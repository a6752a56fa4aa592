"""Tickets: one opening of one path by one person, within a minute; worth nothing to whoever reads them afterwards."""

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.db import connection
from django.urls import path
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.test import APIClient
from rest_framework.views import APIView

from accounts.authentication import BearerAuthentication
from accounts.models import User
from accounts.services import ask_erasure
from accounts.tickets import SECONDS, TicketAuthentication, issue
from core import redis
from core.errors import Unavailable


class Stream(APIView):
    """Says who came in."""

    authentication_classes = [BearerAuthentication, TicketAuthentication]

    def get(self, request: Request, name: str) -> Response:
        return Response({"user": str(request.user.pk)})


urlpatterns = [path("streams/<str:name>/", Stream.as_view())]
pytestmark = [pytest.mark.django_db, pytest.mark.urls(__name__)]
ONE, OTHER = "/streams/one/", "/streams/other/"


def open_with(client: APIClient, ticket: str, to: str = ONE) -> Any:
    return client.get(to, {"ticket": ticket})


def test_a_ticket_opens_its_path_once(stranger: APIClient, user: User) -> None:
    ticket = issue(user, ONE)
    first, second = open_with(stranger, ticket), open_with(stranger, ticket)
    assert (first.status_code, first.json()) == (200, {"user": str(user.pk)})
    assert (second.status_code, second.json()["code"]) == (401, "unauthenticated")
    assert second["WWW-Authenticate"] == "Bearer"


def test_it_opens_no_other_path_and_is_not_used_up_there(stranger: APIClient, user: User) -> None:
    ticket = issue(user, ONE)
    assert open_with(stranger, ticket, OTHER).status_code == 401
    assert open_with(stranger, ticket).status_code == 200


def test_it_is_its_owners_whoever_sends_it(stranger: APIClient, user: User, staff: User) -> None:
    tickets = {each.pk: issue(each, ONE) for each in (user, staff)}
    for pk, ticket in tickets.items():
        assert open_with(stranger, ticket).json() == {"user": str(pk)}


def test_it_is_good_for_a_minute(stranger: APIClient, user: User) -> None:
    ticket = issue(user, ONE)
    [key] = redis.client().scan_iter("ticket:*")
    assert SECONDS - 2 <= redis.client().ttl(key) <= SECONDS
    redis.client().pexpire(key, 1)
    time.sleep(0.05)
    assert open_with(stranger, ticket).status_code == 401


def test_only_its_hash_is_kept(user: User) -> None:
    ticket = issue(user, ONE)
    [key] = redis.client().scan_iter("ticket:*")
    assert ticket not in str(key)
    assert ONE not in str(key)


@pytest.mark.parametrize(
    "ticket", ["", "made-up", "x" * 65, "x" * 5000, "\0", "é", "\ud83d".encode("utf-8", "replace")]
)
def test_what_was_never_issued_opens_nothing(stranger: APIClient, user: User, ticket: Any) -> None:
    issue(user, ONE)
    answer = open_with(stranger, ticket)
    assert (answer.status_code, answer.json()["code"]) in {(401, "unauthenticated"), (400, "invalid")}


def test_a_token_goes_before_a_ticket_and_leaves_it_unused(api: APIClient, stranger: APIClient, user: User) -> None:
    ticket = issue(user, ONE)
    assert open_with(api, ticket).status_code == 200
    assert open_with(stranger, ticket).status_code == 200


def test_nobody_comes_in_without_either(stranger: APIClient, user: User) -> None:
    assert stranger.get(ONE).status_code == 401


@pytest.mark.parametrize("state", [{"is_active": False}, {}])
def test_it_dies_with_its_owners_account(stranger: APIClient, user: User, state: dict[str, bool]) -> None:
    ticket = issue(user, ONE)
    if state:
        User.objects.filter(pk=user.pk).update(**state)
    else:
        ask_erasure(user)
    assert open_with(stranger, ticket).status_code == 401


@pytest.fixture
def _no_redis(settings: Any) -> Iterator[None]:
    before, settings.REDIS_URL = settings.REDIS_URL, "redis://127.0.0.1:9/0"
    yield
    settings.REDIS_URL = before


@pytest.mark.usefixtures("_no_redis")
def test_without_redis_none_is_issued_and_none_is_taken(stranger: APIClient, user: User) -> None:
    with pytest.raises(Unavailable):
        issue(user, ONE)
    answer = open_with(stranger, "made-up")
    assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
    assert int(answer["Retry-After"]) >= 1


@pytest.mark.django_db(transaction=True, serialized_rollback=True)
def test_of_many_who_come_at_once_one_comes_in(user: User) -> None:
    ticket, gate = issue(user, ONE), threading.Barrier(8)

    def come() -> int:
        gate.wait()
        try:
            return int(open_with(APIClient(raise_request_exception=False), ticket).status_code)
        finally:
            connection.close()

    with ThreadPoolExecutor(8) as threads:
        answers = [each.result() for each in [threads.submit(come) for _ in range(8)]]
    assert sorted(answers) == [200, *[401] * 7]
