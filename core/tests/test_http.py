"""The one door out: what it asks, what it makes of an answer, when it tries again, and when it gives up."""

import io
import socket
import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest
from pytest_django import Settings

from core import errors
from core.tests.servers import CHUNKED, Serve, Step, Visitor, hang, reply, send_forever


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
