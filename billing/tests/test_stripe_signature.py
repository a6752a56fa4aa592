"""Only what Stripe signed with one of our secrets, and just now, is taken for Stripe's word."""

import json
import time

import pytest
from pytest_django import Settings

from billing.providers.contract import Decision
from billing.providers.stripe import Stripe, signature
from core.errors import NotConfigured, TooLarge
from core.webhooks import LARGEST_BODY, ForgedWebhook, MalformedWebhook
from sandbox.stripe import StripeSandbox

EVENT = {"id": "evt_1", "object": "event", "type": "invoice.paid", "created": 1_760_000_000, "data": {"object": {}}}
# Made once with `openssl dgst -sha256 -hmac` and once with Stripe's own library, which agreed.
VECTOR_SECRET = "whsec_published_vector_secret"
VECTOR_BODY = b'{"id":"evt_1","object":"event","type":"invoice.paid"}'
VECTOR_TIME = 1_760_000_000
VECTOR = "51e41b5e262e058b6b486972c37b12289b55ec46c987fe769fa48d8312201b36"
# Secret, time, body and signature: that one, and one by two other implementations, which agreed.
VECTORS = [
    (VECTOR_SECRET, VECTOR_TIME, VECTOR_BODY, VECTOR),
    (
        "whsec_test_secret", 1_767_225_600, b'{"id":"evt_1"}',
        "f6ef300ec2c3f1ea8e4bc6d2a62975f58477d6fcd4bd03529a148873f625b1ca",
    ),
]  # fmt: skip


@pytest.fixture
def stripe(settings: Settings) -> StripeSandbox:
    sandbox = StripeSandbox()  # signs, and is not asked anything
    for name, value in sandbox.settings().items():
        setattr(settings, name, value)
    return sandbox


def signed(stripe: StripeSandbox, event: object = EVENT, *, at: int | None = None) -> tuple[bytes, dict[str, str]]:
    body = json.dumps(event).encode()
    return body, {"Stripe-Signature": stripe.outbox.signature(body, at=at)}


@pytest.mark.parametrize("late", [-300, -1, 0, 1, 300])
@pytest.mark.parametrize(("secret", "at", "body", "expected"), VECTORS)
def test_it_agrees_with_others_on_what_a_signature_is(secret, at, body, expected, late):
    headers = {"STRIPE-SIGNATURE": f"t={at},v1={expected}"}
    signature.verify(body, headers, secrets=[secret], now=at + late)
    with pytest.raises(ForgedWebhook):
        signature.verify(body + b" ", headers, secrets=[secret], now=at + late)


@pytest.mark.parametrize("late", [-301, 301, 10**9])
def test_it_takes_no_time_that_is_not_now(late):
    headers = {"Stripe-Signature": f"t={VECTOR_TIME},v1={VECTOR}"}
    with pytest.raises(ForgedWebhook, match="time"):
        signature.verify(VECTOR_BODY, headers, secrets=[VECTOR_SECRET], now=VECTOR_TIME + late)


def test_it_reads_what_is_signed(stripe):
    hint = Stripe().read_webhook(*signed(stripe))
    assert (hint.id, hint.type) == ("evt_1", "invoice.paid")


@pytest.mark.parametrize("late", [-3600, 3600])
def test_it_refuses_what_was_signed_at_another_time(late, stripe):
    with pytest.raises(ForgedWebhook):
        Stripe().read_webhook(*signed(stripe, at=int(time.time()) + late))


def test_it_refuses_a_body_that_was_changed(stripe):
    body, headers = signed(stripe)
    with pytest.raises(ForgedWebhook):
        Stripe().read_webhook(body.replace(b"evt_1", b"evt_2"), headers)
    with pytest.raises(ForgedWebhook):
        Stripe().read_webhook(json.dumps(json.loads(body), indent=1).encode(), headers)


def test_it_refuses_a_time_that_was_changed(stripe):
    body, headers = signed(stripe)
    later = {"Stripe-Signature": headers["Stripe-Signature"].replace("t=1", "t=2", 1)}
    with pytest.raises(ForgedWebhook):
        Stripe().read_webhook(body, later)


def test_it_refuses_another_secret(stripe, settings):
    settings.STRIPE_WEBHOOK_SECRET = ["whsec_of_somebody_else_entirely"]
    with pytest.raises(ForgedWebhook):
        Stripe().read_webhook(*signed(stripe))


def test_the_secret_is_the_key_with_its_first_letters(stripe, settings):
    settings.STRIPE_WEBHOOK_SECRET = [stripe.outbox.secrets[0].removeprefix("whsec_")]
    with pytest.raises(ForgedWebhook):
        Stripe().read_webhook(*signed(stripe))


def test_either_secret_is_good_while_it_is_changed_on_our_side(stripe, settings):
    settings.STRIPE_WEBHOOK_SECRET = ["whsec_the_new_one_of_two", *stripe.outbox.secrets]
    assert Stripe().read_webhook(*signed(stripe)).id == "evt_1"


def test_either_signature_is_good_while_it_is_changed_on_theirs(stripe):
    stripe.outbox.secrets = ["whsec_the_new_one_of_two", *stripe.outbox.secrets]
    body, headers = signed(stripe)
    assert headers["Stripe-Signature"].count("v1=") == 2
    assert Stripe().read_webhook(body, headers).id == "evt_1"


def test_a_signature_that_cannot_be_read_does_not_hide_a_good_one(stripe):
    body, headers = signed(stripe)
    moment, _, rest = headers["Stripe-Signature"].partition(",")
    messy = f"{moment}, v1=é,v1=,v2=abc,v1={'A' * 64},, x,{rest}"
    assert Stripe().read_webhook(body, {"stripe-signature": messy}).id == "evt_1"


@pytest.mark.parametrize("secrets", [[], [""], ["   "], ["whsec_"], ["", "whsec_sandbox_of_whyral_0123456789"]])
def test_without_a_secret_nothing_is_believed(secrets, stripe, settings):
    settings.STRIPE_WEBHOOK_SECRET = secrets
    with pytest.raises(NotConfigured):
        Stripe().read_webhook(*signed(stripe))


GOOD = "a" * 64
NOW = "1760000000"


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        ",",
        "=",
        "t",
        "t=",
        f"v1={GOOD}",
        f"t={NOW}",
        f"t={NOW},v1=",
        f"t={NOW},v0={GOOD}",
        f"t={NOW},v1={GOOD[1:]}",
        f"t={NOW},v1={GOOD.upper()}",
        f"t={NOW}.5,v1={GOOD}",
        f"t=-{NOW},v1={GOOD}",
        f"t=١٧٦,v1={GOOD}",
        f"t={NOW},t={NOW},v1={GOOD}",
        f"t={'9' * 13},v1={GOOD}",
        f"t=nan,v1={GOOD}",
        f"T={NOW},V1={GOOD}",
        f"t={NOW};v1={GOOD}",
        "x=" + "y" * 100_000,
    ],
)
def test_a_header_that_cannot_be_read_is_malformed(header, stripe):
    headers = {} if header is None else {"Stripe-Signature": header}
    with pytest.raises(MalformedWebhook):
        Stripe().read_webhook(b"{}", headers)


def test_a_body_that_is_too_large_is_not_looked_at(stripe):
    with pytest.raises(TooLarge):
        Stripe().read_webhook(b"x" * (LARGEST_BODY + 1), {})


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"[]",
        b"\xff\xfe",
        b"{",
        b"[" * 100_000,
        b'{"id": 7, "type": "x"}',
        b'{"id": "evt_1"}',
        b'{"type": "x"}',
        b'{"id": "\\ud800", "type": "x"}',
        b'{"id": "\\u0000", "type": "x"}',
    ],
)
def test_what_is_signed_and_no_event_is_malformed(body, stripe):
    with pytest.raises(MalformedWebhook):
        Stripe().read_webhook(body, {"Stripe-Signature": stripe.outbox.signature(body)})


def about(stripe: StripeSandbox, kind: str, thing: object):
    return Stripe().read_webhook(*signed(stripe, {**EVENT, "type": kind, "data": {"object": thing}}))


def test_it_names_what_must_be_read_again(stripe):
    parent = {"subscription_details": {"subscription": "sub_1"}}
    hint = about(stripe, "invoice.paid", {"object": "invoice", "id": "in_1", "customer": "cus_1", "parent": parent})
    assert (hint.subscription_ids, hint.payment_ids, hint.card_owner_ids) == (("sub_1",), ("in_1",), ())
    hint = about(stripe, "customer.subscription.deleted", {"object": "subscription", "id": "sub_1"})
    assert (hint.subscription_ids, hint.payment_ids) == (("sub_1",), ())
    session = {"object": "checkout.session", "id": "cs_1", "subscription": "sub_1", "invoice": {"id": "in_1"}}
    hint = about(stripe, "checkout.session.completed", session)
    assert (hint.subscription_ids, hint.payment_ids) == (("sub_1",), ("in_1",))
    assert about(stripe, "refund.updated", {"object": "refund", "id": "re_1"}).refund_ids == ("re_1",)
    assert about(stripe, "charge.dispute.created", {"object": "dispute", "id": "du_1"}).dispute_ids == ("du_1",)
    assert about(stripe, "customer.updated", {"object": "customer", "id": "cus_1"}).card_owner_ids == ("cus_1",)
    released = {"object": "subscription_schedule", "id": "sub_sched_1", "released_subscription": "sub_1"}
    assert about(stripe, "subscription_schedule.released", released).subscription_ids == ("sub_1",)


def test_it_names_whose_card_it_is_or_was(stripe):
    card = {"object": "payment_method", "id": "pm_1", "customer": "cus_1"}
    assert about(stripe, "payment_method.attached", card).card_owner_ids == ("cus_1",)
    data = {"object": {**card, "customer": None}, "previous_attributes": {"customer": "cus_1"}}
    hint = Stripe().read_webhook(*signed(stripe, {**EVENT, "type": "payment_method.detached", "data": data}))
    assert hint.card_owner_ids == ("cus_1",)


def test_it_understands_an_endpoint_of_an_older_version(stripe):
    hint = about(stripe, "invoice.paid", {"object": "invoice", "id": "in_1", "subscription": "sub_1"})
    assert (hint.subscription_ids, hint.payment_ids) == (("sub_1",), ("in_1",))


def test_it_names_nothing_that_cannot_be_read(stripe):
    hint = about(stripe, "invoice.upcoming", {"object": "invoice", "id": "upcoming_in_1", "customer": None})
    assert (hint.subscription_ids, hint.payment_ids, hint.card_owner_ids) == ((), (), ())
    assert about(stripe, "invoice.paid", ["in_1"]).payment_ids == ()
    assert about(stripe, "invoice.paid", {"object": ["invoice"], "id": {"id": 1}}).payment_ids == ()


def test_every_type_has_one_decision():
    decisions = Stripe.decisions
    assert len(decisions) == 275
    assert decisions["invoice.paid"] is Decision.HANDLED
    assert decisions["charge.refunded"] is Decision.RECORDED
    assert decisions["treasury.received_debit.created"] is Decision.IGNORED
