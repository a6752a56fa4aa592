"""The one door out: every call to an outside service is checked, timed, bounded, retried and recorded here.

    answer = http.request(vendor="youtube", operation="videos", url=URL, params={"id": ids}, headers={"x-api-key": key})
    with http.stream(vendor="instagram", operation="media", url=url, follow_redirects=True, max_bytes=cap) as chunks:

Vendors give statuses meanings of their own, so every status comes back as an answer (`require_success` turns those
outside 2xx into VendorRefused), except 429, 500, 502, 503 and 504: these are tried again where that is harmless, and
then raised, unless the caller lists them in `accept`.

    VendorBusy            429 to the last try; `retry_after` is what the vendor asked for
    VendorUnavailable     500, 502, 503, 504 to the last try; no name, no connection, a broken one, bad TLS
    VendorTimeout         `timeout` seconds in all, or `read_timeout` seconds of silence, went by
    VendorAnswerInvalid   not HTTP, compressed though we ask for plain bytes, or `json()` on something else
    VendorAnswerTooLarge  a body over `max_bytes`
    AddressRefused        the address, a redirect, or what the name resolves to may not be visited
    NotConfigured         a header that cannot be sent: mostly a key with a line break in it
"""

import atexit
import functools
import random
import re
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, BinaryIO, Concatenate, ParamSpec, Self, TypeVar

import httpcore
import httpx
import orjson
import structlog

from core import calls, errors, redaction
from core.addresses import Network, Trip, check_url, refused, translated
from core.calls import Listener, VendorCall

P = ParamSpec("P")
D = TypeVar("D")
T = TypeVar("T")
MAX_ATTEMPTS, MAX_HOPS = 3, 5
ERROR_BYTES = 2000  # of a refusal, for those who must find out why
BACKOFF_SECONDS = 0.25
# A longer wait belongs in the row (`run_after`), not in a sleeping worker.
LONGEST_PAUSE = 10.0
LONGEST_RETRY_AFTER = 86_400.0
IDEMPOTENT = {"GET", "HEAD", "OPTIONS", "PUT", "DELETE"}
UNAVAILABLE = {429, 500, 502, 503, 504}
REDIRECTS = {301, 302, 303, 307, 308}
DEFAULT_HEADERS = {"accept": "*/*", "accept-encoding": "identity", "user-agent": "Whyral/1.0"}
HARMLESS_HEADERS = {"accept", "accept-language", "range", "user-agent"}  # others, perhaps keys, stay with their origin

log = structlog.get_logger(__name__)


@dataclass(frozen=True, kw_only=True)
class Answer:
    """A whole answer."""

    status: int
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)
    url: str = field(repr=False)

    def json(self) -> Any:
        try:
            return orjson.loads(self.body)
        except orjson.JSONDecodeError as problem:
            raise errors.VendorAnswerInvalid(details={"status": self.status, "problem": problem.msg}) from None

    def require_success(self) -> Self:
        if not 200 <= self.status < 300:
            raise errors.VendorRefused(details={"status": self.status})
        return self


@dataclass(frozen=True, kw_only=True, repr=False)
class Call:
    """What `request` and `stream` take, by keyword. Without a repr, for addresses, headers and bodies hold keys."""

    vendor: str
    operation: str
    url: str
    method: str = "GET"
    headers: Mapping[str, str] = field(default_factory=dict)
    params: Mapping[str, Any] = field(default_factory=dict)
    json: Any = None
    content: bytes | BinaryIO | None = None  # a file is sent from its start, again at every try
    timeout: float = 30.0  # for everything: names, redirects, tries, pauses, the body
    read_timeout: float = 15.0  # the longest silence; raise it for a model that thinks before it speaks
    max_bytes: int = 10_000_000
    follow_redirects: bool = False  # GET and HEAD only
    idempotent: bool | None = None  # may it be tried again? By default the method decides
    accept: Collection[int] = ()  # statuses that are answers here, though they are normally tried again
    model: str = ""  # which of a vendor's models is asked
    units: Callable[[Answer], Mapping[str, int]] = lambda answer: {}  # what an answer costs, by the vendor's own count
    # What is kept of a refusal: whoever is told of people in it says what else is.
    reason: Callable[[Answer], str] = lambda answer: answer.body[:ERROR_BYTES].decode("utf-8", "replace")


class Incoming:
    """A body that is still on its way: iterate once, in chunks of some 64 KB; `units` and the trip's pace are yours."""

    def __init__(self, *, call: Call, trip: Trip, url: httpx.URL, response: httpcore.Response) -> None:
        self.status, self.url = response.status, str(url)
        self.headers: Mapping[str, str] = httpx.Headers(response.headers)
        self.units: dict[str, int] = {}
        self._call, self.trip, self._response = call, trip, response

    def __iter__(self) -> Iterator[bytes]:
        with closing(self), translated(self.trip):
            self._check_head()
            received = 0
            for chunk in self._response.iter_stream():
                received += len(chunk)
                self.trip.bytes += len(chunk)
                self._check_size(received)
                yield chunk

    def read(self) -> Answer:
        return Answer(status=self.status, headers=self.headers, url=self.url, body=b"".join(self))

    def close(self) -> None:
        self._response.close()

    def _check_head(self) -> None:
        # Refused, not inflated: one megabyte of gzip can hold four gigabytes, and no vendor here needs it.
        if self.headers.get("content-encoding", "identity").lower() != "identity":
            raise errors.VendorAnswerInvalid(details={"problem": "compressed"})
        if self._call.method != "HEAD" and self.status != 304:
            self._check_size(int(self.headers.get("content-length", 0)))

    def _check_size(self, size: int) -> None:
        if size > self._call.max_bytes:
            raise errors.VendorAnswerTooLarge(details={"limit": self._call.max_bytes})


@dataclass(kw_only=True)
class Notes:
    """What becomes known of a call while it is made."""

    trip: Trip
    units: Mapping[str, int] = field(default_factory=dict)
    error: str = ""

    def learn(self, call: Call, answer: Answer) -> Answer:
        if answer.status >= 400:
            self.error = redaction.without([*call.headers.values(), *call.params.values()], call.reason(answer))
        try:
            self.units = call.units(answer)
        except Exception:  # an answer that cannot be counted is an answer all the same
            log.exception("vendor_units_unknown", vendor=call.vendor, operation=call.operation)
        return answer

    def record(self, call: Call, outcome: str) -> VendorCall:
        return VendorCall(
            vendor=call.vendor,
            operation=call.operation,
            model=call.model,
            units=self.units,
            error=self.error,
            method=call.method,
            host=self.trip.host,
            status=self.trip.status,
            outcome=outcome,
            duration_ms=round((time.monotonic() - self.trip.started) * 1000),
            bytes=self.trip.bytes,
            attempts=self.trip.attempts,
        )


def _spelled_as(make: Callable[P, Call]) -> Callable[[Callable[[D, Call], T]], Callable[Concatenate[D, P], T]]:
    """Let a method that takes a Call be called with the Call's fields, so that these are listed once."""

    def decorate(act: Callable[[D, Call], T]) -> Callable[Concatenate[D, P], T]:
        def spelled(door: D, /, *args: P.args, **fields: P.kwargs) -> T:
            return act(door, make(*args, **fields))

        return functools.wraps(act)(spelled)

    return decorate


class Door:
    """The way out, over a network that can be given."""

    def __init__(
        self, *, network: Network, sleep: Callable[[float], None] = time.sleep, announce: Listener = calls.announce
    ) -> None:
        self._network, self._sleep, self._announce = network, sleep, announce

    @_spelled_as(Call)
    def request(self, call: Call) -> Answer:
        with self._recorded(call) as notes:
            return notes.learn(call, self._insist(call, notes.trip, Incoming.read))

    @_spelled_as(Call)
    @contextmanager
    def stream(self, call: Call) -> Iterator[Incoming]:
        with self._recorded(call) as notes, closing(self._insist(call, notes.trip, lambda it: it)) as incoming:
            notes.units = incoming.units
            yield incoming

    @contextmanager
    def _recorded(self, call: Call) -> Iterator[Notes]:
        notes, outcome = Notes(trip=Trip(seconds=call.timeout, silence=call.read_timeout)), "interrupted"
        try:
            yield notes
            outcome = "ok" if (notes.trip.status or 0) < 400 else errors.VendorRefused.code
        except errors.Problem as problem:
            outcome, notes.error = problem.code, notes.error or f"{problem.message} {problem.details or ''}".rstrip()
            raise
        finally:
            self._announce(notes.record(call, outcome))

    def _insist(self, call: Call, trip: Trip, finish: Callable[[Incoming], T]) -> T:
        while True:
            trip.attempts += 1
            try:
                return finish(self._visit(call, trip))
            except errors.VendorUnavailable as problem:
                pause = _pause(call, trip, problem)
                if pause is None:
                    raise
            self._sleep(pause)

    def _visit(self, call: Call, trip: Trip) -> Incoming:
        url, headers = self._network.check(call.url, call.params), _checked_headers(call.headers)
        may_follow = call.follow_redirects and call.method in {"GET", "HEAD"}
        trip.host = url.raw_host.decode("ascii")
        for _ in range(1 + MAX_HOPS):
            incoming = self._send(call, trip, url, headers)
            location = incoming.headers.get("location")
            if not (may_follow and location and incoming.status in REDIRECTS):
                return _available(call, incoming)
            incoming.close()
            url, headers = _next_hop(url, headers, location)
        raise refused("redirects")

    def _send(self, call: Call, trip: Trip, url: httpx.URL, headers: Mapping[str, str]) -> Incoming:
        trip.status = None
        if call.content is not None and not isinstance(call.content, bytes):
            call.content.seek(0)
        request = httpx.Request(call.method, url, headers=headers, json=call.json, content=call.content)
        response = self._network.send(request, trip)
        trip.status = response.status
        return Incoming(call=call, trip=trip, url=url, response=response)


def _checked_headers(headers: Mapping[str, str]) -> dict[str, str]:
    for name, value in headers.items():
        if not (value.isascii() and value.isprintable()):
            raise errors.NotConfigured(details={"header": name})
    return DEFAULT_HEADERS | {name.lower(): value for name, value in headers.items()}


def _next_hop(url: httpx.URL, headers: dict[str, str], location: str) -> tuple[httpx.URL, dict[str, str]]:
    target = check_url(location, base=str(url))
    if url.scheme == "https" and target.scheme == "http":
        raise refused("downgrade")
    if (url.scheme, url.raw_host, url.port) == (target.scheme, target.raw_host, target.port):
        return target, headers
    return target, DEFAULT_HEADERS | {name: headers[name] for name in HARMLESS_HEADERS & headers.keys()}


def _available(call: Call, incoming: Incoming) -> Incoming:
    if incoming.status not in UNAVAILABLE or incoming.status in call.accept:
        return incoming
    incoming.close()
    state = errors.VendorBusy if incoming.status == 429 else errors.VendorUnavailable
    raise state(details={"status": incoming.status}, retry_after=_retry_after(incoming.headers.get("retry-after", "")))


def _retry_after(text: str) -> float | None:
    if re.fullmatch(r"[0-9]+(\.[0-9]+)?", text):
        return min(float(text), LONGEST_RETRY_AFTER)
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    seconds = (moment.replace(tzinfo=moment.tzinfo or UTC) - datetime.now(UTC)).total_seconds()
    return min(max(seconds, 0.0), LONGEST_RETRY_AFTER)


def _pause(call: Call, trip: Trip, problem: errors.Problem) -> float | None:
    """Seconds to wait before the next try, or None where there is none: not harmless, or not in time."""
    harmless = call.method in IDEMPOTENT if call.idempotent is None else call.idempotent
    if not harmless or trip.attempts == MAX_ATTEMPTS:
        return None
    pause = (problem.retry_after or 0.0) + random.uniform(0.0, BACKOFF_SECONDS * 2**trip.attempts)  # noqa: S311
    return pause if pause < min(trip.left(), LONGEST_PAUSE) else None


_network = Network()
atexit.register(_network.close)
_door = Door(network=_network)
request = _door.request
stream = _door.stream
