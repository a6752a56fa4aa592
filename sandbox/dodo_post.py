"""Dodo's webhooks on loopback: queued, so that they can be delivered late, twice, in any order, or never.

What a delivery says is made when it is delivered: an old event tells of the present state, as the real one does.
"""

import base64
import http.client
import json
import random
import secrets
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

from standardwebhooks import Webhook

from sandbox.dodo_books import new_id, stamp

BUSINESS = "bus_0NsBoXaK9mRtQe5WvPnJc"
SECONDS = 15.0
TRIES = 3
PAYLOADS = {"subscription": "Subscription", "payment": "Payment", "refund": "Refund", "dispute": "Dispute"}


@dataclass(frozen=True, kw_only=True)
class Delivery:
    """One event on its way: the id stays, however often it is tried."""

    kind: str
    about: str = ""
    thing_id: str = ""
    payment_id: str | None = None
    data: dict[str, Any] | None = None  # said as it is, for what the books do not keep
    id: str = field(default_factory=lambda: new_id("msg"))
    emitted_at: str = field(default_factory=lambda: stamp(datetime.now(UTC)))


class Post:
    """The queue. With a `webhook_url` each delivery is sent there at once, beside the others."""

    def __init__(self, render: Callable[[Delivery], dict[str, Any]], *, url: str = "", secret: str = "") -> None:
        self._render = render
        self.secrets = [secret or new_secret()]
        self.deliveries: list[Delivery] = []
        self.webhook_url = url
        self.pauses: tuple[float, ...] = (0.2, 1.0)
        self._sending: list[threading.Thread] = []

    def add(self, kind: str, about: str, thing_id: str, *, payment_id: str | None = None) -> None:
        self.put(Delivery(kind=kind, about=about, thing_id=thing_id, payment_id=payment_id))

    def put(self, delivery: Delivery) -> None:
        self.deliveries.append(delivery)
        if self.webhook_url:
            thread = threading.Thread(target=self._send, args=(delivery, self.webhook_url), daemon=True)
            self._sending = [each for each in self._sending if each.is_alive()] + [thread]
            thread.start()

    def take(self) -> list[Delivery]:
        """What waits, which then waits no longer."""
        taken, self.deliveries = self.deliveries, []
        return taken

    def envelope(self, delivery: Delivery, *, at: datetime | None = None) -> tuple[bytes, dict[str, str]]:
        """The body and the headers, as they are now."""
        data = delivery.data if delivery.data is not None else self._render(delivery)
        event = {"business_id": BUSINESS, "data": data, "timestamp": delivery.emitted_at, "type": delivery.kind}
        body = json.dumps(event, sort_keys=True).encode()
        return body, self.signature(body, delivery_id=delivery.id, at=at)

    def signature(self, body: bytes, *, delivery_id: str, at: datetime | None = None) -> dict[str, str]:
        """By every secret that is good at the moment."""
        moment = (at or datetime.now(UTC)).astimezone(UTC)
        signed = [Webhook(secret).sign(delivery_id, moment, body.decode()) for secret in self.secrets]
        return {
            "content-type": "application/json",
            "webhook-id": delivery_id,
            "webhook-timestamp": str(int(moment.timestamp())),
            "webhook-signature": " ".join(signed),
        }

    def rotate(self) -> str:
        """A new secret; the old one signs too until it is dropped from `secrets`."""
        self.secrets.append(new_secret())
        return self.secrets[-1]

    def deliver(self, url: str, deliveries: Iterable[Delivery] | None = None, *, shuffled: bool = False) -> list[int]:
        """Send these, or all that wait, one after the other, and say how each was answered."""
        sent = list(self.take() if deliveries is None else deliveries)
        if shuffled:
            random.shuffle(sent)
        return [self.attempt(delivery, url) for delivery in sent]

    def attempt(self, delivery: Delivery, url: str) -> int:
        """One try; 0 where nobody answers."""
        body, headers = self.envelope(delivery)
        parts = urlsplit(url)
        connection = http.client.HTTPConnection(parts.netloc, timeout=SECONDS)
        try:
            connection.request("POST", parts.path or "/", body, headers)
            return connection.getresponse().status
        except (OSError, http.client.HTTPException):
            return 0
        finally:
            connection.close()

    def settle(self) -> None:
        """Wait for what is being sent."""
        for thread in list(self._sending):
            thread.join(SECONDS)

    def _send(self, delivery: Delivery, url: str) -> None:
        waiting = threading.Event()
        for pause in (*self.pauses, 0.0)[:TRIES]:
            if 200 <= self.attempt(delivery, url) < 300:
                return
            waiting.wait(pause)


def new_secret() -> str:
    return "whsec_" + base64.b64encode(secrets.token_bytes(24)).decode()
