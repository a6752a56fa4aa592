"""Streams as the server gives them out: what a browser gets, and what many of them hold on to."""

import asyncio
import json
import threading
import time
from collections.abc import AsyncGenerator
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection
from django.http import HttpRequest, StreamingHttpResponse
from django.urls import path
from pytest_django import Settings

from accounts.identity.local import start_session
from accounts.models import User
from config.streaming import AT_ONCE, Streams
from core import redis
from core.streams import HEARTBEAT, append, encode, respond_with, tail

# More than have a thread at a time, and than there may be connections in a small deployment's pool.
BROWSERS = AT_ONCE + 8


@pytest.fixture
def name() -> str:
    return f"test:{uuid4()}"


def clients() -> int:
    time.sleep(0.05)
    return len(redis.client().client_list())


async def events_of(name: str) -> AsyncGenerator[bytes, None]:
    async for event in tail(name, heartbeat=0.1, patience=0.3):
        yield encode(event.name, json.loads(event.data), event_id=event.event_id) if event else HEARTBEAT


def events_view(request: HttpRequest, name: str) -> StreamingHttpResponse:
    ask_database()
    return respond_with(events_of(name))


def ask_database() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()")
        return int(cursor.fetchone()[0])


STREAMS = Streams()
urlpatterns = [path("events/<str:name>/", events_view)]


class Browser:
    """Opens one address through the whole ASGI application, and reads until told to leave."""

    def __init__(self, name: str) -> None:
        self.scope: dict[str, Any] = {
            "type": "http", "method": "GET", "path": f"/events/{name}/", "query_string": b"",
            "headers": [(b"host", b"localhost")], "asgi": {"version": "3.0"}, "http_version": "1.1", "scheme": "http",
        }  # fmt: skip
        self.status, self.headers, self.body = 0, dict[bytes, bytes](), b""
        self.began, self.left, self.asked = asyncio.Event(), asyncio.Event(), False

    async def visit(self) -> None:
        await STREAMS(self.scope, self.receive, self.send)

    async def receive(self) -> dict[str, Any]:
        if self.asked:
            await self.left.wait()
            return {"type": "http.disconnect"}
        self.asked = True
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(self, message: Any) -> None:
        if message["type"] == "http.response.start":
            self.status, self.headers = message["status"], dict(message["headers"])
        self.body += message.get("body", b"")
        if b"row-1" in self.body:
            self.began.set()


@pytest.mark.urls(__name__)
@pytest.mark.django_db(transaction=True, serialized_rollback=True)
def test_many_streams_hold_few_threads_and_no_connection_to_the_database(name: str) -> None:
    append(name, "status", 1, event_id="row-1")
    sessions, redis_clients = ask_database(), clients()

    async def scenario() -> None:
        browsers = [Browser(name) for _ in range(BROWSERS)]
        visits = [asyncio.create_task(browser.visit()) for browser in browsers]
        await asyncio.wait_for(asyncio.gather(*(browser.began.wait() for browser in browsers)), 5)
        assert sum(thread.name.startswith("streams") for thread in threading.enumerate()) <= AT_ONCE
        assert ask_in_thread() == sessions + 1
        for browser in browsers[:-4]:
            browser.left.set()
        await asyncio.wait_for(asyncio.gather(*visits[:-4]), 2)
        assert clients() == redis_clients + 4
        append(name, "done", 2, last=True)
        await asyncio.wait_for(asyncio.gather(*visits[-4:]), 2)
        for browser in browsers[-4:]:
            assert browser.body.replace(HEARTBEAT, b"").startswith(
                b"event: status\nid: row-1\ndata: 1\n\nevent: done\n"
            )
            assert browser.status == 200
            assert browser.headers[b"Content-Type"] == b"text/event-stream"
            assert browser.headers[b"Cache-Control"] == b"no-store"
            assert browser.headers[b"X-Accel-Buffering"] == b"no"

    asyncio.run(scenario())
    assert clients() == redis_clients


def ask_in_thread() -> int:
    found = []

    def run() -> None:
        found.append(ask_database())
        connection.close()

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    return found[0]


@pytest.mark.urls(__name__)
@pytest.mark.django_db(transaction=True, serialized_rollback=True)
def test_an_answer_ends_when_the_stream_is_gone(name: str) -> None:
    async def scenario() -> bytes:
        browser = Browser(name)
        await asyncio.wait_for(browser.visit(), 5)
        return browser.body

    assert asyncio.run(scenario()).replace(HEARTBEAT, b"") == b""


class Flood(Browser):
    """Sends a body without an end."""

    sent = 0

    async def receive(self) -> dict[str, Any]:
        await asyncio.sleep(0)
        if self.left.is_set():
            return {"type": "http.disconnect"}
        self.sent += 65536
        return {"type": "http.request", "body": b"x" * 65536, "more_body": True}

    async def send(self, message: Any) -> None:
        await super().send(message)
        if message["type"] == "http.response.body" and not message.get("more_body"):
            self.left.set()


@pytest.mark.django_db(transaction=True, serialized_rollback=True)
@pytest.mark.parametrize("signed_in", [True, False])
def test_a_body_without_an_end_is_refused_and_not_kept(user: User, settings: Settings, signed_in: bool) -> None:
    settings.SECURE_SSL_REDIRECT = False
    flood = Flood("")
    flood.scope |= {"method": "POST", "path": f"/api/analysis/chat/sessions/{uuid4()}/messages/stream/"}
    flood.scope["headers"] += [(b"content-type", b"application/json"), (b"content-length", b"1000000000")]
    if signed_in:
        flood.scope["headers"] += [(b"authorization", f"Bearer {start_session(user).access}".encode())]
    asyncio.run(asyncio.wait_for(flood.visit(), 10))
    told = json.loads(flood.body)
    assert (flood.status, told["code"]) == ((413, "too_large") if signed_in else (401, "unauthenticated"))
    assert told["request_id"]
