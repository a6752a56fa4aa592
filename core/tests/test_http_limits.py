"""The one door out: how much it reads, where it lets itself be sent, and what it records."""

import os
import socket
import time
import tracemalloc
import zlib
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from threading import Event
from typing import Any

import httpcore
import pytest
import structlog
from structlog.testing import capture_logs

from core import errors
from core.addresses import TimedStream, Trip
from core.calls import Audience, VendorCall
from core.http import Door
from core.tests.servers import CHUNKED, Serve, Step, Visitor, redirect, reply, send_forever


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


class Fast(httpcore.NetworkStream):
    """Has something to read at any time."""

    def __init__(self, *, is_tls: bool) -> None:
        self.known = {"ssl_object": is_tls, "is_readable": True}

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return b"x"

    def get_extra_info(self, info: str) -> bool:
        return self.known[info]


def test_what_comes_fast_is_left_to_come_together() -> None:
    stream, trip = TimedStream(Fast(is_tls=False)), Trip(seconds=9, silence=9, gather=0.05)
    began = time.monotonic()
    assert [stream.read(1, trip) for _ in range(5)] == [b"x"] * 5
    assert time.monotonic() - began > 4 * 0.05


def test_records_of_tls_that_are_there_are_not_waited_for() -> None:
    stream, trip = TimedStream(Fast(is_tls=True)), Trip(seconds=60, silence=60, gather=0.5)
    began = time.monotonic()
    assert [stream.read(1, trip) for _ in range(40)] == [b"x"] * 40
    assert time.monotonic() - began < 40 * 0.5 / 2


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
    audience = Audience()
    audience.on_call(break_down)
    audience.on_call(visitor.records.append)
    door = Door(network=visitor.network, announce=audience.announce)
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
