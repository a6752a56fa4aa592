"""Idempotency-Key, through a real view, with real threads and real transactions."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection, transaction
from django.http import HttpResponse
from django.urls import path
from drf_spectacular.generators import SchemaGenerator
from pytest_django import Settings
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.test import APIClient
from rest_framework.views import APIView

from accounts.idempotency import forget_expired_answers, idempotent
from accounts.models import IdempotentAnswer, UsageEntry, User
from core.errors import Forbidden


class Spend(APIView):
    """A command with an effect that can be counted."""

    @idempotent
    def post(self, request: Request, name: str) -> Response | HttpResponse:
        effect = spend(request.user, name)
        if wait := request.data.get("wait"):
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_sleep(%s)", [wait])
        return self.end(request.data.get("end"), effect)

    def end(self, end: str | None, effect: UsageEntry) -> Response | HttpResponse:
        if end == "problem":
            raise Forbidden
        if end == "bug":
            raise RuntimeError("A bug of ours.")
        if end == "refusal":
            return Response({"error": "no"}, status=409)
        if end == "page":
            return HttpResponse("<p>done</p>")
        if end == "empty":
            return Response(status=204)
        return Response({"zeta": effect.pk, "alpha": effect.created_at, "price": 1.50}, status=201)

    @idempotent
    def put(self, request: Request, name: str) -> Response:
        return Response({"effect": spend(request.user, name).pk})


urlpatterns = [path("spend/<str:name>/", Spend.as_view())]
pytestmark = [pytest.mark.django_db, pytest.mark.urls(__name__)]


def spend(user: Any, name: str) -> UsageEntry:
    return UsageEntry.objects.create(
        user=user, day=datetime.now(UTC).date(), platform=name, kind="url_lookups", source=f"test:{uuid4()}", amount=1
    )


def someone() -> User:
    return User.objects.create_user(f"{uuid4()}@example.com")


def client_of(user: User) -> APIClient:
    client = APIClient(raise_request_exception=False)
    client.force_authenticate(user)
    return client


def send(
    client: APIClient, body: dict[str, Any] | None = None, *, key: str | None = "k1", to: str = "/spend/x/"
) -> Any:
    headers = {} if key is None else {"Idempotency-Key": key}
    return client.post(to, body or {}, format="json", headers=headers)


@pytest.fixture
def user() -> User:
    return someone()


@pytest.fixture
def client(user: User) -> APIClient:
    return client_of(user)


def test_it_gives_the_same_bytes_again_and_says_so(client: APIClient) -> None:
    first, second = send(client), send(client)
    assert (first.status_code, second.status_code) == (201, 201)
    assert first.content == second.content
    assert first["Content-Type"] == second["Content-Type"] == "application/json"
    assert "Idempotent-Replay" not in first
    assert second["Idempotent-Replay"] == "true"
    assert UsageEntry.objects.count() == 1


def test_it_gives_an_empty_answer_again(client: APIClient) -> None:
    first, second = send(client, {"end": "empty"}), send(client, {"end": "empty"})
    assert (first.status_code, second.status_code, second.content) == (204, 204, b"")
    assert first.headers.get("Content-Type") == second.headers.get("Content-Type")


def test_it_does_every_request_without_a_key(client: APIClient) -> None:
    assert send(client, key=None).content != send(client, key=None).content
    assert not IdempotentAnswer.objects.exists()


@pytest.mark.parametrize(("body", "to"), [({"other": 1}, "/spend/x/"), ({}, "/spend/y/"), ({}, "/spend/x/?dry=1")])
def test_it_refuses_a_key_that_meant_something_else(client: APIClient, body: dict[str, Any], to: str) -> None:
    send(client)
    answer = send(client, body, to=to)
    assert (answer.status_code, answer.json()["code"]) == (409, "idempotency_key_reused")
    assert UsageEntry.objects.count() == 1


def test_it_tells_two_methods_of_one_address_apart(client: APIClient) -> None:
    send(client)
    answer = client.put("/spend/x/", {}, format="json", headers={"Idempotency-Key": "k1"})
    assert answer.json()["code"] == "idempotency_key_reused"


def test_it_keeps_the_keys_of_two_users_apart(client: APIClient) -> None:
    first, theirs = send(client), send(client_of(someone()))
    assert "Idempotent-Replay" not in theirs
    assert first.content != theirs.content


@pytest.mark.parametrize("key", ["", " ", "two words", "a" * 256, "schlüssel", "a\tb", "\x7f"])
def test_it_refuses_a_key_that_is_not_1_to_255_visible_ascii_characters(client: APIClient, key: str) -> None:
    answer = send(client, key=key)
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid")
    assert not UsageEntry.objects.exists()


@pytest.mark.parametrize("key", ["a" * 255, "!", "~", '"8e03978e-40d5-43dd-bc93-6894a57f9324"', "';DROP"])
def test_it_takes_any_other_key(client: APIClient, key: str) -> None:
    assert send(client, key=key).status_code == 201
    assert send(client, key=key)["Idempotent-Replay"] == "true"


@pytest.mark.parametrize(("end", "status"), [("problem", 403), ("bug", 500), ("refusal", 409), ("page", 500)])
def test_it_keeps_nothing_of_an_error_so_that_it_can_be_tried_again(client: APIClient, end: str, status: int) -> None:
    for _ in range(2):
        answer = send(client, {"end": end})
        assert answer.status_code == status
        assert "Idempotent-Replay" not in answer
        assert not UsageEntry.objects.exists()
    assert not IdempotentAnswer.objects.exists()
    assert send(client, {"now": "it works"}).status_code == 201


def test_it_refuses_a_broken_body_as_it_does_without_a_key(client: APIClient) -> None:
    broken = {"data": "{", "content_type": "application/json", "headers": {"Idempotency-Key": "k1"}}
    assert client.post("/spend/x/", **broken).status_code == 400
    assert send(client).status_code == 201


def test_it_lets_an_expired_key_be_used_for_something_else(client: APIClient, settings: Settings) -> None:
    first = send(client)
    IdempotentAnswer.objects.update(created_at=hours_ago(settings.IDEMPOTENCY_HOURS + 1))
    second = send(client, {"other": 1})
    assert second.status_code == 201
    assert "Idempotent-Replay" not in second
    assert first.content != second.content
    assert send(client, {"other": 1})["Idempotent-Replay"] == "true"
    assert IdempotentAnswer.objects.count() == 1


def test_it_keeps_an_expired_answer_when_the_new_command_fails(client: APIClient, settings: Settings) -> None:
    send(client)
    IdempotentAnswer.objects.update(created_at=hours_ago(settings.IDEMPOTENCY_HOURS + 1))
    kept = IdempotentAnswer.objects.get()
    assert send(client, {"end": "problem"}).status_code == 403
    assert IdempotentAnswer.objects.get().pk == kept.pk
    assert IdempotentAnswer.objects.get().body == kept.body


def test_it_forgets_only_what_has_expired_in_batches(user: User, settings: Settings) -> None:
    rows = [IdempotentAnswer(user=user, key=str(n), fingerprint="f", status=200, body="{}") for n in range(2502)]
    IdempotentAnswer.objects.bulk_create(rows)
    IdempotentAnswer.objects.exclude(key="7").update(created_at=hours_ago(settings.IDEMPOTENCY_HOURS + 1))
    assert forget_expired_answers() == 2501
    assert IdempotentAnswer.objects.get().key == "7"
    assert forget_expired_answers() == 0


def test_it_stops_waiting_for_a_first_request_that_does_not_end(client: APIClient, user: User) -> None:
    other = connection.copy()
    try:
        with transaction.atomic():
            other.set_autocommit(False)
            with other.cursor() as cursor:
                cursor.execute(
                    "INSERT INTO accounts_idempotentanswer (id, created_at, user_id, key, fingerprint) "
                    "VALUES (gen_random_uuid(), now(), %s, 'k1', 'f')",
                    [user.pk],
                )
            answer = send(client)
    finally:
        other.rollback()
        other.close()
    assert (answer.status_code, answer.json()["code"]) == (409, "idempotency_in_progress")
    assert int(answer["Retry-After"]) >= 1
    assert send(client).status_code == 201


def test_it_is_described_in_the_schema() -> None:
    operation = SchemaGenerator(patterns=urlpatterns).get_schema(public=True)["paths"]["/spend/{name}/"]["post"]
    header = next(each for each in operation["parameters"] if each["in"] == "header")
    assert header["name"] == "Idempotency-Key"
    assert header["schema"] == {"type": "string", "pattern": "^[!-~]{1,255}$"}
    assert not header.get("required")
    assert "Idempotent-Replay" in operation["responses"]["200"]["headers"]
    assert "409" in operation["responses"]


@pytest.mark.django_db(transaction=True, serialized_rollback=True)
@pytest.mark.parametrize("known", ["new", "expired"])
def test_it_takes_effect_once_when_20_identical_requests_arrive_together(user: User, known: str) -> None:
    if known == "expired":
        IdempotentAnswer.objects.create(user=user, key="k1", fingerprint="f", status=200, body="{}")
        IdempotentAnswer.objects.update(created_at=hours_ago(1000))

    answers = together(20, lambda: send(client_of(user), {"wait": 0.2}))

    assert [answer.status_code for answer in answers] == [201] * 20
    assert len({answer.content for answer in answers}) == 1
    assert sum(answer.get("Idempotent-Replay") == "true" for answer in answers) == 19
    assert UsageEntry.objects.count() == 1
    assert IdempotentAnswer.objects.count() == 1


@pytest.mark.django_db(transaction=True, serialized_rollback=True)
def test_it_hands_the_key_on_when_the_first_of_many_fails(user: User) -> None:
    answers = together(8, lambda: send(client_of(user), {"wait": 0.05, "end": "problem"}))
    assert [answer.status_code for answer in answers] == [403] * 8
    assert not UsageEntry.objects.exists()
    assert not IdempotentAnswer.objects.exists()


def together(count: int, ask: Any) -> list[Any]:
    def ask_and_let_go() -> Any:
        try:
            return ask()
        finally:
            connection.close()

    with ThreadPoolExecutor(count) as pool:
        return [future.result() for future in [pool.submit(ask_and_let_go) for _ in range(count)]]


def hours_ago(hours: int) -> datetime:
    return datetime.now(UTC) - timedelta(hours=hours)
