"""What is not signed as it should be is refused over HTTP: counted, never stored, and never a fault of ours."""

import json
import time
from datetime import timedelta

import pytest
from django.utils import timezone
from pytest_django import Settings

from billing.models import BillingEvent, RefusedDelivery
from billing.refused import KEPT, forget_refused
from billing.tests.senders import SENDERS, Sender, send
from core.webhooks import LARGEST_BODY

pytestmark = pytest.mark.django_db
# How old or how far ahead a signature may be.
TOLERANCE = 300


@pytest.fixture(params=SENDERS)
def sender(request, settings: Settings) -> Sender:
    made = SENDERS[request.param]()
    for name, value in made.settings.items():
        setattr(settings, name, value)
    return made


def secret_setting(sender: Sender) -> str:
    return f"{sender.name.upper()}_WEBHOOK_SECRET"


def refuses(sender: Sender, body: bytes, headers: dict[str, str], status: int, code: str) -> None:
    before = counted(sender, code)
    answer = send(sender.name, body, headers)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert not BillingEvent.objects.exists()
    assert counted(sender, code) == before + 1


def counted(sender: Sender, code: str) -> int:
    return sum(RefusedDelivery.objects.filter(provider=sender.name, code=code).values_list("count", flat=True))


def takes(sender: Sender, body: bytes, headers: dict[str, str]) -> None:
    assert send(sender.name, body, headers).status_code == 200
    assert BillingEvent.objects.filter(provider=sender.name).count() == 1
    assert not RefusedDelivery.objects.exists()


def test_it_takes_what_is_signed(sender):
    body = sender.event()
    takes(sender, body, sender.sign(body))
    event = BillingEvent.objects.get()
    assert bytes(event.body) == body
    assert sender.header.lower() in event.headers


def test_it_refuses_a_body_that_was_changed(sender):
    body = sender.event()
    headers = sender.sign(body)
    for at in range(0, len(body), 7):
        flipped = body[:at] + bytes([body[at] ^ 1]) + body[at + 1 :]
        refuses(sender, flipped, headers, 401, "webhook_forged")
    refuses(sender, json.dumps(json.loads(body), indent=1).encode(), headers, 401, "webhook_forged")
    refuses(sender, b"", headers, 401, "webhook_forged")


def test_it_refuses_another_secret(sender):
    body = sender.event()
    sender.secrets[:] = [sender.other_secret()]
    refuses(sender, body, sender.sign(body), 401, "webhook_forged")


@pytest.mark.parametrize("late", [TOLERANCE + 10, 3600, -TOLERANCE - 10, -3600])
def test_it_refuses_what_was_signed_at_another_time(sender, late):
    body = sender.event()
    refuses(sender, body, sender.sign(body, late=late), 401, "webhook_forged")


@pytest.mark.parametrize("late", [TOLERANCE - 10, -TOLERANCE + 10])
def test_it_takes_what_was_signed_a_little_ago_or_by_a_clock_that_is_ahead(sender, late):
    body = sender.event()
    takes(sender, body, sender.sign(body, late=late))


def test_it_refuses_what_has_no_signature(sender):
    body = sender.event()
    headers = sender.sign(body)
    refuses(sender, body, {}, 400, "webhook_malformed")
    for name in headers:
        if name.lower() != "content-type":
            refuses(sender, body, headers | {name: ""}, 400, "webhook_malformed")


@pytest.mark.parametrize(("bad", "status"), [("v1,!!!", 401), ("v1,YQ", 401), ("v1", 401), (",", 401), ("\xff", 401)])
def test_it_refuses_a_signature_of_dodo_that_is_not_base64(settings, bad, status):
    sender = SENDERS["dodo"]()
    for name, value in sender.settings.items():
        setattr(settings, name, value)
    body = sender.event()
    refuses(sender, body, sender.sign(body) | {"webhook-signature": bad}, status, "webhook_forged")


@pytest.mark.parametrize("bad", ["t=1", "v1=00", "t=now,v1=00", ",,,", "t=1,v1=\xff"])
def test_it_refuses_a_signature_of_stripe_that_cannot_be_read(settings, bad):
    sender = SENDERS["stripe"]()
    for name, value in sender.settings.items():
        setattr(settings, name, value)
    refuses(sender, sender.event(), {"Stripe-Signature": bad}, 400, "webhook_malformed")


def test_it_refuses_what_does_not_say_how_long_it_is(sender):
    refuses(sender, b"", {"Transfer-Encoding": "chunked"}, 411, "length_required")


def test_it_refuses_what_is_too_large_without_reading_it(sender):
    body = b"x" * (5 * 1024 * 1024)
    refuses(sender, body, sender.sign(body[:10]), 413, "too_large")
    assert RefusedDelivery.objects.get().bytes == len(body)


def test_it_refuses_a_large_body_at_the_very_edge(sender):
    edge = sender.event()[:-1] + b" " * (LARGEST_BODY - len(sender.event())) + b"}"
    takes(sender, edge, sender.sign(edge))


@pytest.mark.parametrize("body", [b"\xff\xfe\x00", b"{", b"[]", b"null", b"", b'{"type": 7}'])
def test_it_refuses_what_is_signed_and_is_no_event(sender, body):
    try:
        headers = sender.sign(body)
    except UnicodeDecodeError:
        # Nobody can sign it with the library of the scheme; whoever sends it has no right signature either.
        headers = sender.sign(b"{}")
    answer = send(sender.name, body, headers)
    assert answer.status_code in (400, 401)
    assert not BillingEvent.objects.exists()


def test_it_takes_one_good_signature_among_others(sender):
    body = sender.event()
    headers = sender.sign(body)
    good = headers[sender.header]
    # In front of it: one of another version, one that cannot be read, one that is wrong.
    in_front = {"dodo": f"v1a,YQ== v1,!!! v1,{'A' * 43}= ", "stripe": f"v0=1,v1=,v1={'0' * 64},"}
    takes(sender, body, headers | {sender.header: in_front[sender.name] + good})


def test_it_takes_the_old_secret_as_long_as_both_are_known(sender, settings):
    old = [*sender.secrets]
    new = sender.other_secret()
    setattr(settings, secret_setting(sender), [new, *old])
    body = sender.event()
    takes(sender, body, sender.sign(body))
    setattr(settings, secret_setting(sender), [new])
    BillingEvent.objects.all().delete()
    refuses(sender, body, sender.sign(body), 401, "webhook_forged")


def test_it_takes_a_signature_by_both_secrets(sender, settings):
    new = sender.other_secret()
    sender.secrets.append(new)
    setattr(settings, secret_setting(sender), [new])
    body = sender.event()
    takes(sender, body, sender.sign(body))


@pytest.mark.parametrize("secrets", [[], [""], ["   "], ["whsec_"], ["", ""]])
def test_without_a_secret_it_refuses_everything(sender, settings, secrets):
    body = sender.event()
    headers = sender.sign(body)
    setattr(settings, secret_setting(sender), secrets)
    refuses(sender, body, headers, 503, "not_configured")


def test_an_empty_secret_signs_nothing(sender, settings):
    """Whoever knows that there is none cannot sign with it."""
    setattr(settings, secret_setting(sender), [""])
    body = sender.event()
    stripe = {"Stripe-Signature": f"t={int(time.time())},v1={'0' * 64}"}
    refuses(sender, body, sender.sign(body) | stripe, 503, "not_configured")


def test_without_a_key_it_keeps_what_is_signed_until_the_key_is_there_again(sender, settings):
    settings.DODO_API_KEY = settings.STRIPE_SECRET_KEY = ""
    body = sender.event()
    takes(sender, body, sender.sign(body))


def test_by_a_provider_that_is_not_in_use_nothing_is_signed(sender, settings):
    settings.DODO_API_KEY = settings.STRIPE_SECRET_KEY = ""
    body = sender.event()
    headers = sender.sign(body)
    setattr(settings, secret_setting(sender), [])
    refuses(sender, body, headers, 401, "webhook_forged")


@pytest.mark.parametrize(("length", "status"), [(255, 200), (256, 400), (300, 400), (301, 400), (5_000, 400)])
def test_an_id_has_one_longest_length(sender, length, status):
    name = "evt_" + "x" * (length - len("evt_"))
    body = json.dumps({**json.loads(sender.event()), "id": name}).encode()
    headers = sender.sign(body, delivery=name)
    if status == 200:
        takes(sender, body, headers)
    else:
        refuses(sender, body, headers, status, "webhook_malformed")


def test_a_flood_leaves_one_row(sender, caplog):
    body = sender.event()
    for _ in range(30):
        refuses(sender, body, {}, 400, "webhook_malformed")
    row = RefusedDelivery.objects.get()
    assert (row.count, row.bytes, row.address) == (30, len(body), "127.0.0.1")
    assert row.request_id
    assert caplog.text.count("webhook_refused") == 1


def test_it_forgets_what_was_refused_long_ago(sender):
    refuses(sender, sender.event(), {}, 400, "webhook_malformed")
    assert forget_refused() == 0
    RefusedDelivery.objects.update(created_at=timezone.now() - KEPT - timedelta(days=1))
    assert forget_refused() == 1


def test_what_is_not_a_delivery_is_answered_as_anywhere(sender, client):
    answer = client.get(f"/api/billing/webhook/{sender.name}/")
    assert (answer.status_code, answer.json()["code"]) == (405, "method_not_allowed")
    assert answer["X-Request-ID"]
