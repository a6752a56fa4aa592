"""Webhooks go a shorter way, and yet have an id, a record and an answer as everything else."""

import json
from dataclasses import dataclass
from typing import Any

import pytest
from django.db import connection
from django.test import RequestFactory
from django.urls import resolve

from analytics.middleware import SPOOL
from billing.models import BillingEvent
from billing.tests.senders import SENDERS
from config.serving import WEBHOOKS, Plain

pytestmark = pytest.mark.django_db


@dataclass(frozen=True)
class Answer:
    """What a server would send."""

    status: str
    headers: dict[str, str]
    content: bytes


@pytest.fixture(scope="module")
def application():
    return Plain()


@pytest.fixture
def ask(application):
    def send(method: str, path: str, body: bytes = b"{}", **headers: str) -> Answer:
        request = RequestFactory(headers=headers).generic(method, path, body, content_type="application/json")
        said: list[Any] = []
        parts = application(request.environ, lambda *start: said.extend(start))
        return Answer(said[0], dict(said[1]), b"".join(parts))

    return send


@pytest.fixture
def written(settings, tmp_path):
    """The access log's rows, as text."""
    settings.SPOOL_DIR = tmp_path / "spool"
    SPOOL.close()
    yield lambda: "".join(path.read_bytes().decode() for path in settings.SPOOL_DIR.glob("*.rows"))
    SPOOL.close()


@pytest.mark.parametrize("path", sorted(WEBHOOKS))
def test_every_address_on_the_short_way_is_one_of_the_api(path):
    assert resolve(path).route == path.strip("/") + "/"


@pytest.mark.parametrize("name", sorted(SENDERS))
def test_a_delivery_is_stored_and_answered_with_nothing(name, ask, settings):
    sender = SENDERS[name]()
    for setting, value in sender.settings.items():
        setattr(settings, setting, value)
    body = sender.event()
    answer = ask("POST", f"/api/billing/webhook/{name}/", body, **sender.sign(body))
    assert (answer.status, answer.content) == ("200 OK", b"")
    assert bytes(BillingEvent.objects.get().body) == body


@pytest.mark.parametrize("path", sorted(WEBHOOKS))
def test_a_webhook_has_an_id_and_a_row_in_the_record(path, written, ask):
    answer = ask("POST", path)
    assert answer.status == "401 Unauthorized"
    # The app's own log may have a line about it as well.
    request_id = answer.headers["X-Request-ID"]
    [row] = [line for line in written().splitlines() if request_id in line and path.strip("/") in line]
    assert "webhook_forged" in row
    assert answer.headers["Content-Length"] == str(len(answer.content))


def test_what_fails_there_is_answered_in_the_one_shape(settings, ask):
    settings.STRIPE_SECRET_KEY, settings.STRIPE_WEBHOOK_SECRET = "sk_test_1", 7
    answer = ask("POST", "/api/billing/webhook/stripe/")
    told = json.loads(answer.content)
    assert (answer.status, told["code"]) == ("500 Internal Server Error", "internal")
    assert told["request_id"] == answer.headers["X-Request-ID"]


@pytest.mark.django_db(transaction=True, serialized_rollback=True)
@pytest.mark.parametrize("path", sorted(WEBHOOKS))
def test_no_connection_is_kept_after_the_answer(path, ask):
    ask("POST", path)
    assert connection.connection is None


@pytest.mark.parametrize("method", ["GET", "OPTIONS", "PUT"])
def test_what_is_no_delivery_goes_the_whole_way(method, ask):
    answer = ask(method, "/api/billing/webhook/dodo/")
    assert answer.status == ("200 OK" if method == "OPTIONS" else "405 Method Not Allowed")
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


def test_all_else_goes_the_whole_way(ask):
    assert ask("GET", "/api/accounts/plans/").headers["X-Content-Type-Options"] == "nosniff"
