"""What every sandbox stands on: a small threaded server whose faults are scripted and whose calls are kept.

A test holds the sandbox itself; another process steers it over HTTP:

    GET    /_control/calls     what was called, and how often each operation
    POST   /_control/faults    {"operation": "users.get", "status": 503, "times": 2, "body": {}, "headers": {}}
                               `delay` seconds first; `drop` the connection instead of answering, or `reset` it;
                               `truncate` the body after so many bytes; `drip` it, a byte every so many seconds;
                               `times` -1: for ever; operation "*": any
    DELETE /_control           forget calls and faults; whoever hangs is let go
"""

import json
import re
import socket
import struct
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar, Self
from urllib.parse import parse_qs, urlsplit

HOST = "127.0.0.1"


@dataclass(kw_only=True)
class Asked:
    """A request as a handler sees it."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes = b""
    query: dict[str, list[str]] = field(default_factory=dict)
    reset: Callable[[], None] = lambda: None  # makes the end of the connection a hard one

    def json(self) -> Any:
        return json.loads(self.body or b"{}")


@dataclass(kw_only=True)
class Reply:
    """An answer. A body of bytes goes out as it is, an iterator of bytes in chunks, anything else as JSON."""

    status: int = 200
    body: Any = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)
    truncate: int | None = None
    drip: float = 0.0


@dataclass(kw_only=True)
class Fault:
    """What goes wrong with the next calls of an operation."""

    operation: str
    status: int | None = None
    body: Any = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)
    delay: float = 0.0
    drop: bool = False
    reset: bool = False
    truncate: int | None = None
    drip: float = 0.0
    times: int = 1

    def reply(self) -> Reply | None:
        return Reply(status=self.status, body=self.body, headers=self.headers) if self.status else None

    def spoil(self, reply: Reply) -> Reply:
        return replace(reply, truncate=self.truncate, drip=self.drip)


@dataclass(kw_only=True)
class Call:
    """A call that was made."""

    operation: str
    method: str
    path: str
    status: int | None


@dataclass(frozen=True)
class Route:
    """An operation, and what it is answered by: a method of the sandbox, given the request and the path's parts."""

    operation: str
    method: str
    path: str
    answer: Callable[..., Reply]


class Sandbox:
    """A vendor on loopback. Subclasses bring `routes`."""

    routes: ClassVar[list[Route]] = []

    def __init__(self, *, port: int = 0) -> None:
        self.port = port
        self.calls: list[Call] = []
        self._faults: list[Fault] = []
        self._lock = threading.RLock()
        self._let_go = threading.Event()
        self._server: _Server | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self.stop()

    @property
    def address(self) -> str:
        return f"{HOST}:{self.port}"

    @property
    def url(self) -> str:
        return f"http://{self.address}"

    def start(self) -> None:
        self._server = _Server((HOST, self.port), self)
        self.port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def stop(self) -> None:
        """Be gone: connections are refused, and those there were are closed. `start` comes back on the same port."""
        if self._server:
            self.reset()
            self._server.shutdown()
            self._server.server_close()
            self._server = None

    def fail(self, operation: str, **how: Any) -> None:
        with self._lock:
            self._faults.append(Fault(operation=operation, **how))

    def reset(self) -> None:
        with self._lock:
            self.calls.clear()
            self._faults.clear()
            self._let_go.set()
            self._let_go = threading.Event()

    def count(self, operation: str) -> int:
        with self._lock:
            return sum(call.operation == operation for call in self.calls)

    def answer(self, asked: Asked) -> Reply | None:
        """The reply to a request, or None where the connection is to be dropped."""
        if asked.path.startswith("/_control"):
            return self._steer(asked)
        route, parts = self._route(asked)
        call = Call(operation=route.operation, method=asked.method, path=asked.path, status=None)
        with self._lock:
            self.calls.append(call)
            fault, let_go = self._next_fault(route.operation), self._let_go
        if fault and (let_go.wait(fault.delay) or fault.drop or fault.reset):
            if fault.reset:
                asked.reset()
            return None
        reply = (fault and fault.reply()) or self.refusal(asked) or route.answer(self, asked, *parts)
        call.status = reply.status
        return fault.spoil(reply) if fault else reply

    def refusal(self, asked: Asked) -> Reply | None:
        """What every operation checks first: mostly the key."""
        return None

    def _route(self, asked: Asked) -> tuple[Route, tuple[str, ...]]:
        for route in self.routes:
            found = re.fullmatch(route.path, asked.path)
            if found and route.method == asked.method:
                return route, found.groups()
        return Route("unknown", asked.method, asked.path, _nothing_here), ()

    def _next_fault(self, operation: str) -> Fault | None:
        for fault in self._faults:
            if fault.times and fault.operation in {operation, "*"}:
                fault.times -= 1
                return fault
        return None

    def _steer(self, asked: Asked) -> Reply:
        if asked.method == "DELETE":
            self.reset()
        elif asked.path == "/_control/faults":
            self.fail(**asked.json())
        with self._lock:
            counts = Counter(call.operation for call in self.calls)
            return Reply(body={"calls": [asdict(call) for call in self.calls], "counts": counts})


def _nothing_here(sandbox: Sandbox, asked: Asked) -> Reply:
    return Reply(status=404)


class _Server(ThreadingHTTPServer):
    """Knows its connections, so that it can close them."""

    daemon_threads = True

    def __init__(self, address: tuple[str, int], sandbox: Sandbox) -> None:
        self.sandbox = sandbox
        self.connections: set[socket.socket] = set()
        super().__init__(address, _Handler)

    def server_close(self) -> None:
        super().server_close()
        for connection in list(self.connections):
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)


class _Handler(BaseHTTPRequestHandler):
    """One connection, kept open between requests as the vendors' are."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Server

    def setup(self) -> None:
        super().setup()
        self.server.connections.add(self.connection)

    def finish(self) -> None:
        self.server.connections.discard(self.connection)
        with suppress(OSError):
            super().finish()

    def handle(self) -> None:
        with suppress(ConnectionError):
            super().handle()

    def _serve(self) -> None:
        parts = urlsplit(self.path)
        asked = Asked(
            method=self.command,
            path=parts.path,
            query=parse_qs(parts.query),
            headers={name.lower(): value for name, value in self.headers.items()},
            body=self.rfile.read(int(self.headers.get("content-length") or 0)),
            reset=self._end_hard,
        )
        reply = self.server.sandbox.answer(asked)
        if reply is None:
            self.close_connection = True
            return
        self._send(reply)

    def _send(self, reply: Reply) -> None:
        whole = None if isinstance(reply.body, Iterator) else _bytes_of(reply.body)
        self.send_response(reply.status)
        for name, value in {"Content-Type": "application/json", **reply.headers}.items():
            self.send_header(name, value)
        # Without a length the end of the connection is the end of the body.
        self.send_header(*(("Connection", "close") if whole is None else ("Content-Length", str(len(whole)))))
        self.end_headers()
        if self.command != "HEAD":
            self._write(reply.body if whole is None else [whole], reply)

    def _write(self, pieces: Iterable[bytes], reply: Reply) -> None:
        for piece in pieces:
            for part in _dripped(piece[: reply.truncate], reply.drip):
                self.wfile.write(part)
        self.close_connection |= reply.truncate is not None

    def _end_hard(self) -> None:
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    do_GET = do_HEAD = do_POST = do_PATCH = do_PUT = do_DELETE = _serve  # noqa: N815

    def log_message(self, format: str, *args: Any) -> None:
        """The calls are kept; nothing is printed."""


def _bytes_of(body: Any) -> bytes:
    return body if isinstance(body, bytes) else json.dumps(body).encode()


def _dripped(body: bytes, pause: float) -> Iterator[bytes]:
    if not pause:
        yield body
        return
    for byte in body:
        yield bytes([byte])
        time.sleep(pause)
