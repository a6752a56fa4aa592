"""Webhooks go a shorter way, and yet have an id, a record and an answer as everything else."""

import pytest
from django.test import Client
from django.urls import resolve

from analytics.middleware import SPOOL
from config.middleware import WEBHOOKS

pytestmark = pytest.mark.django_db


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


@pytest.mark.parametrize("path", sorted(WEBHOOKS))
def test_a_webhook_has_an_id_and_a_row_in_the_record(path, written):
    answer = Client().post(path, b"{}", content_type="application/json")
    assert answer.status_code == 401
    # The app's own log may have a line about it as well.
    [row] = [line for line in written().splitlines() if answer["X-Request-ID"] in line and path.strip("/") in line]
    assert "webhook_forged" in row
    assert answer["Content-Length"] == str(len(answer.content))


def test_what_fails_there_is_answered_in_the_one_shape(settings):
    settings.STRIPE_SECRET_KEY, settings.STRIPE_WEBHOOK_SECRET = "sk_test_1", 7
    client = Client(raise_request_exception=False)
    answer = client.post("/api/billing/webhook/stripe/", b"{}", content_type="application/json")
    assert (answer.status_code, answer.json()["code"]) == (500, "internal")
    assert answer.json()["request_id"] == answer["X-Request-ID"]


@pytest.mark.parametrize("method", ["GET", "OPTIONS", "PUT"])
def test_what_is_no_delivery_goes_the_whole_way(client, method):
    answer = client.generic(method, "/api/billing/webhook/dodo/", b"{}", content_type="application/json")
    assert answer.status_code == (200 if method == "OPTIONS" else 405)
    assert answer["X-Content-Type-Options"] == "nosniff"


def test_all_else_goes_the_whole_way(client):
    assert client.get("/api/accounts/plans/")["X-Content-Type-Options"] == "nosniff"
