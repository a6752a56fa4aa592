"""Whisper by CTranslate2: the extra `whisper`. The model is loaded once in a process, and never before a fork.

A transcription runs in the process that asks for it: one of the `cpu` queue, whose workers hold one task each. What it
is given are numbers: the video's sound was decoded in the jail.
"""

import importlib
import os
import time
from functools import cache
from pathlib import Path
from threading import Lock
from typing import Any, ClassVar

from django.conf import settings

from core.errors import VendorTimeout, VendorUnavailable
from social.models import Post
from social.transcribers.contract import NoWords, Segment, Transcript
from social.transcribers.guard import Heard, believable
from social.transcribers.sound import NoSound, samples_of
from social.transcribers.video import stored_video

BATCH = 8
# A video of the greatest length takes this long on two slow processors.
MOST_SECONDS = 1500.0
INSTALL = "There are no captions, and speech is read by the extra `whisper` (faster-whisper), which is not installed."
FETCH = "The Whisper model {} is not here: set WHISPER_MODEL to a folder that holds it, or WHISPER_DOWNLOAD=true."
_one_at_a_time = Lock()


class FasterWhisperTranscriber:
    """int8 on a processor, float16 on a graphics card; silence is cut away before the model hears anything."""

    name: ClassVar[str] = "faster_whisper"

    def transcribe(self, post: Post) -> Transcript | NoWords:
        try:
            engine: Any = importlib.import_module("faster_whisper")
        except ImportError:
            return NoWords(state="unavailable", advice=INSTALL)
        with stored_video(post) as path:
            if path is None:
                return NoWords(state="no_video")
            with _one_at_a_time:
                return _transcribe(engine, path)


@cache
def _model(process: int, name: str, device: str) -> Any:
    """The model of this process: one that was loaded before a fork hangs in the child."""
    engine: Any = importlib.import_module("faster_whisper")
    if device == "auto":
        device = "cuda" if importlib.import_module("ctranslate2").get_cuda_device_count() else "cpu"
    return engine.WhisperModel(
        name,
        device=device,
        compute_type="float16" if device == "cuda" else "int8",
        local_files_only=not settings.WHISPER_DOWNLOAD,
    )


def _transcribe(engine: Any, path: Path) -> Transcript | NoWords:
    try:
        model = _model(os.getpid(), settings.WHISPER_MODEL, settings.WHISPER_DEVICE)
    except (ValueError, RuntimeError, OSError) as problem:
        return NoWords(state="unavailable", advice=f"{FETCH.format(settings.WHISPER_MODEL)} ({type(problem).__name__})")
    try:
        samples = samples_of(path)
    except NoSound:
        return NoWords(state="no_audio")
    try:
        heard, told = _hear(engine, model, samples)
    except RuntimeError as problem:
        raise VendorUnavailable(details={"problem": str(problem)[:200]}) from None
    return _told(heard, told)


def _told(heard: list[Heard], told: Any) -> Transcript | NoWords:
    if not heard:
        return NoWords(state="no_speech")
    segments = believable(heard, language_probability=told.language_probability)
    if not segments:
        return NoWords(state="no_reliable_speech")
    return Transcript(
        segments=segments, language=told.language, source=f"faster_whisper:{Path(settings.WHISPER_MODEL).name}"
    )


def _hear(engine: Any, model: Any, samples: Any) -> tuple[list[Heard], Any]:
    started = time.monotonic()
    pipeline = engine.BatchedInferencePipeline(model)
    found, told = pipeline.transcribe(samples, batch_size=BATCH, vad_filter=True, without_timestamps=False)
    heard: list[Heard] = []
    # Nothing is decoded before it is asked for.
    for part in found:
        if time.monotonic() - started > MOST_SECONDS:
            raise VendorTimeout(details={"seconds": MOST_SECONDS})
        heard.append(_heard(part))
    return heard, told


def _heard(part: Any) -> Heard:
    # The average log probability, as a share between 0 and 1.
    segment = Segment(
        start=part.start, end=part.end, text=part.text.strip(), probability=round(2.718281828**part.avg_logprob, 4)
    )
    return Heard(segment=segment, no_speech=part.no_speech_prob, sureness=part.avg_logprob)
