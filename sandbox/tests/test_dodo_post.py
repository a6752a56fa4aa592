"""The sandbox's Dodo signs what it tells, tells it in any order, and tells of the present."""

import importlib
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from dodopayments.types import WebhookDetails
from standardwebhooks import Webhook

from sandbox.dodo import DodoSandbox
from sandbox.tests.dodo_shop import Receiver, bought, checkout


@pytest.fixture
def dodo() -> Iterator[DodoSandbox]:
    with DodoSandbox() as sandbox:
        yield sandbox


@pytest.fixture
def api(dodo: DodoSandbox) -> Iterator[httpx.Client]:
    headers = {"authorization": f"Bearer {dodo.key}"}
    with httpx.Client(base_url=dodo.url, headers=headers, timeout=5, trust_env=False) as client:
        yield client


def test_its_webhooks_are_signed_as_the_standard_says(dodo, api):
    bought(dodo, api)
    dodo.post.rotate()
    dodo.books.dispute(dodo.books.charges[0].payment_id)
    [delivery] = dodo.post.deliveries
    body, headers = dodo.post.envelope(delivery)
    assert len(headers["webhook-signature"].split(" ")) == 2
    for secret in dodo.post.secrets:
        event = Webhook(secret).verify(body, headers)
        assert (event["type"], event["data"]["payload_type"], event["data"]["amount"]) == (
            "dispute.opened",
            "Dispute",
            "2900",
        )


def test_every_event_it_tells_the_sdk_can_read_strictly(dodo, api):
    subscription_id = bought(dodo, api)
    dodo.force_renewal(subscription_id)
    api.post("/refunds", json={"payment_id": dodo.books.charges[0].payment_id})
    dodo.books.settle_dispute(dodo.books.dispute(dodo.books.charges[1].payment_id)["dispute_id"], "won")
    types: Any = importlib.import_module("dodopayments.types")
    for delivery in dodo.post.take():
        name = "".join(part.capitalize() for part in delivery.kind.replace(".", "_").split("_"))
        getattr(types, f"{name}WebhookEvent").model_validate_json(dodo.post.envelope(delivery)[0])


def test_a_late_delivery_tells_of_the_present(dodo, api):
    dodo.pay(checkout(dodo, api)["session_id"])
    active = next(each for each in dodo.post.deliveries if each.kind == "subscription.active")
    before = dodo.post.envelope(active)[0]
    api.patch(f"/subscriptions/{active.thing_id}", json={"status": "cancelled"})
    after = dodo.post.envelope(active)[0]
    assert b'"status": "active"' in before
    assert b'"status": "cancelled"' in after
    assert b"subscription.active" in after


def test_it_sends_to_an_address_until_it_is_taken(dodo, api):
    with Receiver(refusals=1) as receiver:
        dodo.post.webhook_url, dodo.post.pauses = receiver.url, (0.01, 0.01)
        dodo.pay(checkout(dodo, api)["session_id"])
        dodo.post.settle()
        assert sorted(set(receiver.ids)) == sorted(each.id for each in dodo.post.deliveries)
        assert len(receiver.ids) == 1 + len(dodo.post.deliveries)


def test_it_delivers_what_waits_in_any_order_and_again(dodo, api):
    dodo.pay(checkout(dodo, api)["session_id"])
    waiting = dodo.post.take()
    with Receiver() as receiver:
        assert dodo.post.deliver(receiver.url, [*waiting, *waiting], shuffled=True) == [200] * 8
        assert sorted(receiver.ids) == sorted(each.id for each in [*waiting, *waiting])
    assert dodo.post.deliver(receiver.url, waiting[:1]) == [0]


def test_an_address_for_webhooks_is_given_over_the_api(dodo, api):
    with Receiver() as receiver:
        WebhookDetails.model_validate(api.post("/webhooks", json={"url": receiver.url}).json())
        dodo.pay(checkout(dodo, api)["session_id"])
        dodo.post.settle()
        assert len(receiver.ids) == len(dodo.post.deliveries) == 4
    assert api.get("/webhooks/ep_1/secret").json() == {"secret": dodo.post.secrets[0]}


def test_another_process_says_where_to_send_and_reads_what_was_taken(dodo, api):
    with Receiver() as receiver:
        api.post("/_control/webhook", json={"url": receiver.url})
        subscription_id = bought(dodo, api)
        dodo.post.settle()
        assert len(receiver.ids) == 4
    [charge] = api.get("/_control/charges").json()["charges"]
    assert (charge["subscription_id"], charge["amount"], charge["why"]) == (subscription_id, 2900, "new")
