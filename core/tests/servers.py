"""Servers on this machine that misbehave on purpose, and a visitor who keeps what the door said."""

import socket
import ssl
import time
from collections.abc import Callable
from contextlib import suppress
from threading import Thread
from typing import Any

from core.addresses import Network
from core.calls import Audience, VendorCall
from core.http import Answer, Door

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


def redirect(to: str, status: int = 302) -> bytes:
    return reply(b"moved", f"Location: {to}", status=status)


class Visitor:
    """A door whose pauses and records are kept, and whose pauses take no time."""

    def __init__(self) -> None:
        self.pauses: list[float] = []
        self.records: list[VendorCall] = []
        self.network = Network(tls=TLS)
        self.audience = Audience()
        self.audience.on_call(self.records.append)
        self.door = Door(network=self.network, sleep=self.pauses.append, announce=self.audience.announce)

    def ask(self, server: Server, **fields: Any) -> Answer:
        return self.door.request(**{"vendor": "acme", "operation": "posts", "url": server.url, **fields})


Serve = Callable[..., Server]
