"""Stripe's events on loopback: queued for a test to deliver as it likes, or posted to an address as they come."""

import contextlib
import copy
import hashlib
import hmac
import itertools
import json
import queue
import threading
import time
import urllib.request
from typing import Any

Row = dict[str, Any]
VERSION = "2026-10-28.endive"
TRIES, PAUSE = 3, 0.2
POST_SECONDS = 5.0


class Outbox:
    """Everything that happened, in the order in which it did; nobody promises that it arrives in it."""

    def __init__(self, *, secret: str) -> None:
        self.secrets = [secret]  # two, while one is rolled
        self.webhook_url = ""
        self.deliveries: list[Row] = []
        self.answers: list[tuple[str, int]] = []  # to what was posted
        self._ids = itertools.count(1)
        self._waiting: queue.Queue[Row] = queue.Queue()
        self._sender: threading.Thread | None = None

    def add(self, kind: str, about: Row, *, created: int) -> Row:
        """The object as it is now: a late event tells of a state that is long gone."""
        event = {
            "id": f"evt_sandbox{next(self._ids):06}",
            "object": "event",
            "api_version": VERSION,
            "created": created,
            "type": kind,
            "livemode": False,
            "pending_webhooks": 1,
            "request": {"id": None, "idempotency_key": None},
            "data": {"object": copy.deepcopy(about)},
        }
        self.deliveries.append(event)
        if self.webhook_url:
            self._waiting.put(event)
            self._start()
        return event

    def of(self, kind: str) -> list[Row]:
        return [event for event in self.deliveries if event["type"] == kind]

    def signed(self, event: Row, *, at: int | None = None) -> tuple[bytes, dict[str, str]]:
        """The body and the headers of a delivery: the time is the attempt's, not the event's."""
        body = json.dumps(event, indent=2).encode()
        return body, {"Stripe-Signature": self.signature(body, at=at), "Content-Type": "application/json"}

    def signature(self, body: bytes, *, at: int | None = None) -> str:
        moment = int(time.time()) if at is None else at
        text = f"{moment}.".encode() + body
        found = [hmac.new(secret.encode(), text, hashlib.sha256).hexdigest() for secret in self.secrets]
        return ",".join([f"t={moment}", *(f"v1={each}" for each in found), f"v0={'6' * 64}"])

    def post(self, event: Row) -> int:
        """One attempt; 0 where nobody answers."""
        body, headers = self.signed(event)
        status = 0
        try:
            request = urllib.request.Request(self.webhook_url, data=body, headers=headers)  # noqa: S310
            with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(
                request, timeout=POST_SECONDS
            ) as got:
                status = got.status
        except urllib.error.HTTPError as refused:
            status = refused.code
            refused.close()
        except OSError:
            pass
        self.answers.append((event["id"], status))
        return status

    def settle(self, *, seconds: float = 10.0) -> None:
        """Wait until all that was queued has been posted."""
        until = time.monotonic() + seconds
        while self._waiting.unfinished_tasks and time.monotonic() < until:
            time.sleep(0.01)

    def _start(self) -> None:
        if self._sender is None:
            self._sender = threading.Thread(target=self._send_all, daemon=True)
            self._sender.start()

    def _send_all(self) -> None:
        while True:
            event = self._waiting.get()
            with contextlib.suppress(ValueError):  # an address that is none
                self._insist(event)
            self._waiting.task_done()

    def _insist(self, event: Row) -> None:
        for _ in range(TRIES):
            if 200 <= self.post(event) < 300:
                return
            time.sleep(PAUSE)
