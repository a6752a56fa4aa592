"""Who hears of a finished call to a vendor, and on whose behalf calls are made.

`core.http` announces every call it makes; an adapter that talks through a vendor's own SDK makes a `VendorCall` itself:

    with on_behalf_of(user_id=user.pk, analysis_id=analysis.pk):
        announce(VendorCall(vendor="gemini", operation="explain", model=model, units={"input_tokens": 1200}, ...))
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import asdict, dataclass, field
from uuid import UUID

import structlog

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Behalf:
    """Whom and what a call is made for, as far as that is known."""

    user_id: UUID | None = None
    analysis_id: UUID | None = None
    chat_id: UUID | None = None


_behalf: ContextVar[Behalf] = ContextVar("behalf", default=Behalf())  # noqa: B039 (it is frozen)


@contextmanager
def on_behalf_of(
    *, user_id: UUID | None = None, analysis_id: UUID | None = None, chat_id: UUID | None = None
) -> Iterator[None]:
    token = _behalf.set(Behalf(user_id=user_id, analysis_id=analysis_id, chat_id=chat_id))
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


class Audience:
    """Those who hear of every finished call, in the thread that made it."""

    def __init__(self) -> None:
        self._listeners: list[Listener] = []

    def on_call(self, listener: Listener) -> None:
        self._listeners.append(listener)

    def announce(self, call: VendorCall) -> None:
        log.info("vendor_call", **asdict(call))
        for listener in self._listeners:
            try:
                listener(call)
            except Exception:  # a listener's trouble is never the caller's
                log.exception("vendor_call_listener_failed", listener=repr(listener))


_everybody = Audience()
on_call = _everybody.on_call
announce = _everybody.announce
