"""Whether a webhook comes from whom it says: Standard Webhooks signatures, and Svix's, which differ in header names.

Verified here and not by the library, which is stopped by what it cannot read, takes a signature in more than one
spelling and a time that nobody signed, and costs more. It still signs, so in the tests each checks the other.

The signature covers the id, the time and the body exactly as received, so give `verify` the raw bytes, never parsed
and dumped JSON. The id stays the same when a delivery is tried again: it is what to store deliveries under.
Not for Stripe: its secrets look alike (`whsec_`) and are used in another way.
https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

import base64
import hmac
import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache

from standardwebhooks import Webhook

from core.errors import Invalid, NotConfigured, TooLarge, Unauthenticated

LARGEST_BODY = 256 * 1024
# How many seconds a clock may be ahead or behind, as everybody has it who follows the specification.
TOLERANCE = 300
SHORTEST_KEY = 16
SPELLINGS = [(f"{name}-id", f"{name}-timestamp", f"{name}-signature") for name in ("webhook", "svix")]
BASE64 = re.compile(r"[A-Za-z0-9+/]+")
# Neither may hold a full stop: it is what separates id, time and body in the signed text.
SANE_ID = re.compile(r"[!-\-/-~]{1,255}")
SANE_TIME = re.compile(r"[0-9]{1,12}")
SIGNATURE = re.compile(r"v1,[A-Za-z0-9+/]{43}=")


class ForgedWebhook(Unauthenticated):
    """The webhook's signature or time is not right."""

    code = "webhook_forged"


class MalformedWebhook(Invalid):
    """This is not a signed webhook."""

    code = "webhook_malformed"


@dataclass(frozen=True, slots=True)
class Delivery:
    """One attempt to deliver an event: the id is the event's, the time is the attempt's."""

    id: str
    timestamp: datetime


def verify(body: bytes, headers: Mapping[str, str], *, secrets: Sequence[str], largest: int = LARGEST_BODY) -> Delivery:
    """Say which delivery this is, or raise; while a secret is being changed, both the old and the new one are good."""
    if len(body) > largest:
        raise TooLarge(details={"max_bytes": largest})
    keys = [_key(secret) for secret in secrets]
    if not keys:
        raise NotConfigured("No secret is set for these webhooks.")
    delivery_id, timestamp, signature = _signed_headers(headers)
    if not _is_text(body):
        raise MalformedWebhook
    if abs(time.time() - int(timestamp)) > TOLERANCE:
        raise ForgedWebhook
    # What cannot be a signature is passed over: a good one may follow it.
    known = [item for item in signature.split(" ") if SIGNATURE.fullmatch(item)]
    _match(f"{delivery_id}.{timestamp}.".encode() + body, known, keys)
    return Delivery(delivery_id, datetime.fromtimestamp(int(timestamp), UTC))


def sign(body: bytes, *, secret: str, delivery_id: str, sent_at: datetime, spelling: str = "webhook") -> dict[str, str]:
    """The headers that a sender adds to this body."""
    # The library takes any time for UTC as it stands.
    moment = sent_at.astimezone(UTC)
    signature = Webhook(_key(secret)).sign(delivery_id, moment, body.decode())
    values = {"id": delivery_id, "timestamp": str(int(moment.timestamp())), "signature": signature}
    return {f"{spelling}-{name}": value for name, value in values.items()}


def _is_text(body: bytes) -> bool:
    try:
        body.decode()
    except UnicodeDecodeError:
        return False
    return True


@lru_cache(maxsize=32)
def _key(secret: str) -> bytes:
    # Decoded here: the library drops what is not base64 and signs with whatever is left.
    text = secret.strip().removeprefix("whsec_").rstrip("=")
    if not BASE64.fullmatch(text) or len(text) % 4 == 1:
        raise NotConfigured("A webhook secret is empty or not base64.")
    key = base64.b64decode(text + "=" * (-len(text) % 4))
    if len(key) < SHORTEST_KEY:
        raise NotConfigured(f"A webhook secret is too short: at least {SHORTEST_KEY} bytes.")
    return key


def _signed_headers(headers: Mapping[str, str]) -> tuple[str, str, str]:
    lower = {name.lower(): value for name, value in headers.items()}
    for names in SPELLINGS:
        delivery_id, timestamp, signature = map(lower.get, names)
        if delivery_id and timestamp and signature:
            break
    else:
        raise MalformedWebhook("The webhook's id, timestamp or signature header is missing.")
    if not (SANE_ID.fullmatch(delivery_id) and SANE_TIME.fullmatch(timestamp)):
        raise MalformedWebhook("The webhook's id or timestamp header cannot be read.")
    return delivery_id, timestamp, signature


def _match(signed: bytes, signatures: Sequence[str], keys: Sequence[bytes]) -> None:
    """Every signature with every key, so that how long it takes says nothing."""
    expected = [b"v1," + base64.b64encode(hmac.digest(key, signed, "sha256")) for key in keys]
    # Encoded and not decoded: of the last letter's bits some say nothing, and one signature has one spelling.
    matches = [hmac.compare_digest(ours, theirs.encode()) for ours in expected for theirs in signatures]
    if not any(matches):
        raise ForgedWebhook
