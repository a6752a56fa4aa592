"""P24: how many statements a list sends to PostgreSQL, counted on the wire, whatever its size."""

import io
import sys
import tempfile
from pathlib import Path

from django.conf import settings
from django.db import connection

from benchmarks.measure import Figure, Line, NotMeasured
from benchmarks.seed import Person, people
from config.wsgi import application

LISTS = {"activity": "/api/accounts/me/activity/", "usage history": "/api/accounts/usage/history/"}
LINE = Line("statements of a list, pages of 1 and of 50", "statements", target=3, red=3)


class Unequal(Exception):
    """The number of statements depends on the size of the page."""


def measure(home: Path, wanted: set[str]) -> list[Figure]:
    if sys.platform != "linux":
        raise NotMeasured("libpq writes its trace on Linux only")
    somebody = people()[0]
    return [_count(name, path, somebody) for name, path in LISTS.items()]


def _count(name: str, path: str, person: Person) -> Figure:
    counts = [_statements(path, f"page_size={size}", person) for size in (1, 50)]
    if len(set(counts)) != 1:
        raise Unequal(f"{path}: {counts}")
    return Figure(f"P24 {name}", LINE, tuple(map(float, counts)), "signing in, health check and list, prepared or not")


def _statements(path: str, query: str, person: Person) -> int:
    """What one request sends, as libpq saw it: no wrapper of Django's, and nothing that goes around one, is missed."""
    _request(path, query, person)
    with tempfile.TemporaryFile("w+") as trace:
        connection.connection.pgconn.trace(trace.fileno())
        _request(path, query, person)
        connection.connection.pgconn.untrace()
        trace.seek(0)
        sent = [line.split("\t") for line in trace]
    return sum(words[1:2] == ["F"] and words[3] in ("Query", "Execute") for words in sent)


def _request(path: str, query: str, person: Person) -> None:
    environ = {
        "REQUEST_METHOD": "GET",
        "PATH_INFO": path,
        "QUERY_STRING": query,
        "SERVER_NAME": settings.ALLOWED_HOSTS[0],
        "SERVER_PORT": "443",
        "HTTP_HOST": settings.ALLOWED_HOSTS[0],
        "HTTP_X_FORWARDED_PROTO": "https",
        "HTTP_AUTHORIZATION": f"Bearer {person.token}",
        "wsgi.input": io.BytesIO(),
        "wsgi.errors": sys.stderr,
        "wsgi.url_scheme": "http",
    }
    statuses: list[str] = []
    answer = application(environ, lambda status, headers, error=None: statuses.append(status))
    answer.close()
    if not statuses[0].startswith("200"):
        raise RuntimeError(f"{path}: {statuses[0]}")
