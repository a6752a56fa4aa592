"""A client lean enough that the server, not the client, is what is measured."""

import selectors
import socket
import time
from collections.abc import Iterable, Sequence

IN_FLIGHT = 4


class Wrong(Exception):
    """The server answered something that is not the page asked for."""


class Client:
    """Keeps a few requests in flight over connections that stay open."""

    def __init__(self, port: int, *, connections: int = IN_FLIGHT) -> None:
        self.sockets = [socket.create_connection(("127.0.0.1", port), timeout=30) for _ in range(connections)]
        for each in self.sockets:
            each.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def fetch(self, requests: Iterable[bytes]) -> list[bytes]:
        """The bodies, in the order of the requests."""
        bodies: list[bytes] = []
        busy: list[socket.socket] = []
        for number, request in enumerate(requests):
            each = self.sockets[number % len(self.sockets)]
            if len(busy) == len(self.sockets):
                bodies.append(_read(busy.pop(0)))
            each.sendall(request)
            busy.append(each)
        return bodies + [_read(each) for each in busy]

    def close(self) -> None:
        for each in self.sockets:
            each.close()


class Pace:
    """Sends at a fixed rate, whether or not what was sent before is answered; and says how long each waited."""

    def __init__(self, port: int, connections: int) -> None:
        self.idle = Client(port, connections=connections).sockets
        self.selector = selectors.DefaultSelector()
        self.waits: list[float] = []

    def send(self, requests: Sequence[bytes], *, rate: float) -> list[float]:
        """Seconds from when each was due: one that finds no connection free has begun to wait all the same."""
        start, sent = time.perf_counter() + 0.05, 0
        while len(self.waits) < len(requests):
            due = start + sent / rate
            if sent < len(requests) and self.idle and time.perf_counter() >= due:
                each = self.idle.pop()
                each.sendall(requests[sent])
                self.selector.register(each, selectors.EVENT_READ, due)
                sent += 1
                continue
            is_waiting = sent < len(requests) and self.idle
            self._collect(max(0.0, due - time.perf_counter()) if is_waiting else None)
        for each in self.idle:
            each.close()
        return self.waits

    def _collect(self, patience: float | None) -> None:
        for key, _ in self.selector.select(patience):
            each = key.fileobj
            assert isinstance(each, socket.socket)
            _read(each)
            self.waits.append(time.perf_counter() - key.data)
            self.selector.unregister(each)
            self.idle.append(each)


def get(path: str, *, host: str, token: str = "") -> bytes:
    """A request as the proxy in front of a deployment hands it on."""
    lines = [f"GET {path} HTTP/1.1", f"Host: {host}", "Accept: application/json", "User-Agent: benchmark"]
    lines += ["X-Forwarded-Proto: https", "X-Forwarded-For: 192.0.2.7"]
    lines += [f"Authorization: Bearer {token}"] if token else []
    return "\r\n".join([*lines, "", ""]).encode()


def _read(each: socket.socket) -> bytes:
    data = b""
    while b"\r\n\r\n" not in data:
        data += _more(each)
    head, _, body = data.partition(b"\r\n\r\n")
    if not head.startswith(b"HTTP/1.1 200"):
        raise Wrong(f"{head.decode(errors='replace')}\n\n{body[:500].decode(errors='replace')}")
    length = next(int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
    parts, missing = [body], length - len(body)
    while missing > 0:
        parts.append(_more(each))
        missing -= len(parts[-1])
    return b"".join(parts)


def _more(each: socket.socket) -> bytes:
    if data := each.recv(262144):
        return data
    raise Wrong("The server closed the connection.")
