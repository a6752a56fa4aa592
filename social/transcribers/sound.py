"""A file's sound as Whisper wants it, 16,000 numbers a second, without an FFmpeg program."""

import importlib
from pathlib import Path
from typing import Any

from django.conf import settings

RATE = 16_000


class NoSound(Exception):
    """The file has no sound track."""


def samples_of(path: Path) -> Any:
    """float32 between -1 and 1, of no more than the greatest length that is kept."""
    av: Any = importlib.import_module("av")
    numpy: Any = importlib.import_module("numpy")
    with av.open(str(path), metadata_errors="ignore") as container:
        if not container.streams.audio:
            raise NoSound
        resampler = av.AudioResampler(format="s16", layout="mono", rate=RATE)
        pieces, left = [], settings.VIDEO_MAX_SECONDS * RATE
        for frame in container.decode(audio=0):
            for piece in resampler.resample(frame):
                pieces.append(piece.to_ndarray().reshape(-1)[:left])
                left -= len(pieces[-1])
            if left <= 0:
                break
    return numpy.concatenate([numpy.zeros(0, "int16"), *pieces]).astype("float32") / 32768.0
