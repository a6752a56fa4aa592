"""What a model is shown of a post: its pictures and frames, a short video whole, a public video by its address."""

from collections.abc import Iterator
from itertools import islice

from django.conf import settings
from django.core.files.storage import default_storage

from analysis.dossier import Dossier
from analysis.providers.contract import Medium, Provider

MOST_PICTURES = 10
# Of all pictures together: what a vendor takes in one request, less the words and what base64 adds.
MOST_BYTES = 10_000_000
VIDEO = "video/*"


def media_for(dossier: Dossier, provider: Provider) -> list[Medium]:
    """Nothing for an analyst that only reads. What is gone from the storage is not shown."""
    if not provider.sees:
        return []
    return [*_video(dossier), *islice(_pictures(dossier), MOST_PICTURES)]


def _video(dossier: Dossier) -> Iterator[Medium]:
    known = dossier.known
    if known.platform == "youtube" and known.seconds and known.seconds <= settings.ANALYSIS_VIDEO_SECONDS:
        yield Medium(evidence_id="", media_type=VIDEO, url=known.url)


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
    except OSError:
        return b""
