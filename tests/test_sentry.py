"""Sentry, where somebody has switched it on: it gets what went wrong, and nobody's secrets."""

import gzip
import json
import os
import subprocess
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parent.parent
REQUEST_ID = "a-request-to-follow"
SCRIPT = """
import django, logging
django.setup()
import sentry_sdk, structlog
from django.conf import settings
from django.test import Client
settings.ROOT_URLCONF = "tests.failing_urls"
client = Client(raise_request_exception=False, SERVER_NAME="localhost")
structlog.get_logger("x").error("said", password="canary-1", url="https://a:canary-2@b/?token=canary-3")
logging.getLogger("y").error("said %s", "Bearer canary-4")
answer = client.post(
    "/fail/?password=canary-5&token=canary-6",
    {"password": "canary-7", "email": "canary@example.com"},
    content_type="application/json",
    headers={
        "authorization": "Bearer canary-8", "cookie": "sessionid=canary-9", "x-api-key": "canary-10",
        "x-request-id": "a-request-to-follow", "user-agent": "canary@example.com",
    },
)
assert answer.status_code == 500, answer
# As somebody would set it who wants traces too.
sentry_sdk.get_client().options["traces_sample_rate"] = 1.0
with sentry_sdk.start_transaction(name="canary@example.com", op="token=canary-11"):
    pass
sentry_sdk.set_user({"email": "canary@example.com", "ip_address": "192.0.2.1"})
secret = "canary-12"
def fail(password):
    raise ValueError(f"password={password}")
try:
    fail(secret)
except ValueError as error:
    sentry_sdk.capture_exception(error)
sentry_sdk.flush(timeout=10)
"""


TRACED = """
import django
django.setup()
import sentry_sdk
from celery.signals import before_task_publish
message, trace = {}, "0123456789abcdef" * 2
sentry_sdk.continue_trace({"sentry-trace": f"{trace}-0123456789abcdef"})
before_task_publish.send(sender="a.task", headers=message, body=None)
assert message["headers"]["sentry-trace"].startswith(trace), message
assert f"sentry-trace_id={trace}" in message["headers"]["baggage"], message
"""


class Collector(BaseHTTPRequestHandler):
    """Takes what a real client would send to Sentry."""

    envelopes: list[bytes]

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.envelopes.append(gzip.decompress(body) if self.headers["Content-Encoding"] == "gzip" else body)
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, *_: Any) -> None:
        """It says nothing."""


@pytest.fixture(scope="module")
def envelopes():
    class Mine(Collector):
        envelopes: list[bytes] = []

    with ThreadingHTTPServer(("127.0.0.1", 0), Mine) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        dsn = f"http://publickey@127.0.0.1:{server.server_port}/1"
        environment = {**os.environ, "SENTRY_DSN": dsn, "DJANGO_SETTINGS_MODULE": "config.settings"}
        done = subprocess.run([sys.executable, "-c", SCRIPT], cwd=ROOT, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        assert "canary" not in done.stdout + done.stderr
        yield Mine.envelopes
        server.shutdown()


def events(envelopes):
    """The items of all envelopes that are JSON objects: a line of headers goes before each."""
    items = [json.loads(line) for body in envelopes for line in body.splitlines()]
    return [item for item in items if "event_id" in item and "platform" in item]


def test_no_secret_reaches_it(envelopes):
    found = b"\n".join(envelopes)
    assert b"[redacted]" in found
    assert b"canary" not in found


def test_it_learns_what_went_wrong_and_where(envelopes):
    (event,) = [event for event in events(envelopes) if "CannotServe" in json.dumps(event.get("exception", ""))]
    frames = event["exception"]["values"][0]["stacktrace"]["frames"]
    assert frames[-1]["function"] == "fail"
    assert frames[-1]["lineno"] > 0
    assert "vars" not in frames[-1]


def test_an_event_is_found_again_by_the_id_of_its_request(envelopes):
    (event,) = [event for event in events(envelopes) if "CannotServe" in json.dumps(event.get("exception", ""))]
    assert event["tags"]["request_id"] == REQUEST_ID


def test_a_message_carries_on_the_trace_of_who_sent_it():
    # Nobody listens there: nothing is reported.
    given = {"SENTRY_DSN": "http://publickey@127.0.0.1:9/1", "DJANGO_SETTINGS_MODULE": "config.settings"}
    words = [sys.executable, "-c", TRACED]
    done = subprocess.run(words, cwd=ROOT, env={**os.environ, **given}, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_it_gets_no_bodies_no_cookies_and_nobody(envelopes):
    for event in events(envelopes):
        assert {"data", "cookies", "env"} & event.get("request", {}).keys() == set()
        assert "user" not in event
    assert any(event.get("type") == "transaction" for event in events(envelopes))
