"""The service with and without its access log in one process, asked in turns by one thread, without a socket.

Two servers of the same code differ by more than the log costs. Reads what to ask for, prints what it took.
"""

import io
import json
import os
import statistics
import sys
import time
from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.core.handlers.wsgi import WSGIHandler

from benchmarks.machine import SERVER_CORE, can_pin
from config.wsgi import application as recorded

ROUNDS, PAIRS, WARM_UP = 15, 300, 200
ACCESS_LOG = "analytics.middleware.APITrackingMiddleware"
BROWSER = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 Safari/537.36"

settings.MIDDLEWARE = [name for name in settings.MIDDLEWARE if name != ACCESS_LOG]
unrecorded = WSGIHandler()


class Refused(Exception):
    """The service did not answer what it was asked for."""


def main() -> None:
    if can_pin():
        os.sched_setaffinity(0, {SERVER_CORE})
    wanted = json.load(sys.stdin)
    requests = [_request(wanted["path"], token) for token in wanted["tokens"]]
    for request in requests[:1] * WARM_UP:
        _turn(request, 0)
    print(json.dumps([_round(requests) for _ in range(ROUNDS)]))


def _round(requests: list[dict[str, Any]]) -> tuple[float, float]:
    """Microseconds of CPU of the middle request, with and without: a pause of the machine does not show in it."""
    turns = [_turn(requests[number % len(requests)], number) for number in range(PAIRS)]
    return statistics.median(turn[0] for turn in turns), statistics.median(turn[1] for turn in turns)


def _turn(request: dict[str, Any], number: int) -> tuple[float, float]:
    if number % 2:
        return _ask(recorded, request), _ask(unrecorded, request)
    second, first = _ask(unrecorded, request), _ask(recorded, request)
    return first, second


def _ask(service: Callable[..., Any], request: dict[str, Any]) -> float:
    said: list[str] = []
    environ = {**request, "wsgi.input": io.BytesIO()}
    before = time.thread_time_ns()
    answer = service(environ, lambda status, headers: said.append(status))
    b"".join(answer)
    answer.close()
    spent = time.thread_time_ns() - before
    if said != ["200 OK"]:
        raise Refused(said)
    return spent / 1000


def _request(address: str, token: str) -> dict[str, Any]:
    path, _, query = address.partition("?")
    return {
        "REQUEST_METHOD": "GET", "PATH_INFO": path, "QUERY_STRING": query, "SERVER_NAME": settings.ALLOWED_HOSTS[0],
        "SERVER_PORT": "80", "SERVER_PROTOCOL": "HTTP/1.1", "REMOTE_ADDR": "127.0.0.1", "wsgi.url_scheme": "http",
        "wsgi.errors": sys.stderr, "HTTP_HOST": settings.ALLOWED_HOSTS[0], "HTTP_AUTHORIZATION": f"Bearer {token}",
        "HTTP_USER_AGENT": BROWSER, "HTTP_X_FORWARDED_PROTO": "https", "HTTP_X_FORWARDED_FOR": "192.0.2.7",
    }  # fmt: skip


if __name__ == "__main__":
    main()
