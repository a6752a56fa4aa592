"""What Dodo tells is believed where it is signed, and read as a hint at what to look at again."""

import json
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import get_args

import pytest
from dodopayments.types import WebhookEventType
from hypothesis import HealthCheck, given
from hypothesis import settings as examples
from hypothesis import strategies as st
from pytest_django import Settings

from billing.providers.contract import Decision, Hint
from billing.providers.dodo import Dodo
from billing.providers.dodo.events import LONGEST_TYPE
from billing.tests.dodo_shop import led_to, paid, sold
from core.errors import NotConfigured, Problem, TooLarge
from core.webhooks import ForgedWebhook, MalformedWebhook
from sandbox import dodo_cycle as cycle
from sandbox.dodo import DodoSandbox
from sandbox.dodo_post import Delivery, Post, new_secret

EVENTS = get_args(WebhookEventType)
BODY = b'{"business_id": "bus_1", "data": {"payment_id": "pay_1"}, "type": "payment.succeeded"}'
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=20), inner, max_size=4),
    max_leaves=12,
)


@pytest.fixture
def dodo(settings: Settings) -> Iterator[DodoSandbox]:
    with led_to(settings) as sandbox:
        yield sandbox


@pytest.fixture
def post(settings: Settings) -> Post:
    """Who signs as Dodo does, without a Dodo."""
    post = Post(lambda delivery: {})
    settings.DODO_WEBHOOK_SECRET = list(post.secrets)
    return post


def read(post: Post, kind: str, data: object) -> Hint:
    return Dodo().read_webhook(*post.envelope(Delivery(kind=kind, data=data)))


def test_there_is_a_decision_on_every_event_there_is():
    assert set(Dodo.decisions) == set(EVENTS)
    assert len(Dodo.decisions) == 48


@pytest.mark.parametrize("kind", [*EVENTS, "subscription.teleported"])
def test_every_event_gives_a_hint(post, kind):
    delivery = Delivery(kind=kind, data={"subscription_id": "sub_1", "customer": {"customer_id": "cus_1"}})
    hint = Dodo().read_webhook(*post.envelope(delivery))
    assert (hint.id, hint.type, hint.subscription_ids) == (delivery.id, kind, ("sub_1",))


def test_it_names_what_is_to_be_read_again(dodo):
    subscription_id = sold(dodo)
    payment_id = paid(dodo)
    refund = Dodo().refund(payment_id, amount=None, reason="", once="back-1")
    dispute_id = dodo.books.dispute(payment_id)["dispute_id"]
    dodo.force_renewal(subscription_id)
    hints = {hint.type: hint for hint in (Dodo().read_webhook(*dodo.post.envelope(each)) for each in dodo.post.take())}
    about_refund, about_dispute = hints["refund.succeeded"], hints["dispute.opened"]
    assert (about_refund.refund_ids, about_refund.payment_ids) == ((refund.id,), (payment_id,))
    assert (about_dispute.dispute_ids, about_dispute.payment_ids) == ((dispute_id,), (payment_id,))
    renewed, paid_for = hints["subscription.renewed"], hints["payment.succeeded"]
    assert about_dispute.card_owner_ids == renewed.card_owner_ids == ()
    assert renewed.payment_ids == paid_for.payment_ids == (paid(dodo),)
    assert renewed.subscription_ids == paid_for.subscription_ids == (subscription_id,)
    assert all(Dodo.decisions[kind] is Decision.HANDLED for kind in hints)


def test_another_card_is_told_with_whose_it_is(dodo):
    subscription_id = sold(dodo)
    cycle.new_card(dodo.books, dodo.books.subscriptions[subscription_id], "4000056655665556")
    [hint] = [Dodo().read_webhook(*dodo.post.envelope(each)) for each in dodo.post.take()][:1]
    assert hint.card_owner_ids == (Dodo().subscription(subscription_id).customer_id,)


def test_a_payment_for_several_subscriptions_names_them_all(post):
    data = {"subscription_id": None, "subscription_ids": ["sub_1", "sub_2", "sub_1", 7, "not an id"]}
    assert read(post, "payment.succeeded", data).subscription_ids == ("sub_1", "sub_2")


@pytest.mark.parametrize("data", [None, [], "text", {}, {"subscription_id": {}, "customer": [], "refund_id": "a b"}])
def test_an_event_that_names_nothing_is_a_hint_at_nothing(post, data):
    body = json.dumps({"type": "payment.succeeded", "data": data, "timestamp": "yesterday"}).encode()
    hint = Dodo().read_webhook(body, post.signature(body, delivery_id="msg_1"))
    assert hint == Hint(id="msg_1", type="payment.succeeded")


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b"null", b"{}", b'{"type": ""}', b'{"type": 7}', b'{"type": null, "data": {}}']
)
def test_what_is_signed_and_no_event_is_malformed(post, body):
    with pytest.raises(MalformedWebhook):
        Dodo().read_webhook(body, post.signature(body, delivery_id="msg_1"))


def test_a_type_has_a_length(post):
    assert len(read(post, "x" * 5000, {}).type) == LONGEST_TYPE


# Who says so


def test_a_body_that_was_changed_is_forged(post):
    headers = post.signature(BODY, delivery_id="msg_1")
    for changed in (BODY + b" ", BODY.replace(b"pay_1", b"pay_2"), b""):
        with pytest.raises(ForgedWebhook):
            Dodo().read_webhook(changed, headers)


@pytest.mark.parametrize("name", ["webhook-id", "webhook-timestamp", "webhook-signature"])
def test_a_header_that_was_changed_is_forged(post, name):
    headers = post.signature(BODY, delivery_id="msg_1")
    other = post.signature(b"{}", delivery_id="msg_2", at=datetime.now(UTC) - timedelta(seconds=9))
    with pytest.raises(ForgedWebhook):
        Dodo().read_webhook(BODY, headers | {name: other[name]})


@pytest.mark.parametrize("name", ["webhook-id", "webhook-timestamp", "webhook-signature"])
@pytest.mark.parametrize("value", [None, ""])
def test_a_header_that_is_missing_is_no_webhook(post, name, value):
    headers = post.signature(BODY, delivery_id="msg_1") | {name: value}
    with pytest.raises(MalformedWebhook):
        Dodo().read_webhook(BODY, {name: value for name, value in headers.items() if value is not None})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("webhook-timestamp", "now"),
        ("webhook-timestamp", "1e9"),
        ("webhook-timestamp", "-1"),
        ("webhook-id", "a.b"),
        ("webhook-id", "x" * 300),
        ("webhook-signature", "v1"),
        ("webhook-signature", "v1,!!!"),
        ("webhook-signature", "v2,c2lnbmVk"),
        ("webhook-signature", ","),
    ],
)
def test_a_header_that_cannot_be_read_is_refused(post, name, value):
    headers = post.signature(BODY, delivery_id="msg_1")
    with pytest.raises((MalformedWebhook, ForgedWebhook)):
        Dodo().read_webhook(BODY, headers | {name: value})


@pytest.mark.parametrize("minutes", [-60, -6, 6, 60])
def test_an_old_webhook_and_one_of_the_future_are_refused(post, minutes):
    at = datetime.now(UTC) + timedelta(minutes=minutes)
    with pytest.raises(ForgedWebhook):
        Dodo().read_webhook(BODY, post.signature(BODY, delivery_id="msg_1", at=at))


@pytest.mark.parametrize("minutes", [-4, 4])
def test_clocks_may_differ_a_little(post, minutes):
    at = datetime.now(UTC) + timedelta(minutes=minutes)
    assert Dodo().read_webhook(BODY, post.signature(BODY, delivery_id="msg_1", at=at)).payment_ids == ("pay_1",)


def test_another_secret_is_not_ours(post, settings):
    settings.DODO_WEBHOOK_SECRET = [new_secret()]
    with pytest.raises(ForgedWebhook):
        Dodo().read_webhook(BODY, post.signature(BODY, delivery_id="msg_1"))


def test_while_the_secret_changes_either_one_will_do(post, settings):
    old = list(post.secrets)
    new = post.rotate()
    for known in (old, [new], [new, *old], [new_secret(), new]):
        settings.DODO_WEBHOOK_SECRET = known
        assert Dodo().read_webhook(BODY, post.signature(BODY, delivery_id="msg_1")).id == "msg_1"
    post.secrets = [new]
    settings.DODO_WEBHOOK_SECRET = old
    with pytest.raises(ForgedWebhook):
        Dodo().read_webhook(BODY, post.signature(BODY, delivery_id="msg_1"))


def test_one_good_signature_among_others_is_enough(post):
    headers = post.signature(BODY, delivery_id="msg_1")
    headers["webhook-signature"] = f"v1a,YQ== v1,{'A' * 43}= nonsense {headers['webhook-signature']} v1,"
    assert Dodo().read_webhook(BODY, headers).id == "msg_1"


@pytest.mark.parametrize("secrets", [[], [""], ["whsec_"], ["whsec_!!"], ["whsec_YWJj"], ["   "]])
def test_without_a_secret_nothing_is_believed(post, settings, secrets):
    headers = post.signature(BODY, delivery_id="msg_1")
    settings.DODO_WEBHOOK_SECRET = secrets
    with pytest.raises(NotConfigured):
        Dodo().read_webhook(BODY, headers)


def test_a_body_has_a_largest_size(post):
    body = b'{"type": "' + b"x" * 300_000 + b'"}'
    with pytest.raises(TooLarge):
        Dodo().read_webhook(body, post.signature(body, delivery_id="msg_1"))


def test_it_takes_headers_in_any_case(post):
    headers = {name.title(): value for name, value in post.signature(BODY, delivery_id="msg_1").items()}
    assert Dodo().read_webhook(BODY, headers).id == "msg_1"


def test_whatever_is_said_is_a_hint_or_one_of_our_problems(post):
    @given(
        st.fixed_dictionaries({}, optional={"type": JSON | st.just("payment.failed"), "data": JSON, "timestamp": JSON})
    )
    @examples(deadline=None, suppress_health_check=[HealthCheck.too_slow])
    def check(event) -> None:
        body = json.dumps(event).encode()
        with suppress(Problem):
            assert isinstance(Dodo().read_webhook(body, post.signature(body, delivery_id="msg_1")), Hint)

    check()
