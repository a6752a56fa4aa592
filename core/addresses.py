"""Decides which network addresses may be visited, and connects to exactly the address that was checked.

Two gates. `check_url` reads the URL before anything is sent: scheme, user info, port, the host's shape, and the address
where it is one. `CheckedSockets`, under the connection pool, resolves a name once, refuses it when any of its addresses
is closed to us, and dials the checked one, while TLS and the Host header keep the name: neither a redirect nor a name
that changes its mind (DNS rebinding) leads elsewhere.

`OUTBOUND_ALLOWED_HOSTS` lists exact "host:port" pairs that skip both gates, in development: the sandbox. A `Network`
may have such pairs of its own, in production too: the model server next door, whose address the operator gave. They
hold for its calls only, over its connections only: an address that a user pasted, or a redirect, never leads there.
"""

import os
import re
import socket
import ssl
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass, field
from ipaddress import ip_address
from threading import Thread
from typing import Any
from urllib.parse import urljoin

import httpcore
import httpx
from django.conf import settings

from core import errors
from core.networks import is_public

Resolve = Callable[[str, int], list[str]]
Dial = httpcore.NetworkBackend

DEFAULT_PORTS = {"http": 80, "https": 443}
CONNECT_SECONDS = 5.0
MAX_ADDRESSES = 4
KEEP_SECONDS = 4.0  # less than the 5 after which many servers hang up: no question is to meet one that is about to

HOST_NAME = re.compile(r"(?=.{1,253}\Z)[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?)*")
# libc reads "2130706433", "127.1" and "0x7f.1" as addresses; no public top-level domain starts with a digit.
DISGUISED_ADDRESS = re.compile(r"(.*\.)?[0-9][^.]*")


def check_url(
    url: str, *, base: str = "", params: Mapping[str, Any] | None = None, allowed: Collection[str] = ()
) -> httpx.URL:
    """The parsed URL, or AddressRefused. The parsed form is what gets visited, so no second parser can disagree."""
    try:
        parsed = httpx.URL(urljoin(base, url))
        # Merging re-encodes the whole query, which would break the signature of a signed address.
        parsed = parsed.copy_merge_params(params) if params else parsed
    except (httpx.InvalidURL, ValueError):
        raise refused("malformed") from None
    if parsed.scheme not in DEFAULT_PORTS:
        raise refused("scheme")
    if parsed.userinfo:
        raise refused("userinfo")
    port = DEFAULT_PORTS[parsed.scheme] if parsed.port is None else parsed.port
    _check_host(parsed.raw_host.decode("ascii"), port, allowed)
    return parsed


def check_address(text: str) -> None:
    try:
        address = ip_address(text)
    except ValueError:
        raise refused("malformed") from None
    # A zone ("fe80::1%eth0") names an interface of this machine.
    if "%" in text or not is_public(address):
        raise refused("network")


def _is_allowed(host: str, port: int, allowed: Collection[str]) -> bool:
    pair = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    return pair in allowed or pair in settings.OUTBOUND_ALLOWED_HOSTS


def refused(reason: str) -> errors.AddressRefused:
    return errors.AddressRefused(details={"reason": reason})


def _check_host(host: str, port: int, allowed: Collection[str]) -> None:
    if _is_allowed(host, port, allowed):
        return
    if port not in DEFAULT_PORTS.values():
        raise refused("port")
    if _is_literal(host):
        check_address(host)
    elif not HOST_NAME.fullmatch(host) or DISGUISED_ADDRESS.fullmatch(host):
        raise refused("host")


def _is_literal(host: str) -> bool:
    return ":" in host or re.fullmatch(r"[0-9]+(\.[0-9]+){3}", host) is not None


def resolve_name(host: str, port: int) -> list[str]:
    return [str(found[4][0]) for found in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]


@dataclass(kw_only=True)
class Trip:
    """What one call has come to so far, and the time it has left.

    It travels as httpcore's "timeout" extension, handed unread to every connect, write and read: that is what turns
    limits per operation into one deadline, whichever thread the work runs in.
    """

    seconds: float
    silence: float
    gather: float = 0.0  # what comes in shorter intervals than this is left to come together
    started: float = field(default_factory=time.monotonic)
    host: str = ""
    status: int | None = None
    bytes: int = 0
    attempts: int = 0
    heard: bool = False  # something arrived since the request was written
    doubtful: bool = False  # the connection may be to blame: it had been used before, or the other side hung up

    def left(self) -> float:
        return self.started + self.seconds - time.monotonic()

    def patience(self, limit: float, *, late: type[Exception]) -> float:
        if (left := self.left()) <= 0:
            raise late("the deadline has passed")
        return min(left, limit)


@contextmanager
def translated(trip: Trip) -> Iterator[None]:
    try:
        yield
    except httpcore.TimeoutException as problem:
        raise errors.VendorTimeout from problem
    except httpcore.NetworkError as problem:
        raise errors.VendorUnavailable from problem
    # What h11 complains about it also quotes, a key or a body: no cause is kept.
    except httpcore.RemoteProtocolError:
        raise (errors.VendorUnavailable if trip.doubtful else errors.VendorAnswerInvalid) from None
    except httpcore.LocalProtocolError:
        raise errors.NotConfigured from None


class Network:
    """The connections of this process, kept for the next call."""

    def __init__(
        self,
        *,
        resolve: Resolve = resolve_name,
        dial: Dial | None = None,
        tls: ssl.SSLContext | None = None,
        allowed: Collection[str] = (),
    ) -> None:
        self._sockets = CheckedSockets(resolve=resolve, dial=dial or httpcore.SyncBackend(), allowed=allowed)
        self._tls, self._allowed = tls, allowed
        self._pools: dict[int, httpcore.ConnectionPool] = {}

    def check(self, url: str, params: Mapping[str, Any]) -> httpx.URL:
        return check_url(url, params=params, allowed=self._allowed)

    def send(self, request: httpx.Request, trip: Trip) -> httpcore.Response:
        url = request.url
        wired = httpcore.Request(
            method=request.method,
            url=httpcore.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path),
            headers=request.headers.raw,
            content=request.stream,
            extensions={"timeout": {"connect": trip, "read": trip, "write": trip}},
        )
        with translated(trip):
            response = self._pool().handle_request(wired)
        # An answer that was there before the question is what an earlier answer left behind, perhaps someone else's.
        if not trip.heard:
            response.close()
            raise errors.VendorUnavailable
        return response

    def close(self) -> None:
        if pool := self._pools.pop(os.getpid(), None):
            pool.close()

    def _pool(self) -> httpcore.ConnectionPool:
        # One per process: a fork shares its parent's sockets. Where two threads open one at once, the first is kept.
        pid = os.getpid()
        return self._pools.get(pid) or self._pools.setdefault(pid, self._open_pool())

    def _open_pool(self) -> httpcore.ConnectionPool:
        # No limit on connections: each thread holds one at most, and a slow vendor must not make the others queue.
        return httpcore.ConnectionPool(
            ssl_context=self._tls or httpx.create_ssl_context(trust_env=False),
            max_connections=None,
            max_keepalive_connections=100,  # httpcore counts the busy ones too
            keepalive_expiry=KEEP_SECONDS,
            network_backend=self._sockets,
        )


class CheckedSockets(httpcore.NetworkBackend):
    """Opens connections to checked addresses only: `resolve` answers names, `dial` opens the socket."""

    def __init__(self, *, resolve: Resolve, dial: Dial, allowed: Collection[str]) -> None:
        self._resolve, self._dial, self._allowed = resolve, dial, allowed

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: Any = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.NetworkStream:
        trip: Trip = timeout
        failure: Exception = httpcore.ConnectError("the name has no address")
        for address in self._checked_addresses(host, port, trip):
            seconds = trip.patience(CONNECT_SECONDS, late=httpcore.ConnectTimeout)
            try:
                return TimedStream(self._dial.connect_tcp(address, port, seconds, local_address, socket_options))
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as problem:
                failure = problem
        raise failure

    def _checked_addresses(self, host: str, port: int, trip: Trip) -> list[str]:
        addresses = [host] if _is_literal(host) else self._look_up(host, port, trip)
        if not _is_allowed(host, port, self._allowed):
            for address in addresses:
                check_address(address)
        return addresses[:MAX_ADDRESSES]

    def _look_up(self, host: str, port: int, trip: Trip) -> list[str]:
        # getaddrinfo knows no timeout, so it runs beside us, in a daemon thread, which never delays an exit.
        found: Future[list[str]] = Future()
        Thread(target=_settle, args=(found, self._resolve, host, port), daemon=True).start()
        try:
            return found.result(timeout=trip.patience(CONNECT_SECONDS, late=httpcore.ConnectTimeout))
        except TimeoutError:
            raise httpcore.ConnectTimeout("the name was not resolved in time") from None
        except (OSError, UnicodeError) as problem:
            raise httpcore.ConnectError(f"the name was not resolved: {problem}") from problem


def _settle(found: Future[list[str]], resolve: Resolve, host: str, port: int) -> None:
    try:
        found.set_result(resolve(host, port))
    except Exception as problem:  # noqa: BLE001 - whatever it is belongs to the thread that waits
        found.set_exception(problem)


class TimedStream(httpcore.NetworkStream):
    """A connection on which no operation outlives its trip."""

    def __init__(self, inner: httpcore.NetworkStream) -> None:
        self._inner, self._used, self._is_fast = inner, False, False

    def read(self, max_bytes: int, timeout: Any = None) -> bytes:
        trip: Trip = timeout
        if self._is_fast and not self._has_more():
            time.sleep(trip.gather)
        began = time.monotonic()
        data = self._inner.read(max_bytes, trip.patience(trip.silence, late=httpcore.ReadTimeout))
        self._is_fast = time.monotonic() - began < trip.gather
        self._used = trip.heard = True
        trip.doubtful |= not data
        return data

    def _has_more(self) -> bool:  # over TLS a read gives one record, however many are there
        return bool(self._inner.get_extra_info("ssl_object") and self._inner.get_extra_info("is_readable"))

    def write(self, buffer: bytes, timeout: Any = None) -> None:
        # Not the inner write: it starts its clock again after every partial send.
        trip: Trip = timeout
        trip.heard, trip.doubtful = False, self._used
        connection: socket.socket = self._inner.get_extra_info("socket")
        unsent = memoryview(buffer)
        while unsent:
            try:
                connection.settimeout(trip.patience(trip.silence, late=httpcore.WriteTimeout))
                unsent = unsent[connection.send(unsent) :]
            except OSError as problem:
                raise (httpcore.WriteTimeout if isinstance(problem, TimeoutError) else httpcore.WriteError) from problem

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: Any = None
    ) -> httpcore.NetworkStream:
        trip: Trip = timeout
        try:
            seconds = trip.patience(CONNECT_SECONDS, late=httpcore.ConnectTimeout)
            return TimedStream(self._inner.start_tls(ssl_context, server_hostname, seconds))
        except Exception:
            self.close()
            raise

    def close(self) -> None:
        self._inner.close()

    def get_extra_info(self, info: str) -> Any:
        return self._inner.get_extra_info(info)
