"""What a model is shown of a post: pictures, frames, and a short video whole, as it is kept or by its address."""

from collections.abc import Iterator
from itertools import islice

import structlog
from django.conf import settings
from django.core.files.storage import default_storage

from analysis.dossier import Dossier
from analysis.providers.contract import Medium, Provider
from core.errors import Problem

MOST_PICTURES = 10
# Of all pictures together: what a vendor takes in one request, less the words and what base64 adds.
MOST_BYTES = 10_000_000
# Of a video: a minute or two of what phones film. It is held in memory while the model is asked.
MOST_VIDEO_BYTES = 30_000_000
VIDEO = "video/*"

log = structlog.get_logger(__name__)


def media_for(dossier: Dossier, provider: Provider) -> list[Medium]:
    """Nothing for an analyst that only reads. What is gone from the storage is not shown."""
    if not provider.sees:
        return []
    return [*(_video(dossier) if provider.watches else ()), *islice(_pictures(dossier), MOST_PICTURES)]


def _video(dossier: Dossier) -> Iterator[Medium]:
    known, video = dossier.known, dossier.known.video
    if known.platform == "youtube":
        if _is_short(known.seconds):
            yield Medium(evidence_id="", media_type=VIDEO, url=known.url)
    elif video and _is_short(video.seconds) and (data := _bytes(video.file, MOST_VIDEO_BYTES)):
        yield Medium(evidence_id="", media_type=video.media_type, data=data)


def _is_short(seconds: float | None) -> bool:
    return bool(seconds) and (seconds or 0.0) <= settings.ANALYSIS_VIDEO_SECONDS


def _pictures(dossier: Dossier) -> Iterator[Medium]:
    room = MOST_BYTES
    shown = [item.id for item in dossier.evidence if item.kind == "frame"]
    for evidence_id, frame in zip(shown, dossier.known.frames, strict=False):
        data = _bytes(frame.file, room)
        if data:
            room -= len(data)
            yield Medium(evidence_id=evidence_id, media_type=frame.media_type, data=data)


def _bytes(name: str, most: int) -> bytes:
    try:
        with default_storage.open(name) as file:
            return bytes(file.read()) if file.size <= most else b""
    except (OSError, Problem) as problem:
        log.warning("medium_not_shown", error=type(problem).__name__)
        return b""
