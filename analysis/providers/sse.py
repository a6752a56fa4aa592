"""Server-Sent Events as model servers really send them.

Lines end in LF, CR or CRLF; comments keep the connection alive; data may have several lines; a character may come in
two pieces; the last blank line may be missing; and one server tells of errors in a field of its own.
https://html.spec.whatwg.org/multipage/server-sent-events.html#parsing-an-event-stream
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """What was sent; `ended` is False where the stream stopped before the blank line that ends an event."""

    data: str
    error: str = ""
    ended: bool = True


def events(chunks: Iterable[bytes]) -> Iterator[Event]:
    fields: dict[str, list[str]] = {}
    for line in _lines(chunks):
        if not line:
            yield from _event(fields, ended=True)
            fields = {}
        elif not line.startswith(":"):
            name, _, value = line.partition(":")
            fields.setdefault(name, []).append(value.removeprefix(" "))
    yield from _event(fields, ended=False)


def _event(fields: dict[str, list[str]], *, ended: bool) -> Iterator[Event]:
    data, error = ("\n".join(fields.get(name, [])) for name in ("data", "error"))
    if data or error:
        yield Event(data=data, error=error, ended=ended)


def _lines(chunks: Iterable[bytes]) -> Iterator[str]:
    held = b""
    for chunk in chunks:
        *whole, held = _split(held + chunk)
        for line in whole:
            yield _text(line)
    if held:
        yield _text(held)


def _split(data: bytes) -> list[bytes]:
    """The whole lines, and last what is not yet known to be one: a CR may be half of a CRLF."""
    lines = data.splitlines(keepends=True)
    return lines if lines and not lines[-1].endswith(b"\n") else [*lines, b""]


def _text(line: bytes) -> str:
    return line.rstrip(b"\r\n").decode("utf-8", "replace")
