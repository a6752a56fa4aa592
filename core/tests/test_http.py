"""The one door out, against real servers on this machine that misbehave in every way we could think of."""

import io
import os
import socket
import ssl
import time
import tracemalloc
import zlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from threading import Event, Thread
from typing import Any

import pytest
import structlog
from pytest_django import Settings
from structlog.testing import capture_logs

from core import errors
from core.addresses import Network
from core.http import Answer, Door, VendorCall

Step = bytes | Callable[[socket.socket], Any]
TLS = ssl.create_default_context()
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


class Server:
    """Answers each request with the next step, and goes on with the last. A step may take the socket over."""

    def __init__(self, *steps: Step, wrap: Callable[[socket.socket], socket.socket] = lambda plain: plain) -> None:
        self.steps, self.wrap, self.connections, self.heard = list(steps), wrap, 0, list[str]()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self.listener.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}/path"
        Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        with suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self.listener.accept()
                self.connections += 1
                Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, plain: socket.socket) -> None:
        with suppress(OSError), plain, self.wrap(plain) as connection:
            while request := _read_request(connection):
                self.heard.append(request)
                step = self.steps.pop(0) if len(self.steps) > 1 else self.steps[0]
                if callable(step):
                    step(connection)
                    return
                connection.sendall(step)


def _read_request(connection: socket.socket) -> str:
    received = b""
    while b"\r\n\r\n" not in received:
        if not (data := connection.recv(65536)):
            return ""
        received += data
    head, _, body = received.partition(b"\r\n\r\n")
    declared = [int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
    while len(body) < sum(declared) and (data := connection.recv(65536)):
        body += data
    return (head + b"\r\n\r\n" + body).decode("latin-1")


def reply(body: bytes = b"{}", *headers: str, status: int = 200) -> bytes:
    lines = [f"HTTP/1.1 {status} Word", f"Content-Length: {len(body)}", *headers, "", ""]
    return "\r\n".join(lines).encode() + body


def hang(connection: socket.socket) -> None:
    connection.recv(1)


def send_forever(*parts: bytes, pause: float = 0.0) -> Callable[[socket.socket], None]:
    def send(connection: socket.socket) -> None:
        for part in parts[:-1]:
            connection.sendall(part)
        while True:
            connection.sendall(parts[-1])
            time.sleep(pause)

    return send


@pytest.fixture
def serve(settings: Settings) -> Iterator[Callable[..., Server]]:
    servers: list[Server] = []

    def start(*steps: Step) -> Server:
        servers.append(Server(*steps))
        settings.OUTBOUND_ALLOWED_HOSTS = [f"127.0.0.1:{server.port}" for server in servers]
        return servers[-1]

    yield start
    for server in servers:
        server.close()


class Visitor:
    """A door whose pauses and records are kept, and whose pauses take no time."""

    def __init__(self) -> None:
        self.pauses: list[float] = []
        self.records: list[VendorCall] = []
        self.network = Network(tls=TLS)
        self.door = Door(network=self.network, sleep=self.pauses.append)
        self.door.on_call(self.records.append)

    def ask(self, server: Server, **fields: Any) -> Answer:
        return self.door.request(**{"vendor": "acme", "operation": "posts", "url": server.url, **fields})


@pytest.fixture
def visitor() -> Iterator[Visitor]:
    visitor = Visitor()
    yield visitor
    visitor.network.close()


Serve = Callable[..., Server]


@pytest.mark.parametrize("status", [200, 201, 204, 302, 400, 401, 404, 409, 422, 501])
def test_it_gives_back_every_status_that_a_vendor_may_mean(serve: Serve, visitor: Visitor, status: int) -> None:
    answer = visitor.ask(serve(reply(b"" if status == 204 else b'{"a": 1}', status=status)))
    assert answer.status == status
    assert visitor.records[0].outcome == ("ok" if status < 400 else "vendor_refused")


def test_it_sends_what_it_was_given_and_asks_for_plain_bytes(serve: Serve, visitor: Visitor) -> None:
    server = serve(reply())
    visitor.ask(server, method="POST", params={"q": "a b"}, json={"n": 1}, headers={"X-Api-Key": "k"})
    (heard,) = server.heard
    assert heard.startswith("POST /path?q=a+b HTTP/1.1\r\n")
    assert heard.endswith('\r\n\r\n{"n":1}')
    for line in (f"Host: 127.0.0.1:{server.port}", "x-api-key: k", "accept-encoding: identity"):
        assert f"\r\n{line.lower()}\r\n" in heard.lower()


def test_it_leaves_a_signed_address_as_it_is(serve: Serve, visitor: Visitor) -> None:
    server = serve(reply())
    visitor.ask(server, url=server.url + "?sig=a%2Fb%20c+d&x")
    assert server.heard[0].startswith("GET /path?sig=a%2Fb%20c+d&x HTTP/1.1")


def test_it_refuses_what_is_not_success_where_the_caller_asks_so(serve: Serve, visitor: Visitor) -> None:
    answer = visitor.ask(serve(reply(b"secret body", status=403)))
    with pytest.raises(errors.VendorRefused) as refusal:
        answer.require_success()
    assert refusal.value.details == {"status": 403}
    assert "secret" not in repr(answer)


@pytest.mark.parametrize(
    "body", [b"", b"<html>", b'{"a": ', b"NaN", b"[" * 100_000, b"\xef\xbb\xbf{}", b'"\xff"', b"```json\n{}```"]
)
def test_it_calls_a_broken_json_body_an_invalid_answer(serve: Serve, visitor: Visitor, body: bytes) -> None:
    with pytest.raises(errors.VendorAnswerInvalid):
        visitor.ask(serve(reply(body))).json()


@pytest.mark.parametrize(
    ("step", "error"),
    [
        (b"\x00\x01\x02 not http\r\n\r\n", errors.VendorAnswerInvalid),
        (b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n", errors.VendorAnswerInvalid),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", errors.VendorAnswerInvalid),
        (CHUNKED + b"zz\r\n", errors.VendorAnswerInvalid),
        (send_forever(b"HTTP/1.1 200 OK\r\n", b"X-More: and more\r\n"), errors.VendorAnswerInvalid),
        (
            lambda connection: connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nab"),
            errors.VendorUnavailable,
        ),
        (lambda connection: connection.sendall(CHUNKED + b"5\r\nab"), errors.VendorUnavailable),
        (lambda connection: None, errors.VendorUnavailable),
    ],
)
def test_it_tells_garbage_from_a_broken_connection(
    serve: Serve, visitor: Visitor, step: Step, error: type[errors.Problem]
) -> None:
    with pytest.raises(error) as problem:
        visitor.ask(serve(step), idempotent=False)
    assert type(problem.value) is error


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_it_tries_three_times_and_then_says_what_is_wrong(serve: Serve, visitor: Visitor, status: int) -> None:
    server = serve(reply(status=status))
    with pytest.raises(errors.VendorBusy if status == 429 else errors.VendorUnavailable):
        visitor.ask(server)
    assert len(server.heard) == visitor.records[0].attempts == 3
    assert 0 <= visitor.pauses[0] <= 0.5
    assert 0 <= visitor.pauses[1] <= 1.0


def test_it_ends_well_when_the_vendor_recovers(serve: Serve, visitor: Visitor) -> None:
    server = serve(lambda connection: None, reply(status=503), reply(b"[1]"))
    assert visitor.ask(server).json() == [1]
    assert (visitor.records[0].outcome, visitor.records[0].attempts) == ("ok", 3)


@pytest.mark.parametrize(
    ("fields", "tries"),
    [
        ({"method": "POST"}, 1),
        ({"method": "PATCH"}, 1),
        ({"method": "POST", "idempotent": True}, 3),
        ({"method": "PUT"}, 3),
        ({"method": "DELETE"}, 3),
        ({"idempotent": False}, 1),
    ],
)
def test_it_repeats_only_what_is_harmless(serve: Serve, visitor: Visitor, fields: dict[str, Any], tries: int) -> None:
    server = serve(reply(status=500))
    with pytest.raises(errors.VendorUnavailable):
        visitor.ask(server, **fields)
    assert len(server.heard) == tries


def test_it_sends_a_file_again_from_its_start(serve: Serve, visitor: Visitor) -> None:
    server = serve(reply(status=502), reply())
    visitor.ask(server, method="PUT", content=io.BytesIO(b"film" * 50_000))
    assert [len(heard.partition("\r\n\r\n")[2]) for heard in server.heard] == [200_000, 200_000]


def test_it_hands_over_a_status_that_the_caller_accepts(serve: Serve, visitor: Visitor) -> None:
    assert visitor.ask(serve(reply(b"why", status=503)), accept={503}).body == b"why"


def test_it_waits_as_many_seconds_as_the_vendor_asks(serve: Serve, visitor: Visitor) -> None:
    visitor.ask(serve(reply(b"", "Retry-After: 2", status=429), reply()))
    assert 2.0 <= visitor.pauses[0] <= 2.5


def test_it_waits_until_the_moment_the_vendor_names(serve: Serve, visitor: Visitor) -> None:
    moment = format_datetime(datetime.now(UTC) + timedelta(seconds=5), usegmt=True)
    visitor.ask(serve(reply(b"", f"Retry-After: {moment}", status=503), reply()))
    assert 2.0 <= visitor.pauses[0] <= 5.5


@pytest.mark.parametrize(("value", "told"), [("11", 11), ("99999999", 86_400), ("9" * 4500, 86_400)])
def test_it_does_not_sleep_long_but_passes_the_wait_on(serve: Serve, visitor: Visitor, value: str, told: float) -> None:
    with pytest.raises(errors.VendorBusy) as busy:
        visitor.ask(serve(reply(b"", f"Retry-After: {value}", status=429)))
    assert (busy.value.retry_after, visitor.pauses) == (told, [])


def test_it_never_sleeps_past_the_deadline(serve: Serve, visitor: Visitor) -> None:
    with pytest.raises(errors.VendorBusy):
        visitor.ask(serve(reply(b"", "Retry-After: 3", status=429)), timeout=2)
    assert visitor.pauses == []


@pytest.mark.parametrize(
    "value", ["", "soon", "-5", "1e9", "Wed, 99 Oct 2025", "Mon, 01 Jan 99999999999 00:00:00 GMT", "nan"]
)
def test_it_survives_a_senseless_retry_after(serve: Serve, visitor: Visitor, value: str) -> None:
    with pytest.raises(errors.VendorBusy) as busy:
        visitor.ask(serve(reply(b"", f"Retry-After: {value}", status=429)))
    assert busy.value.retry_after is None


@pytest.mark.parametrize(
    "step",
    [
        hang,
        send_forever(CHUNKED, b"1\r\nx\r\n", pause=0.05),
        send_forever(b"HTTP/1.1 200 OK\r\nX: ", b"x", pause=0.05),
        send_forever(b"HTTP/1.1 103 Early Hints\r\n\r\n"),
    ],
    ids=["hang", "dripped body", "dripped headers", "endless hints"],
)
def test_it_ends_at_the_deadline_whatever_the_vendor_does(serve: Serve, visitor: Visitor, step: Step) -> None:
    started = time.monotonic()
    with pytest.raises(errors.VendorTimeout):
        visitor.ask(serve(step), timeout=0.4)
    assert 0.3 < time.monotonic() - started < 0.8


def test_it_ends_at_the_deadline_when_the_vendor_does_not_listen(visitor: Visitor, settings: Settings) -> None:
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        pair = f"127.0.0.1:{deaf.getsockname()[1]}"
        settings.OUTBOUND_ALLOWED_HOSTS = [pair]
        call: dict[str, Any] = {"vendor": "a", "operation": "b", "url": f"http://{pair}/", "timeout": 0.4}
        started = time.monotonic()
        with pytest.raises(errors.VendorTimeout):
            visitor.door.request(**call, method="POST", content=b"x" * 30_000_000)
        assert time.monotonic() - started < 0.8


def test_it_leaves_time_to_try_again_after_a_silence(serve: Serve, visitor: Visitor) -> None:
    assert visitor.ask(serve(hang, reply(b"[]")), read_timeout=0.2, timeout=5).json() == []


@pytest.mark.parametrize(
    "step",
    [
        send_forever(CHUNKED, b"2000\r\n" + b"x" * 8192 + b"\r\n"),
        send_forever(b"HTTP/1.1 200 OK\r\n\r\n", b"x" * 8192),
    ],
    ids=["endless chunks", "endless body without a length"],
)
def test_it_stops_at_the_largest_size(serve: Serve, visitor: Visitor, step: Step) -> None:
    server = serve(step)
    with pytest.raises(errors.VendorAnswerTooLarge):
        visitor.ask(server, max_bytes=200_000)
    assert visitor.records[0].bytes < 200_000 + 2 * 65_536
    assert visitor.records[0].attempts == 1


def test_it_reads_nothing_of_a_body_that_is_declared_too_large(serve: Serve, visitor: Visitor) -> None:
    with pytest.raises(errors.VendorAnswerTooLarge):
        visitor.ask(serve(reply(b"x" * 11)), max_bytes=10)
    assert visitor.records[0].bytes == 0


def test_it_takes_a_body_of_exactly_the_largest_size(serve: Serve, visitor: Visitor) -> None:
    assert visitor.ask(serve(reply(b"x" * 100_000)), max_bytes=100_000).body == b"x" * 100_000


def test_it_asks_for_the_head_of_something_larger(serve: Serve, visitor: Visitor) -> None:
    server = serve(b"HTTP/1.1 200 OK\r\nContent-Length: 99999999\r\n\r\n")
    assert visitor.ask(server, method="HEAD", max_bytes=10).headers["Content-Length"] == "99999999"


@pytest.mark.parametrize(
    "left_over", [b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil", b"\r\n", b"more", b"HTTP/1.1 2"]
)
def test_it_never_takes_what_one_answer_left_behind_for_the_next(
    serve: Serve, visitor: Visitor, left_over: bytes
) -> None:
    server = serve(reply(b"[]") + left_over, reply())
    assert [visitor.ask(server).body, visitor.ask(server).body] == [b"[]", b"{}"]


def test_it_does_not_inflate_a_bomb(serve: Serve, visitor: Visitor) -> None:
    squeeze = zlib.compressobj(wbits=31)
    block = squeeze.compress(bytes(1_000_000)) + squeeze.flush(zlib.Z_FULL_FLUSH)
    server = serve(send_forever(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n", block))
    tracemalloc.start()
    with pytest.raises(errors.VendorAnswerInvalid):
        visitor.ask(server)
    assert tracemalloc.get_traced_memory()[1] < 5_000_000
    tracemalloc.stop()


def test_it_streams_in_bounded_chunks_and_records_at_the_end(serve: Serve, visitor: Visitor) -> None:
    server = serve(reply(b"x" * 1_000_000))
    with visitor.door.stream(vendor="acme", operation="media", url=server.url) as incoming:
        assert (incoming.status, incoming.headers["content-length"], visitor.records) == (200, "1000000", [])
        sizes = [len(chunk) for chunk in incoming]
    assert (sum(sizes), max(sizes) <= 131_072, visitor.records[0].bytes) == (1_000_000, True, 1_000_000)


def test_it_records_a_stream_whose_reader_fails(serve: Serve, visitor: Visitor) -> None:
    server = serve(send_forever(CHUNKED, b"2000\r\n" + b"x" * 8192 + b"\r\n"), reply(b"next"))
    with suppress(ZeroDivisionError), visitor.door.stream(vendor="a", operation="b", url=server.url) as incoming:
        next(iter(incoming))
        raise ZeroDivisionError
    assert visitor.records[0].outcome == "interrupted"
    assert visitor.ask(server).body == b"next"


@pytest.mark.parametrize("head", ["200 OK", "503 Busy", "302 Found\r\nLocation: /two"])
def test_it_hangs_up_on_a_body_that_nobody_reads(serve: Serve, visitor: Visitor, head: str) -> None:
    hung_up = Event()

    def send_half(connection: socket.socket) -> None:
        connection.sendall(f"HTTP/1.1 {head}\r\nContent-Length: 9\r\n\r\nhalf".encode())
        if not connection.recv(1):
            hung_up.set()

    server = serve(send_half, reply())
    with visitor.door.stream(vendor="a", operation="b", url=server.url, follow_redirects=True):
        pass
    assert hung_up.wait(1)


def test_it_meets_the_deadline_in_the_middle_of_a_stream(serve: Serve, visitor: Visitor) -> None:
    server = serve(send_forever(CHUNKED, b"1\r\nx\r\n", pause=0.05))
    stream = visitor.door.stream(vendor="a", operation="b", url=server.url, timeout=0.3)
    with pytest.raises(errors.VendorTimeout), stream as incoming:
        list(incoming)
    assert visitor.records[0].outcome == "vendor_timeout"


def redirect(to: str, status: int = 302) -> bytes:
    return reply(b"moved", f"Location: {to}", status=status)


def test_it_follows_no_redirect_unless_asked(serve: Serve, visitor: Visitor) -> None:
    answer = visitor.ask(serve(redirect("/elsewhere"), reply()))
    assert (answer.status, answer.headers["location"]) == (302, "/elsewhere")


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_it_follows_a_redirect_with_its_headers_within_one_origin(serve: Serve, visitor: Visitor, status: int) -> None:
    server = serve(redirect("/two", status), reply(b"found"))
    answer = visitor.ask(server, headers={"Authorization": "Bearer key"}, follow_redirects=True)
    assert (answer.body, answer.url) == (b"found", f"http://127.0.0.1:{server.port}/two")
    assert "authorization: Bearer key" in server.heard[1]


def test_it_leaves_every_key_behind_when_a_redirect_crosses_origins(serve: Serve, visitor: Visitor) -> None:
    other = serve(reply())
    first = serve(redirect(other.url))
    keys = {
        "Authorization": "Bearer s3cret",
        "Cookie": "s3cret",
        "X-Api-Key": "s3cret",
        "apikey": "s3cret",
        "Range": "bytes=0-9",
    }
    visitor.ask(first, headers=keys, params={"key": "s3cret"}, follow_redirects=True)
    assert first.heard[0].count("s3cret") == 5
    assert "s3cret" not in other.heard[0]
    assert "range: bytes=0-9" in other.heard[0]


def test_it_gives_up_after_five_redirects(serve: Serve, visitor: Visitor) -> None:
    server = serve(redirect("/again"))
    with pytest.raises(errors.AddressRefused):
        visitor.ask(server, follow_redirects=True)
    assert len(server.heard) == 6


def test_it_does_not_carry_a_body_through_a_redirect(serve: Serve, visitor: Visitor) -> None:
    assert visitor.ask(serve(redirect("/two", 307)), method="POST", json={}, follow_redirects=True).status == 307


def test_it_reads_no_bomb_on_the_way_through_a_redirect(serve: Serve, visitor: Visitor) -> None:
    head = b"HTTP/1.1 302 Found\r\nLocation: /two\r\nTransfer-Encoding: chunked\r\n\r\n"
    server = serve(send_forever(head, b"2000\r\n" + b"x" * 8192 + b"\r\n"), reply(b"found"))
    assert visitor.ask(server, follow_redirects=True, max_bytes=100).body == b"found"


@pytest.mark.parametrize(
    "target",
    ["http://127.0.0.1:1/", "http://127.0.0.1/", "http://localhost/", "http://[::1]/", "//169.254.169.254/latest", "file:///etc/passwd",
     "gopher://127.0.0.1:70/_", "http://user:pw@127.0.0.1/", "http://2130706433/", "http://["],
)  # fmt: skip
def test_it_follows_no_redirect_into_the_private_network(serve: Serve, visitor: Visitor, target: str) -> None:
    server = serve(redirect("/two"), redirect(target))
    with pytest.raises(errors.AddressRefused):
        visitor.ask(server, follow_redirects=True)
    assert (len(server.heard), visitor.records[0].outcome) == (2, "address_refused")


def test_it_records_each_call_once_and_no_secret_with_it(serve: Serve, visitor: Visitor) -> None:
    server = serve(reply(status=503), reply(b"s3cret answer"))
    secrets: dict[str, Any] = {"params": {"key": "s3cret"}, "headers": {"x-api-key": "s3cret"}, "json": "s3cret"}
    with structlog.contextvars.bound_contextvars(request_id="r-1"), capture_logs() as logs:
        visitor.ask(server, method="PUT", **secrets)
    (record,) = visitor.records
    assert (record.vendor, record.operation, record.method, record.host) == ("acme", "posts", "PUT", "127.0.0.1")
    assert (record.status, record.outcome, record.bytes, record.attempts) == (200, "ok", 13, 2)
    assert (record.request_id, 0 <= record.duration_ms < 1000) == ("r-1", True)
    assert [entry["event"] for entry in logs] == ["vendor_call"]
    assert "s3cret" not in f"{visitor.records}{logs}"


@pytest.mark.parametrize("value", ["key\n", "kéy", "a\r\nHost: evil", " padded ", "\x00"])
def test_it_names_the_header_that_cannot_be_sent_but_not_its_value(serve: Serve, visitor: Visitor, value: str) -> None:
    server = serve(reply())
    with pytest.raises(errors.NotConfigured) as problem:
        visitor.ask(server, headers={"x-api-key": value})
    assert server.heard == []
    assert problem.value.__suppress_context__ or problem.value.__context__ is None


def test_it_records_how_the_last_try_ended(serve: Serve, visitor: Visitor) -> None:
    with pytest.raises(errors.VendorUnavailable):
        visitor.ask(serve(reply(status=503), lambda connection: None))
    (record,) = visitor.records
    assert (record.outcome, record.status, record.attempts) == ("vendor_unavailable", None, 3)


def test_it_records_what_it_refused(visitor: Visitor) -> None:
    with pytest.raises(errors.AddressRefused):
        visitor.door.request(vendor="acme", operation="media", url="http://user:pw@10.0.0.1/?key=s3cret")
    (record,) = visitor.records
    assert (record.outcome, record.status, record.host) == ("address_refused", None, "")


def break_down(record: VendorCall) -> None:
    raise ZeroDivisionError


def test_it_answers_though_a_listener_breaks(serve: Serve, visitor: Visitor) -> None:
    door = Door(network=visitor.network)
    door.on_call(break_down)
    door.on_call(visitor.records.append)
    with capture_logs() as logs:
        assert door.request(vendor="a", operation="b", url=serve(reply()).url).status == 200
    assert (len(visitor.records), logs[-1]["event"]) == (1, "vendor_call_listener_failed")


def test_it_reuses_connections_and_serves_many_threads(serve: Serve, visitor: Visitor) -> None:
    server = serve(reply(b"x" * 10_000))
    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(lambda _: visitor.ask(server), range(200)))
    assert {len(answer.body) for answer in answers} == {10_000}
    assert (len(visitor.records), server.connections <= 8) == (200, True)


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning")
def test_it_opens_its_own_connection_after_a_fork(serve: Serve, visitor: Visitor) -> None:
    server = serve(reply())
    visitor.ask(server)
    if not (child := os.fork()):
        os._exit(0 if visitor.ask(server).status == 200 else 1)
    assert os.waitpid(child, 0)[1] == 0
    assert (visitor.ask(server).status, server.connections) == (200, 2)
