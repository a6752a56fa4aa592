"""The access log's rows, as they are written down."""

import asyncio
import threading
import time
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import pytest
from django.core.asgi import get_asgi_application
from django.http import FileResponse, HttpRequest, HttpResponse, StreamingHttpResponse
from django.test import AsyncClient, Client
from django.urls import path
from rest_framework.decorators import api_view

from accounts.models import User
from analytics.middleware import COLUMNS, SPOOL, WAITERS
from core.api import no_such_endpoint, not_found, server_error
from core.spool import SEGMENT_BYTES

pytestmark = pytest.mark.django_db

BROWSER = "Mozilla/5.0 (X11; Linux x86_64)"


@pytest.fixture
def log(settings, tmp_path):
    """What is written down, as rows."""
    settings.SPOOL_DIR = tmp_path / "spool"
    SPOOL.close()
    yield lambda: [row for path in sorted(settings.SPOOL_DIR.glob("*.rows")) for row in rows_of(path)]
    SPOOL.close()


def rows_of(path):
    header, *lines = path.read_bytes().rstrip(b"\0").decode().splitlines()
    for line in lines if header.startswith(SPOOL.table) else ():
        fields = [None if field == r"\N" else field for field in line.split("\t")]
        yield SimpleNamespace(**dict(zip(COLUMNS, fields, strict=True)))


@pytest.fixture
def browser(settings):
    settings.ROOT_URLCONF = __name__
    return Client(raise_request_exception=False, headers={"User-Agent": BROWSER})


# The places to go


def say_hello(request: HttpRequest, name: str) -> HttpResponse:
    return HttpResponse(f"Hello {name}")


def fail(request: HttpRequest) -> HttpResponse:
    raise RuntimeError("no")


@api_view(["POST"])
def close_the_door(request: HttpRequest) -> HttpResponse:
    raise AssertionError("Nobody gets in here.")


def stream(request: HttpRequest, end: str) -> StreamingHttpResponse:
    def parts():
        for _ in range(3):
            yield b"part"
            time.sleep(0.02)
        if end == "fails":
            raise RuntimeError("no more")

    return StreamingHttpResponse(parts())


def file(request: HttpRequest) -> FileResponse:
    return FileResponse(open(__file__, "rb"))


async def stream_later(request: HttpRequest, end: str) -> StreamingHttpResponse:
    async def parts():
        for _ in range(3):
            yield b"part"
            await asyncio.sleep(0.02)
        if end == "fails":
            raise RuntimeError("no more")
        if end == "waits":
            await asyncio.sleep(60)

    return StreamingHttpResponse(parts())


async def answer_slowly(request: HttpRequest) -> HttpResponse:
    await asyncio.sleep(60)
    return HttpResponse()


urlpatterns = [
    path("hello/<str:name>/", say_hello),
    path("health/live/", say_hello, {"name": "probe"}),
    path("metrics", say_hello, {"name": "prometheus"}),
    path("fail/", fail),
    path("door/", close_the_door),
    path("stream/<str:end>/", stream),
    path("file/", file),
    path("later/<str:end>/", stream_later),
    path("slow/", answer_slowly),
    path("elsewhere/", no_such_endpoint),
]
handler404, handler500 = not_found, server_error


def test_a_request_is_one_row(browser, log):
    before = datetime.now(UTC)
    answer = browser.get("/hello/ana/?token=s3cret", headers={"X-Request-ID": "a-request-0001"})
    (row,) = log()
    assert (row.method, row.route, row.status) == ("GET", "hello/<str:name>/", "200")
    assert (row.ip, row.user_agent, row.user_id, row.error_code) == ("127.0.0.1", BROWSER, None, "")
    assert row.request_id == answer["X-Request-ID"] == "a-request-0001"
    assert before <= datetime.fromisoformat(row.created_at) <= datetime.now(UTC)
    assert UUID(row.id).version == 7
    assert 0 < int(row.duration_us) < 5_000_000


def test_who_asked_is_known_from_the_token(api, user, log):
    assert api.get("/api/accounts/subscription/").status_code == 200
    (row,) = log()
    assert (row.route, UUID(row.user_id)) == ("api/accounts/subscription/", user.pk)


def test_who_asked_is_known_from_the_session_where_a_page_has_asked_for_it(client, log):
    client.force_login(User.objects.create_superuser("boss@example.com", "a long password"))
    client.get("/admin/")
    assert UUID(log()[-1].user_id) == User.objects.get().pk


def test_a_session_is_not_looked_up_for_its_sake(user, browser, log, django_assert_num_queries):
    browser.force_login(user)
    with django_assert_num_queries(0):
        browser.get("/hello/ana/")
    assert log()[-1].user_id is None


def test_what_is_answered_before_anybody_can_be_known_is_recorded(settings, browser, log):
    settings.SECURE_SSL_REDIRECT = True
    assert browser.get("/hello/ana/").status_code == 301
    (row,) = log()
    assert (row.route, row.status, row.user_id) == ("", "301", None)


def test_an_error_is_recorded_with_its_code(browser, log):
    for address in ("/elsewhere/", "/nowhere/", "/door/", "/fail/"):
        browser.get(address)
    seen = [(row.route, row.status, row.error_code) for row in log()]
    assert seen[:2] == [("elsewhere/", "404", "not_found"), ("", "404", "not_found")]
    assert seen[2:] == [("door/", "401", "unauthenticated"), ("fail/", "500", "internal")]


@pytest.mark.parametrize("address", ["/health/live/", "/metrics", "/static/unfold/css/styles.css"])
def test_probes_scrapes_and_static_files_are_not_recorded(browser, log, address):
    browser.get(address).close()
    assert log() == []
    browser.get(f"{address}-and-more").close()
    assert len(log()) == (not address.startswith("/static/"))


def test_what_is_too_long_or_odd_is_cut_and_escaped(browser, log):
    browser.generic("BREW" * 10, "/hello/ana/", headers={"User-Agent": "x\ty" + "z" * 999})
    (row,) = log()
    assert row.method == "OTHER"
    assert len(row.user_agent) <= 301


def test_without_room_it_is_not_served(settings, browser, log):
    settings.SPOOL_MAX_BYTES = SEGMENT_BYTES - 1
    start = time.monotonic()
    answer = browser.post("/door/")
    assert 0.9 < time.monotonic() - start < 2
    assert (answer.status_code, answer["Retry-After"], answer.json()["code"]) == (503, "1", "unavailable")
    assert answer.json()["request_id"] == answer["X-Request-ID"]
    assert browser.get("/health/live/").status_code == 200


def test_only_a_few_wait_for_room_and_the_others_are_answered_at_once(settings, browser, log):
    settings.SPOOL_MAX_BYTES = 0
    waited = []

    def ask():
        start = time.monotonic()
        assert browser.post("/door/").status_code == 503
        waited.append(time.monotonic() - start)

    threads = [threading.Thread(target=ask) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(seconds > 0.9 for seconds in waited) == WAITERS
    assert sum(seconds < 0.5 for seconds in waited) == 6 - WAITERS


def test_when_room_comes_while_it_waits_it_is_served(settings, browser, log):
    settings.SPOOL_MAX_BYTES = 0
    threading.Timer(0.3, lambda: setattr(settings, "SPOOL_MAX_BYTES", 8 * SEGMENT_BYTES)).start()
    assert browser.get("/hello/ana/").status_code == 200
    assert len(log()) == 1


def test_a_stream_is_timed_to_its_end(browser, log):
    answer = browser.get("/stream/well/")
    assert log() == []
    assert b"".join(answer) == b"partpartpart"
    (row,) = log()
    assert (row.status, row.error_code) == ("200", "")
    assert int(row.duration_us) > 60_000
    answer.close()
    assert len(log()) == 1


def test_a_stream_that_nobody_reads_to_its_end_is_recorded(browser, log):
    answers = [browser.get("/stream/well/") for _ in range(2)]
    next(iter(answers[0]))
    for answer in answers:
        answer.close()
    assert [row.status for row in log()] == ["200", "200"]


def test_a_stream_that_fails_is_recorded_as_an_error(browser, log):
    with pytest.raises(RuntimeError, match="no more"):
        list(browser.get("/stream/fails/"))
    (row,) = log()
    assert (row.status, row.error_code) == ("500", "internal")


def test_a_file_is_one_row(browser, log):
    assert b"".join(browser.get("/file/")).startswith(b'"""The access log')
    (row,) = log()
    assert (row.route, row.status) == ("file/", "200")


class Listener:
    """A browser at the other end of the ASGI application."""

    def __init__(self, address: str, *, leaves_after: int = 99) -> None:
        self.scope = {
            "type": "http", "method": "GET", "path": address, "headers": [(b"host", b"localhost")], "query_string": b"",
            "client": ("127.0.0.1", 1),
        }  # fmt: skip
        self.leaves_after, self.parts, self.asked = leaves_after, 0, False
        self.gone = asyncio.Event()

    async def receive(self):
        if self.asked and self.leaves_after:
            await self.gone.wait()
        if self.asked:
            await asyncio.sleep(0.2)
            return {"type": "http.disconnect"}
        self.asked = True
        return {"type": "http.request"}

    async def send(self, message):
        self.parts += bool(message.get("body"))
        if self.parts >= self.leaves_after:
            self.gone.set()

    async def listen(self) -> None:
        await get_asgi_application()(self.scope, self.receive, self.send)


def test_an_asynchronous_stream_is_timed_to_its_end(browser, log):
    asyncio.run(Listener("/later/well/").listen())
    (row,) = log()
    assert (row.route, row.status, row.error_code) == ("later/<str:end>/", "200", "")
    assert int(row.duration_us) > 60_000


def test_an_asynchronous_stream_whose_listener_leaves_is_recorded(browser, log):
    asyncio.run(Listener("/later/waits/", leaves_after=3).listen())
    asyncio.run(Listener("/later/well/", leaves_after=1).listen())
    assert [(row.status, row.error_code) for row in log()] == [("200", "")] * 2


def test_a_caller_who_leaves_before_there_is_an_answer_is_recorded(browser, log):
    asyncio.run(Listener("/slow/", leaves_after=0).listen())
    (row,) = log()
    assert (row.route, row.status) == ("slow/", "499")


def test_an_asynchronous_stream_that_fails_is_recorded_as_an_error(browser, log):
    async def listen() -> None:
        answer: Any = await AsyncClient().get("/later/fails/")
        async for _ in answer:
            pass

    with pytest.raises(RuntimeError, match="no more"):
        asyncio.run(listen())
    (row,) = log()
    assert (row.status, row.error_code) == ("500", "internal")
