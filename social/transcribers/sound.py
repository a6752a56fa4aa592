"""A stored video's sound as Whisper wants it, 16,000 numbers a second, decoded in the jail."""

import importlib
from pathlib import Path
from typing import Any

from django.conf import settings

from core import jail
from social.errors import MediaUnreadable

RATE, BYTES = 16_000, 2
SECONDS, MEMORY_MB = 240.0, 2000


class NoSound(Exception):
    """The file has no sound track."""


def samples_of(path: Path) -> Any:
    """float32 between -1 and 1, of no more than the greatest length that is kept."""
    numpy: Any = importlib.import_module("numpy")
    job = {
        "kind": "sound",
        "decoder": "matroska" if path.suffix == ".webm" else "mp4",
        "path": str(path),
        "folder": str(path.parent),
        "most_seconds": settings.VIDEO_MAX_SECONDS,
    }
    room = settings.VIDEO_MAX_SECONDS * RATE * BYTES // 2**20 + 1
    try:
        found = jail.run("social.jailed.decode", job, seconds=SECONDS, memory_mb=MEMORY_MB, file_mb=room)
    except jail.Refusal as refusal:
        raise NoSound if refusal.code == "no_audio" else MediaUnreadable(details=refusal.details) from None
    except jail.JailBroken as broken:
        raise MediaUnreadable(details=broken.details) from None
    return numpy.fromfile(found["path"], "int16").astype("float32") / 32768.0
