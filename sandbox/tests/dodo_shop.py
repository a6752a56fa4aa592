"""A shop that sells through the sandbox's Dodo, and somebody who takes its webhooks."""

import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import httpx

from sandbox.dodo import DodoSandbox


def checkout(dodo: DodoSandbox, api: httpx.Client, **fields: Any) -> dict[str, Any]:
    form = {
        "product_cart": [{"product_id": fields.pop("product_id", None) or dodo.add_product(2900), "quantity": 1}],
        "customer": {"email": "ana@example.com", "name": "Ana"},
        "return_url": "https://shop.test/back?from=dodo",
        "cancel_url": "https://shop.test/cancelled",
        "metadata": {"subscription_ref": "ours-1"},
    }
    answer = api.post("/checkouts", json=form | fields)
    assert answer.status_code == 200, answer.text
    session: dict[str, Any] = answer.json()
    return session


def bought(dodo: DodoSandbox, api: httpx.Client, **fields: Any) -> str:
    """A subscription that is paid for; the queue is empty again."""
    dodo.pay(checkout(dodo, api, **fields)["session_id"])
    dodo.post.take()
    return str(next(reversed(dodo.books.subscriptions)))


def kinds(dodo: DodoSandbox) -> list[str]:
    return [delivery.kind for delivery in dodo.post.take()]


class Receiver:
    """Somebody who takes webhooks, after as many refusals."""

    def __init__(self, *, refusals: int = 0) -> None:
        receiver = self
        self.ids: list[str] = []

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                self.rfile.read(int(self.headers["content-length"]))
                receiver.ids.append(self.headers["webhook-id"])
                self.send_response(500 if len(receiver.ids) <= refusals else 200)
                self.end_headers()

            def log_message(self, format: str, *args: Any) -> None:
                """Says nothing."""

        self._server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/hook"

    def __enter__(self) -> "Receiver":
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._server.shutdown()
        self._server.server_close()
