"""What a provider says of whoever pays stays with it: of its refusals only its own words for them are written down."""

import json
from typing import Any

import pytest

from core import calls
from core.errors import VendorRefused

pytestmark = pytest.mark.django_db
CARD = {
    "billing_details": {
        "name": "Ana Rivera", "phone": "+15125550199", "address": {"line1": "500 Congress Ave", "postal_code": "78701"},
    },
    "card": {"last4": "4242", "fingerprint": "Xt5EWLLDS7FJjR1c"},
}  # fmt: skip
SENTENCE = "The card of Ana Rivera, 500 Congress Ave, +15125550199, 4242, was declined."
PEOPLE = ("Ana", "Rivera", "Congress", "78701", "5550199", "4242", "Xt5EWLLDS7FJjR1c", "ana@")
REFUSALS: dict[str, tuple[dict[str, Any], str]] = {
    "stripe": (
        {"error": {
            "type": "card_error", "code": "card_declined", "decline_code": "lost_card", "param": "source",
            "message": SENTENCE, "payment_method": CARD, "request_log_url": "https://example.com/?email=ana@example.com",
        }},
        "type=card_error code=card_declined decline_code=lost_card param=source",
    ),
    "dodo": ({"code": "CARD_DECLINED", "message": SENTENCE, "customer": CARD}, "CARD_DECLINED"),
}  # fmt: skip


@pytest.mark.parametrize(
    "garbled", [b"", b"<p>Ana Rivera</p>", b'["Ana"]', b'{"code": "Ana", "error": "Rivera"}', b"["]
)
def test_of_a_refusal_that_cannot_be_read_nothing_is_kept(either, garbled, caplog):
    assert refused(either, garbled).error == ""
    assert "vendor_call" in caplog.text
    assert not [word for word in PEOPLE if word in caplog.text]


def test_of_a_refusal_the_record_and_the_log_have_its_codes_and_nobodys_name(either, caplog):
    body, kept = REFUSALS[either.name]
    call = refused(either, json.dumps(body).encode())
    assert call.error == kept
    assert "vendor_call" in caplog.text
    assert not [word for word in PEOPLE if word in repr(call) + caplog.text]


@pytest.fixture(autouse=True)
def everything_is_logged(caplog):
    caplog.set_level("INFO")


def refused(either: Any, body: bytes) -> calls.VendorCall:
    either.fail("look", status=402, body=body)
    with calls.heard() as heard, pytest.raises(VendorRefused):
        either.provider.subscription("sub_1")
    [call] = heard
    return call
