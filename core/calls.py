"""Who hears of a finished call to a vendor, and on whose behalf calls are made.

`core.http` announces every call it makes; an adapter that talks through a vendor's own SDK makes a `VendorCall` itself:

    with on_behalf_of(user_id=user.pk, analysis_id=analysis.pk):
        announce(VendorCall(vendor="gemini", operation="explain", model=model, units={"input_tokens": 1200}, ...))

Whoever must account for the calls of some work hears them himself; what each cost says whoever keeps the prices:

    with heard() as calls:
        ...
    cost = cost_of(calls)
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from uuid import UUID

import structlog

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Behalf:
    """Whom and what a call is made for, as far as that is known."""

    user_id: UUID | None = None
    analysis_id: UUID | None = None
    chat_id: UUID | None = None

    @property
    def known(self) -> dict[str, UUID]:
        return {name: value for name in self.__slots__ if (value := getattr(self, name))}


_behalf: ContextVar[Behalf] = ContextVar("behalf", default=Behalf())  # noqa: B039 (it is frozen)


@contextmanager
def on_behalf_of(
    *, user_id: UUID | None = None, analysis_id: UUID | None = None, chat_id: UUID | None = None
) -> Iterator[None]:
    given = {"user_id": user_id, "analysis_id": analysis_id, "chat_id": chat_id}
    # What is not said here is as it is outside.
    token = _behalf.set(replace(_behalf.get(), **{name: value for name, value in given.items() if value}))
    try:
        yield
    finally:
        _behalf.reset(token)


def _request_id() -> str | None:
    return structlog.contextvars.get_contextvars().get("request_id")


@dataclass(frozen=True, kw_only=True)
class VendorCall:
    """One finished call, as listeners and the log see it. `outcome` is "ok" or the code of an error."""

    vendor: str
    operation: str
    outcome: str
    duration_ms: int
    model: str = ""
    # What the vendor counts and is paid for, each under a name of its own: what is cached is not in `input_tokens`.
    units: Mapping[str, int] = field(default_factory=dict)
    error: str = ""
    method: str = ""
    host: str = ""
    status: int | None = None
    bytes: int = 0
    attempts: int = 1
    request_id: str | None = field(default_factory=_request_id)
    behalf: Behalf = field(default_factory=_behalf.get)


Listener = Callable[[VendorCall], None]
Pricer = Callable[[Sequence[VendorCall]], int | None]
_heard: ContextVar[list[VendorCall] | None] = ContextVar("heard", default=None)


@contextmanager
def heard() -> Iterator[list[VendorCall]]:
    """The calls that are finished within, in this thread."""
    calls: list[VendorCall] = []
    token = _heard.set(calls)
    try:
        yield calls
    finally:
        _heard.reset(token)


class Audience:
    """Those who hear of every finished call, in the thread that made it."""

    def __init__(self) -> None:
        self._listeners: list[Listener] = []

    def on_call(self, listener: Listener) -> None:
        self._listeners.append(listener)

    def announce(self, call: VendorCall) -> None:
        # Not by asdict, which copies every value at depth.
        log.info("vendor_call", **vars(call) | {"behalf": call.behalf.known})
        if (calls := _heard.get()) is not None:
            calls.append(call)
        for listener in self._listeners:
            try:
                listener(call)
            except Exception:  # a listener's trouble is never the caller's
                log.exception("vendor_call_listener_failed", listener=repr(listener))


class Prices:
    """Who knows what calls cost: the app that keeps the prices joins when it starts."""

    def __init__(self) -> None:
        self._pricer: Pricer = lambda calls: None

    def price_with(self, pricer: Pricer) -> None:
        self._pricer = pricer

    def cost_of(self, calls: Sequence[VendorCall]) -> int | None:
        """In micro-dollars; None where the price of any is not known. What used nothing cost nothing."""
        return self._pricer(calls) if any(call.units for call in calls) else 0


_prices = Prices()
price_with = _prices.price_with
cost_of = _prices.cost_of
_everybody = Audience()
on_call = _everybody.on_call
announce = _everybody.announce
