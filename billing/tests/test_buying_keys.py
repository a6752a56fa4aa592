"""An Idempotency-Key of a verb that asks a provider: taken first, answered afterwards, and taken over from the dead."""

from datetime import timedelta

import pytest
from django.utils import timezone

from accounts.models import IdempotentAnswer
from billing.tests.buying import plan_id

pytestmark = pytest.mark.django_db


@pytest.fixture
def subscribe(api, either):
    def ask(slug="pro"):
        body = {"plan_id": plan_id(slug), "provider": either.name}
        return api.post("/api/billing/subscribe/", body, format="json", headers={"Idempotency-Key": "mine"})

    return ask


def test_a_key_that_is_held_is_waited_for(subscribe, either):
    subscribe()
    IdempotentAnswer.objects.update(status=None, body=None)
    waits = subscribe()
    assert (waits.status_code, waits.json()["code"], waits["Retry-After"]) == (409, "idempotency_in_progress", "1")
    assert subscribe("agency").json()["code"] == "idempotency_key_reused"


def test_a_key_whose_holder_died_is_taken_over(subscribe, either):
    first = subscribe()
    IdempotentAnswer.objects.update(status=None, body=None, created_at=timezone.now() - timedelta(minutes=3))
    second = subscribe()
    assert (second.status_code, second.json()) == (201, first.json())
    assert "Idempotent-Replay" not in second
    assert subscribe()["Idempotent-Replay"] == "true"


def test_a_failure_leaves_no_key_behind(subscribe, either):
    either.fail("open", status=500)
    assert subscribe().status_code == 503
    assert not IdempotentAnswer.objects.exists()
    assert subscribe().status_code == 201
