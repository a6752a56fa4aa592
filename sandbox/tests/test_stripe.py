"""The sandbox's Stripe keeps to the protocol it stands for, with each of its ways."""

import hashlib
import hmac
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import httpx
import pytest

from sandbox.stripe import StripeSandbox
from sandbox.stripe_wire import fields_of

VERSION = {"Stripe-Version": "2026-10-28.endive"}
SESSION = {
    "mode": "subscription",
    "line_items[0][price]": "price_pro",
    "line_items[0][quantity]": "1",
    "success_url": "https://app.test/ok?s={CHECKOUT_SESSION_ID}",
    "cancel_url": "https://app.test/no",
    "customer_email": "<ana>@example.com",
    "subscription_data[metadata][ours]": "1",
}


@pytest.fixture
def stripe() -> Iterator[StripeSandbox]:
    with StripeSandbox(invents=False) as sandbox:
        sandbox.books.add_price("price_pro", 2900)
        sandbox.books.add_price("price_basic", 900)
        yield sandbox


@pytest.fixture
def client(stripe: StripeSandbox) -> Iterator[httpx.Client]:
    headers = {"Authorization": f"Bearer {stripe.api_key}", **VERSION}
    with httpx.Client(base_url=stripe.url, headers=headers, timeout=5, trust_env=False) as client:
        yield client


def bought(client: httpx.Client) -> dict[str, Any]:
    session = client.post("/v1/checkout/sessions", data=SESSION).json()
    client.post(session["url"], data={"action": "pay"})
    done = client.get(f"/v1/checkout/sessions/{session['id']}").json()
    found: dict[str, Any] = client.get(f"/v1/subscriptions/{done['subscription']}").json()
    return found


def code(answer: httpx.Response) -> tuple[int, str | None]:
    return answer.status_code, answer.json()["error"].get("code")


def test_it_reads_forms_with_brackets():
    read = fields_of("items[0][price]=p&items[1][price]=q&expand[]=a&expand[]=b&metadata[x]=&on=true&list[0]=c")
    items = [{"price": "p"}, {"price": "q"}]
    assert read == {"items": items, "expand": ["a", "b"], "metadata": {"x": ""}, "on": "true", "list": ["c"]}


def test_it_asks_for_the_key_and_for_its_own_version(stripe, client):
    for headers, status in [({"Authorization": "Bearer other"}, 401), ({"Stripe-Version": "2024-06-20"}, 400)]:
        answer = client.get("/v1/invoices", headers=headers)
        assert (answer.status_code, answer.json()["error"]["type"]) == (status, "invalid_request_error")


def test_it_shows_objects_in_their_present_shapes(client):
    subscription = bought(client)
    assert "current_period_end" not in subscription
    assert subscription["items"]["data"][0]["current_period_end"] > subscription["created"]
    invoice = client.get(f"/v1/invoices/{subscription['latest_invoice']}").json()
    assert {"subscription", "payment_intent", "charge", "paid", "payments", "tax"} & invoice.keys() == set()
    details = invoice["parent"]["subscription_details"]
    assert details == {"subscription": subscription["id"], "metadata": {"ours": "1"}}


def test_it_expands_what_it_is_asked_to_but_not_too_deep(client):
    name = bought(client)["latest_invoice"]
    deep = {"expand[]": "payments.data.payment.payment_intent"}
    intent = client.get(f"/v1/invoices/{name}", params=deep).json()["payments"]["data"][0]["payment"]["payment_intent"]
    assert (intent["status"], intent["amount"]) == ("succeeded", 2900)
    assert "invoice" not in intent
    deeper = {"expand[]": "data.payments.data.payment.payment_intent"}
    assert code(client.get("/v1/invoices", params=deeper)) == (400, "property_expansion_max_depth")


def test_it_knows_what_it_does_not_know(client):
    assert code(client.get("/v1/invoices/in_other")) == (404, "resource_missing")
    assert code(client.get("/v1/elsewhere")) == (404, None)
    assert code(client.post("/v1/refunds", data={"payment": "pi_1"})) == (400, "parameter_unknown")
    both = {**SESSION, "customer": "cus_1"}
    assert client.post("/v1/checkout/sessions", data=both).status_code == 400
    assert code(client.post("/v1/checkout/sessions", data={"mode": "subscription"})) == (400, "parameter_missing")


def test_its_page_sells_once_and_escapes(stripe, client):
    session = client.post("/v1/checkout/sessions", data=SESSION).json()
    page = client.get(session["url"])
    assert page.headers["content-type"].startswith("text/html")
    assert "&lt;ana&gt;@example.com" in page.text
    assert client.post(session["url"], data={"action": "cancel"}).headers["location"] == "https://app.test/no"
    assert "declined" in client.post(session["url"], data={"action": "decline"}).text
    first = client.post(session["url"], data={"action": "pay"})
    assert first.headers["location"] == f"https://app.test/ok?s={session['id']}"
    assert client.post(session["url"], data={"action": "pay"}).status_code == 200
    assert len(stripe.books.charges()) == 1
    assert "expired" in client.get("/c/pay/cs_other").text


def test_a_key_replays_its_first_answer_and_nothing_else(stripe, client):
    key = {"Idempotency-Key": "k1"}
    first = client.post("/v1/checkout/sessions", data=SESSION, headers=key)
    again = client.post("/v1/checkout/sessions", data=SESSION, headers=key)
    assert first.json() == again.json()
    assert (again.headers["idempotent-replayed"], stripe.keys.replays) == ("true", 1)
    other = client.post("/v1/checkout/sessions", data={**SESSION, "client_reference_id": "2"}, headers=key)
    assert (other.status_code, other.json()["error"]["type"]) == (400, "idempotency_error")
    long = client.post("/v1/checkout/sessions", data=SESSION, headers={"Idempotency-Key": "k" * 256})
    assert long.json()["error"]["type"] == "idempotency_error"


def test_a_key_keeps_a_declined_card_and_forgets_a_mistake(stripe, client):
    subscription = bought(client)
    path, item = f"/v1/subscriptions/{subscription['id']}", subscription["items"]["data"][0]["id"]
    stripe.books.add_price("price_more", 9900)
    change = {"items[0][id]": item, "items[0][price]": "price_more", "proration_behavior": "always_invoice"}
    change["payment_behavior"] = "error_if_incomplete"
    stripe.books.declines = "lost_card"
    answers = [client.post(path, data=change, headers={"Idempotency-Key": "k1"}) for _ in range(2)]
    assert [code(answer) for answer in answers] == [(402, "card_declined")] * 2
    stripe.books.declines = ""
    assert client.post(path, data=change, headers={"Idempotency-Key": "k1"}).status_code == 402
    refund, key = {"payment_intent": "pi_other"}, {"Idempotency-Key": "k2"}
    assert code(client.post("/v1/refunds", data=refund, headers=key)) == (404, "resource_missing")
    assert code(client.post("/v1/refunds", data=refund, headers=key)) == (404, "resource_missing")
    assert stripe.keys.replays == 2


def test_a_key_that_is_in_use_is_busy(stripe, client):
    stripe.takes = 0.5
    answers: list[httpx.Response] = []

    def ask() -> None:
        answers.append(client.post("/v1/checkout/sessions", data=SESSION, headers={"Idempotency-Key": "k1"}))

    both = [threading.Thread(target=ask) for _ in range(2)]
    for each in both:
        each.start()
    for each in both:
        each.join()
    busy, first = answers
    assert code(busy) == (409, "idempotency_key_in_use")
    assert first.status_code == 200


def test_a_plan_must_be_whole_and_forbids_another_ending(client):
    subscription = bought(client)
    plan = client.post("/v1/subscription_schedules", data={"from_subscription": subscription["id"]}).json()
    again = client.post("/v1/subscription_schedules", data={"from_subscription": subscription["id"]})
    assert again.status_code == 400
    ends = client.post(f"/v1/subscriptions/{subscription['id']}", data={"cancel_at_period_end": "true"})
    assert "managed by the subscription schedule" in ends.json()["error"]["message"]
    phases = {"phases[0][items][0][price]": "price_pro", "phases[0][start_date]": "1", "phases[0][end_date]": "2"}
    wrong = client.post(f"/v1/subscription_schedules/{plan['id']}", data=phases)
    assert "start date of the current phase" in wrong.json()["error"]["message"]
    old = {"phases[0][iterations]": "1", **phases, "phases[0][start_date]": str(plan["phases"][0]["start_date"])}
    assert code(client.post(f"/v1/subscription_schedules/{plan['id']}", data=old)) == (400, "parameter_unknown")
    assert client.post(f"/v1/subscription_schedules/{plan['id']}/release").json()["status"] == "released"
    assert client.post(f"/v1/subscription_schedules/{plan['id']}/release").status_code == 400


def test_only_one_kind_of_ending_at_a_time(client):
    name = bought(client)["id"]
    both = {"cancel_at_period_end": "true", "cancel_at": "2000000000"}
    assert client.post(f"/v1/subscriptions/{name}", data=both).status_code == 400
    assert client.delete(f"/v1/subscriptions/{name}").json()["status"] == "canceled"
    assert code(client.delete(f"/v1/subscriptions/{name}")) == (404, "resource_missing")
    assert client.get("/v1/subscriptions").json()["data"] == []


def test_events_are_queued_in_order_and_signed_at_each_attempt(stripe, client):
    bought(client)
    kinds = [event["type"] for event in stripe.outbox.deliveries]
    assert kinds.index("invoice.paid") < kinds.index("checkout.session.completed")
    [event] = stripe.outbox.of("checkout.session.completed")
    assert not [name for name in event["data"]["object"] if name.endswith("_")]
    body, headers = stripe.outbox.signed(event, at=1_760_000_000)
    wanted = hmac.new(stripe.outbox.secrets[0].encode(), b"1760000000." + body, hashlib.sha256).hexdigest()
    assert headers["Stripe-Signature"].startswith(f"t=1760000000,v1={wanted},v0=")
    assert json.loads(body) == event


def test_an_event_tells_of_what_was(stripe, client):
    subscription = bought(client)
    client.delete(f"/v1/subscriptions/{subscription['id']}")
    [created] = stripe.outbox.of("customer.subscription.created")
    [deleted] = stripe.outbox.of("customer.subscription.deleted")
    assert (created["data"]["object"]["status"], deleted["data"]["object"]["status"]) == ("active", "canceled")


class _Receiver(BaseHTTPRequestHandler):
    """Fails the first time, and keeps what it is told."""

    told: list[str] = []

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        self.told.append(json.loads(body)["type"])
        self.send_response(500 if len(self.told) == 1 else 200)
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing is printed."""


def test_another_process_renews_and_is_told(stripe, client):
    name = bought(client)["id"]
    with HTTPServer(("127.0.0.1", 0), _Receiver) as receiver:
        threading.Thread(target=receiver.serve_forever, args=(0.02,), daemon=True).start()
        client.post("/_control/webhook", json={"url": f"http://127.0.0.1:{receiver.server_port}/"})
        client.post("/_control/renewals", json={"subscription": name, "declines": "expired_card"})
        stripe.outbox.settle()
        receiver.shutdown()
    assert client.get(f"/v1/subscriptions/{name}").json()["status"] == "past_due"
    assert _Receiver.told[:2] == ["invoice.created", "invoice.created"]
    assert "invoice.payment_failed" in _Receiver.told
    assert [charge["amount"] for charge in client.get("/_control/charges").json()["charges"]] == [2900]


def test_a_page_that_nobody_paid_on_expires(stripe, client):
    session = client.post("/v1/checkout/sessions", data=SESSION).json()
    stripe.books.expire(session["id"])
    assert "expired" in client.post(session["url"], data={"action": "pay"}).text
    assert stripe.outbox.of("checkout.session.expired")
    assert stripe.books.charges() == []


def test_a_trial_is_changed_for_nothing(stripe, client):
    session = client.post("/v1/checkout/sessions", data={**SESSION, "subscription_data[trial_period_days]": "7"}).json()
    client.post(session["url"], data={"action": "pay"})
    [subscription] = client.get("/v1/subscriptions").json()["data"]
    item = subscription["items"]["data"][0]["id"]
    change = {"items[0][id]": item, "items[0][price]": "price_basic", "proration_behavior": "always_invoice"}
    assert client.post(f"/v1/subscriptions/{subscription['id']}", data=change).json()["status"] == "trialing"
    assert stripe.books.charges() == []
    stripe.books.renew(subscription["id"])
    assert [charge["amount"] for charge in stripe.books.charges()] == [900]


def test_the_same_card_pays_what_is_left_of_a_credit(stripe, client):
    subscription = bought(client)
    item = subscription["items"]["data"][0]["id"]
    down = {"items[0][id]": item, "items[0][price]": "price_basic", "proration_behavior": "always_invoice"}
    client.post(f"/v1/subscriptions/{subscription['id']}", data=down)
    assert client.get(f"/v1/customers/{subscription['customer']}").json()["balance"] == -2000
    for _ in range(3):
        stripe.books.renew(subscription["id"])
    assert [charge["amount"] for charge in stripe.books.charges()] == [2900, 700]


def test_an_invoice_is_a_pdf_that_needs_no_key(stripe, client):
    invoice = client.get(f"/v1/invoices/{bought(client)['latest_invoice']}").json()
    answer = httpx.get(invoice["invoice_pdf"], trust_env=False)
    assert (answer.headers["content-type"], answer.content[:5]) == ("application/pdf", b"%PDF-")
