"""Who signs as a provider does, without the provider behind it: for tests of what is taken and what is refused."""

import json
import time
from datetime import UTC, datetime
from typing import Any, Protocol

from rest_framework.test import APIClient

from core.ids import uuid7
from sandbox.dodo_post import Post, new_secret
from sandbox.stripe_events import Outbox

Signed = tuple[bytes, dict[str, str]]


class Sender(Protocol):
    """One provider's way of signing; `late` is how many seconds ago it did."""

    name: str
    secrets: list[str]
    settings: dict[str, Any]
    header: str

    def event(self) -> bytes: ...
    def sign(self, body: bytes, *, late: float = 0, delivery: str = "") -> dict[str, str]: ...
    def other_secret(self) -> str: ...


class DodoSender:
    """As Dodo signs: Standard Webhooks."""

    name, header = "dodo", "webhook-signature"

    def __init__(self) -> None:
        self.post = Post(lambda delivery: {})
        self.secrets = self.post.secrets
        self.settings = {"DODO_API_KEY": "dodo_test_1", "DODO_WEBHOOK_SECRET": [*self.secrets]}

    def event(self) -> bytes:
        return json.dumps({"data": {"payment_id": "pay_1"}, "type": "payout.created"}).encode()

    def sign(self, body: bytes, *, late: float = 0, delivery: str = "") -> dict[str, str]:
        at = datetime.fromtimestamp(time.time() - late, UTC)
        return self.post.signature(body, delivery_id=delivery or f"msg_{uuid7().hex}", at=at)

    def other_secret(self) -> str:
        return new_secret()


class StripeSender:
    """As Stripe signs: in its own way, with the event's id in the body."""

    name, header = "stripe", "Stripe-Signature"

    def __init__(self) -> None:
        self.outbox = Outbox(secret="whsec_of_the_tests_0123456789")
        self.secrets = self.outbox.secrets
        self.settings = {"STRIPE_SECRET_KEY": "sk_test_1", "STRIPE_WEBHOOK_SECRET": [*self.secrets]}

    def event(self) -> bytes:
        about = {"object": "balance"}
        event = {"id": f"evt_{uuid7().hex}", "type": "balance.available", "data": {"object": about}}
        return json.dumps(event).encode()

    def sign(self, body: bytes, *, late: float = 0, delivery: str = "") -> dict[str, str]:
        return {"Stripe-Signature": self.outbox.signature(body, at=int(time.time() - late))}

    def other_secret(self) -> str:
        return f"whsec_{uuid7().hex}"


SENDERS: dict[str, type[Sender]] = {"dodo": DodoSender, "stripe": StripeSender}


def send(name: str, body: bytes, headers: dict[str, str]) -> Any:
    address = f"/api/billing/webhook/{name}/"
    client = APIClient(raise_request_exception=False)
    answer: Any = client.generic("POST", address, body, content_type="application/json", headers=headers)
    return answer
