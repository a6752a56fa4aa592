"""Whatever Dodo answers, and whatever it does not, ends in one of our own errors or in what our contract promises."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as examples
from hypothesis import strategies as st
from pytest_django import Settings

from billing.providers.contract import Card, Charged, Checkout, CheckoutState, Disputed, Preview, Refunded, Subscribed
from billing.providers.dodo import Dodo
from billing.tests.dodo_shop import led_to, offered, paid, sold
from core import calls
from core.errors import (
    Problem,
    VendorAnswerInvalid,
    VendorAnswerTooLarge,
    VendorBusy,
    VendorProblem,
    VendorRefused,
    VendorTimeout,
    VendorUnavailable,
)
from sandbox.dodo import DodoSandbox

# Each verb of the contract, and the operation that answers it.
VERBS: dict[str, tuple[str, Callable[[DodoSandbox, str], Any]]] = {
    "open_checkout": ("checkouts.create", lambda dodo, sub: offered(dodo)),
    "checkout_state": ("checkouts.retrieve", lambda dodo, sub: Dodo().checkout_state("cks_1")),
    "change_plan": (
        "subscriptions.change_plan",
        lambda dodo, sub: Dodo().change_plan(sub, product_id=dodo.add_product(1), at_period_end=False, once="a"),
    ),
    "preview_change": (
        "subscriptions.preview",
        lambda dodo, sub: Dodo().preview_change(sub, product_id=dodo.add_product(1)),
    ),
    "undo_scheduled_change": ("subscriptions.unschedule", lambda dodo, sub: Dodo().undo_scheduled_change(sub)),
    "cancel": ("subscriptions.update", lambda dodo, sub: Dodo().cancel(sub, now=False)),
    "resume": ("subscriptions.update", lambda dodo, sub: Dodo().resume(sub)),
    "refund": ("refunds.create", lambda dodo, sub: Dodo().refund(paid(dodo), amount=None, reason="", once="a")),
    "portal": ("customers.portal", lambda dodo, sub: Dodo().portal("cus_1", return_url="https://app.test/")),
    "update_card": (
        "subscriptions.card",
        lambda dodo, sub: Dodo().update_card(sub, customer_id="cus_1", return_url="https://app.test/"),
    ),
    "cards": ("customers.cards", lambda dodo, sub: Dodo().cards("cus_1")),
    "invoice_pdf": ("invoices.retrieve", lambda dodo, sub: Dodo().invoice_pdf(paid(dodo), "inv_1")),
    "subscription": ("subscriptions.retrieve", lambda dodo, sub: Dodo().subscription(sub)),
    "payment": ("payments.retrieve", lambda dodo, sub: Dodo().payment(paid(dodo))),
    "payments": ("payments.list", lambda dodo, sub: list(Dodo().payments(sub))),
    "refund_state": ("refunds.retrieve", lambda dodo, sub: Dodo().refund_state("ref_1")),
    "dispute": ("disputes.retrieve", lambda dodo, sub: Dodo().dispute("dp_1")),
}
# These ask for nothing but that it was done.
SILENT = {"undo_scheduled_change", "cancel", "resume"}
WRITES = ("portal", "refund", "open_checkout", "cancel", "change_plan")
every_verb = pytest.mark.parametrize("verb", VERBS)


@pytest.fixture
def dodo(settings: Settings) -> Iterator[DodoSandbox]:
    with led_to(settings) as sandbox:
        yield sandbox


def refused(code: str = "INVALID_REQUEST_BODY") -> dict[str, str]:
    return {"code": code, "message": "No: ana@example.com"}


@every_verb
def test_a_key_that_is_not_taken_is_a_refusal(dodo, settings, verb):
    subscription_id = sold(dodo)
    settings.DODO_API_KEY = "dodo_test_another"
    with pytest.raises(VendorRefused) as caught:
        VERBS[verb][1](dodo, subscription_id)
    assert caught.value.details == {"status": 401, "code": "UNAUTHORIZED"}


@every_verb
def test_a_refusal_tells_its_code_and_no_words(dodo, verb):
    operation, ask = VERBS[verb]
    subscription_id = sold(dodo)
    dodo.fail(operation, status=422, body=refused())
    with pytest.raises(VendorRefused) as caught:
        ask(dodo, subscription_id)
    assert caught.value.details == {"status": 422, "code": "INVALID_REQUEST_BODY"}
    assert caught.value.retryable is False
    assert dodo.count(operation) == 1


@every_verb
@pytest.mark.parametrize("body", [b"<html>", b"", b"[]", b"null", b"7", b'"text"', b"{}", b'{"items": 7}', b"\xff\xfe"])
def test_an_answer_that_is_none_cannot_be_read(dodo, verb, body):
    operation, ask = VERBS[verb]
    subscription_id = sold(dodo)
    dodo.fail(operation, status=200, body=body)
    if verb in SILENT:
        ask(dodo, subscription_id)
        return
    with pytest.raises(VendorAnswerInvalid):
        ask(dodo, subscription_id)


@pytest.mark.parametrize("verb", WRITES)
@pytest.mark.parametrize(
    ("fault", "problem"),
    [
        ({"status": 400, "body": refused()}, VendorRefused),
        ({"status": 403, "body": refused("FORBIDDEN")}, VendorRefused),
        ({"status": 404, "body": b"<html>Not here</html>"}, VendorRefused),
        ({"status": 405}, VendorRefused),
        ({"status": 408}, VendorTimeout),
        ({"status": 409, "body": refused("CHECKOUT_SESSION_CONSUMED")}, VendorRefused),
        ({"status": 429, "body": refused("TOO_MANY_REQUESTS"), "headers": {"Retry-After": "7"}}, VendorBusy),
        ({"status": 500, "body": refused("INTERNAL_SERVER_ERROR")}, VendorUnavailable),
        ({"status": 501}, VendorUnavailable),
        ({"status": 502}, VendorUnavailable),
        ({"status": 503}, VendorUnavailable),
        ({"status": 504}, VendorUnavailable),
        ({"status": 302, "headers": {"Location": "https://elsewhere.test/"}}, VendorAnswerInvalid),
        ({"status": 304}, VendorAnswerInvalid),
        ({"drop": True}, VendorUnavailable),
        ({"reset": True}, VendorUnavailable),
        ({"truncate": 5}, VendorUnavailable),
        ({"status": 200, "headers": {"Content-Encoding": "gzip"}}, VendorAnswerInvalid),
    ],
)
def test_each_way_to_fail_is_one_of_ours(dodo, verb, fault, problem):
    operation, ask = VERBS[verb]
    subscription_id = sold(dodo)
    dodo.fail(operation, times=-1, **fault)
    with calls.heard() as heard, pytest.raises(VendorProblem) as caught:
        ask(dodo, subscription_id)
    assert type(caught.value) is problem
    assert caught.value.retry_after == (7.0 if problem is VendorBusy else None)
    assert dodo.count(operation) == 1
    assert heard


def test_reading_is_tried_again(dodo):
    subscription_id = sold(dodo)
    dodo.fail("subscriptions.retrieve", status=503, times=2)
    assert Dodo().subscription(subscription_id).id == subscription_id
    assert dodo.count("subscriptions.retrieve") == 3


def test_nobody_there_is_unavailable(dodo):
    subscription_id = sold(dodo)
    dodo.stop()
    with pytest.raises(VendorUnavailable):
        Dodo().portal(subscription_id, return_url="https://app.test/")


def test_silence_is_a_timeout(dodo, settings):
    subscription_id = sold(dodo)
    settings.DODO_SECONDS = 0.3
    for operation in ("customers.portal", "subscriptions.retrieve"):
        dodo.fail(operation, delay=5, times=-1)
    for ask in (lambda: Dodo().portal("cus_1", return_url=""), lambda: Dodo().subscription(subscription_id)):
        with pytest.raises(VendorTimeout):
            ask()


def test_an_answer_without_end_is_too_large(dodo):
    dodo.fail("invoices.retrieve", status=200, body=b"%PDF-" + b"x" * 11_000_000)
    with pytest.raises(VendorAnswerTooLarge):
        Dodo().invoice_pdf("pay_1", "inv_1")


def test_an_invoice_that_is_a_page_is_none(dodo):
    dodo.fail("invoices.retrieve", status=200, body=b"<html>Sign in</html>")
    with pytest.raises(VendorAnswerInvalid):
        Dodo().invoice_pdf("pay_1", "inv_1")


def test_a_list_that_repeats_itself_comes_to_an_end(dodo):
    sold(dodo)
    dodo.fail("payments.list", status=200, body={"items": [{"payment_id": paid(dodo)}]}, times=-1)
    assert len(list(Dodo().payments("sub_1"))) == 1


@pytest.mark.parametrize("url", ["javascript:alert(1)", "", None, 7, "//elsewhere.test"])
def test_a_page_has_an_address_of_the_web(dodo, url):
    dodo.fail("checkouts.create", status=200, body={"session_id": "cks_1", "checkout_url": url})
    with pytest.raises(VendorAnswerInvalid):
        offered(dodo)


def test_any_answer_to_any_verb_is_ours(dodo):
    subscription_id = sold(dodo)
    shapes = (Card, Charged, Checkout, CheckoutState, Disputed, Preview, Refunded, Subscribed, str, bytes, list)
    leaves: st.SearchStrategy[Any] = (
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=30) | st.just([])
    )
    bodies = st.recursive(
        leaves,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(FIELDS), inner, max_size=5),
        max_leaves=8,
    )

    @given(st.sampled_from(sorted(VERBS)), bodies)
    @examples(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    def check(verb: str, body: object) -> None:
        operation, ask = VERBS[verb]
        dodo.reset()
        dodo.fail(operation, status=200, body=json.dumps(body).encode())
        try:
            found = ask(dodo, subscription_id)
        except Problem:
            return
        assert found is None or isinstance(found, shapes)

    check()


FIELDS = [
    "items", "session_id", "checkout_url", "link", "payment_link", "immediate_charge", "summary", "total_amount",
    "customer_credits", "currency", "customer", "customer_id", "status", "subscription_id", "payment_id", "refund_id",
    "payment_method_id", "card", "last_used_at", "code", "id", "payment_status",
]  # fmt: skip
