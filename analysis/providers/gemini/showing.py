"""What Gemini is shown: pictures and short videos in the request, larger ones as files, YouTube's by their address."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

import structlog

from analysis.providers.contract import Medium
from analysis.providers.gemini.asking import Asking
from core.errors import Problem

# Of all that goes with one request: 20 MB in the older documentation, base64 included.
# https://ai.google.dev/gemini-api/docs/video-understanding
INLINE_BYTES = 14_000_000

log = structlog.get_logger(__name__)


@contextmanager
def shown(asking: Asking, media: Sequence[Medium]) -> Iterator[list[dict[str, Any]]]:
    """The parts of a message, each after the id of the evidence it is. Files are gone again afterwards."""
    parts: list[dict[str, Any]] = []
    room = INLINE_BYTES
    with ExitStack() as files:
        for medium in media:
            parts.append({"text": f"Evidence {medium.evidence_id}:" if medium.evidence_id else "The post itself:"})
            if medium.url:
                parts.append({"file_data": {"file_uri": medium.url}})
            elif len(medium.data) <= room:
                room -= len(medium.data)
                parts.append({"inline_data": {"mime_type": medium.media_type, "data": medium.data}})
            else:
                parts.append(files.enter_context(_kept_there(asking, medium)))
        yield parts


@contextmanager
def _kept_there(asking: Asking, medium: Medium) -> Iterator[dict[str, Any]]:
    file = asking.upload(medium)
    try:
        ready = asking.wait_for(file)
        yield {"file_data": {"file_uri": ready.uri, "mime_type": medium.media_type}}
    finally:
        _forget(asking, file.name)


def _forget(asking: Asking, name: str) -> None:
    try:
        asking.forget(name)
    except Problem as problem:  # Google forgets it by itself after two days
        log.warning("gemini_file_left_behind", code=problem.code)
