"""Those who send webhooks, many at once, each over a connection that stays open."""

import contextlib
import http.client
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

from benchmarks.drills.till import Signed, Told

SECONDS = 30.0
TOO_LARGE = 413
_own = threading.local()


def send(url: str, provider: str, signed: Signed) -> int:
    """The status of the answer; 0 where nobody answers."""
    body, headers = signed
    try:
        connection = _connection(url)
        # It may have answered, and hung up, before it was told all.
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            connection.request("POST", f"/api/billing/webhook/{provider}/", body, headers)
        answer = connection.getresponse()
        answer.read()
        if answer.status == TOO_LARGE:
            # What the server has not read stands in the way of the next one.
            _hang_up()
        return answer.status
    except (OSError, http.client.HTTPException):
        _hang_up()
        return 0


def send_all(url: str, told: Sequence[Told], *, senders: int) -> list[int]:
    """Each once, as fast as so many can; how they were answered."""
    with ThreadPoolExecutor(senders) as threads:
        return [*threads.map(lambda each: send(url, each.provider, each.sign()), told)]


def send_at_once(url: str, told: Told, threads: ThreadPoolExecutor, *, copies: int) -> list[int]:
    """The same from so many at the same moment."""
    ready = threading.Barrier(copies)
    signed = told.sign()

    def one(_: int) -> int:
        ready.wait()
        return send(url, told.provider, signed)

    return [*threads.map(one, range(copies))]


def _connection(url: str) -> http.client.HTTPConnection:
    host = urlsplit(url).netloc
    if getattr(_own, "host", "") != host:
        _own.host, _own.connection = host, http.client.HTTPConnection(host, timeout=SECONDS)
    connection: http.client.HTTPConnection = _own.connection
    return connection


def _hang_up() -> None:
    with contextlib.suppress(OSError):
        _own.connection.close()
    _own.host = ""
