"""Whether a webhook comes from Stripe: its own scheme, which only looks like that of core.webhooks.

`Stripe-Signature: t=<seconds>,v1=<hex>[,v1=<hex>]`, each v1 an HMAC-SHA256 of `<t>.<raw body>` whose key is the secret
as it is written, its `whsec_` included. While a secret is rolled there is one v1 for each.
https://docs.stripe.com/webhooks#verify-manually
"""

import hmac
import re
import time
from collections.abc import Mapping, Sequence

from core.errors import NotConfigured, TooLarge
from core.webhooks import LARGEST_BODY, ForgedWebhook, MalformedWebhook

# Stripe's libraries look only at how old it is. A time to come is refused here too: it would be good for as long again
# as it lies ahead, and whoever signs it so has a clock that says nothing about age.
TOLERANCE = 300
SHORTEST_SECRET = 16
LONGEST_HEADER = 4096
TIME = re.compile(r"[0-9]{1,12}")
SIGNATURE = re.compile(r"[0-9a-f]{64}")


def verify(body: bytes, headers: Mapping[str, str], *, secrets: Sequence[str], now: float | None = None) -> None:
    if len(body) > LARGEST_BODY:
        raise TooLarge(details={"max_bytes": LARGEST_BODY})
    keys = [_key(secret) for secret in secrets]
    if not keys:
        raise NotConfigured("STRIPE_WEBHOOK_SECRET is not set.")
    moment, signatures = _signed(headers)
    expected = [_digest(key, moment, body) for key in keys]
    if not any(hmac.compare_digest(one, other) for one in expected for other in signatures):
        raise ForgedWebhook
    if abs((time.time() if now is None else now) - int(moment)) > TOLERANCE:
        raise ForgedWebhook("The webhook's time is not right.")


def _key(secret: str) -> bytes:
    # With an empty key everybody could sign.
    key = secret.strip().encode()
    if len(key) < SHORTEST_SECRET:
        raise NotConfigured("A secret in STRIPE_WEBHOOK_SECRET is empty or too short.")
    return key


def _digest(key: bytes, moment: str, body: bytes) -> str:
    return hmac.digest(key, moment.encode() + b"." + body, "sha256").hex()


def _signed(headers: Mapping[str, str]) -> tuple[str, list[str]]:
    header = next((value for name, value in headers.items() if name.lower() == "stripe-signature"), "")
    pairs = [part.strip().partition("=") for part in header[:LONGEST_HEADER].split(",")]
    moments = [value for name, _, value in pairs if name == "t"]
    # What cannot be a signature is passed over: a good one may follow it.
    signatures = [value for name, _, value in pairs if name == "v1" and SIGNATURE.fullmatch(value)]
    if len(moments) != 1 or not TIME.fullmatch(moments[0]) or not signatures:
        raise MalformedWebhook("The Stripe-Signature header is missing or cannot be read.")
    return moments[0], signatures
