"""Whisper by its authors: the extra `openai-whisper`, which brings PyTorch. Selectable; slower, and much larger.

Too large for the machines that run our tests: with a model, this file was run by hand.
"""

import importlib
import os
import pickle
from functools import cache
from pathlib import Path
from threading import Lock
from typing import Any, ClassVar

from django.conf import settings

from core.errors import VendorUnavailable
from social.models import Post
from social.transcribers.contract import NoWords, Segment, Transcript
from social.transcribers.guard import Heard, believable
from social.transcribers.sound import NoSound, samples_of
from social.transcribers.video import stored_video

INSTALL = "There are no captions, and speech is read by the extra `whisper` or `openai-whisper`: neither is installed."
FETCH = "The Whisper model {} is not here: set WHISPER_MODEL to the file that holds it, or WHISPER_DOWNLOAD=true."
CACHE = Path("~/.cache/whisper")
# What PyTorch says of a file that is cut off, or is no model.
UNLOADABLE = (OSError, RuntimeError, ValueError, KeyError, EOFError, pickle.UnpicklingError)
_one_at_a_time = Lock()


class OpenAIWhisperTranscriber:
    """The reference: float16 on a graphics card, float32 on a processor."""

    name: ClassVar[str] = "openai_whisper"

    def transcribe(self, post: Post) -> Transcript | NoWords:
        try:
            importlib.import_module("whisper")
        except ImportError:
            return NoWords(state="unavailable", advice=INSTALL)
        with stored_video(post) as path:
            if path is None:
                return NoWords(state="no_video")
            if not _is_there(settings.WHISPER_MODEL) and not settings.WHISPER_DOWNLOAD:
                return NoWords(state="unavailable", advice=FETCH.format(settings.WHISPER_MODEL))
            try:
                samples = samples_of(path)
            except NoSound:
                return NoWords(state="no_audio")
            with _one_at_a_time:
                return _transcribe(samples)


def _is_there(name: str) -> bool:
    return Path(name).is_file() or (CACHE.expanduser() / f"{name}.pt").is_file()


@cache
def _model(process: int, name: str, device: str) -> Any:
    engine: Any = importlib.import_module("whisper")
    return engine.load_model(name, device=None if device == "auto" else device)


def _transcribe(samples: Any) -> Transcript | NoWords:
    try:
        model = _model(os.getpid(), settings.WHISPER_MODEL, settings.WHISPER_DEVICE)
    except UNLOADABLE as problem:
        return NoWords(state="unavailable", advice=f"{FETCH.format(settings.WHISPER_MODEL)} ({type(problem).__name__})")
    try:
        told = model.transcribe(samples, fp16=model.device.type == "cuda")
    # PyTorch finds numbers that are none, as half precision may give, to be the wrong value.
    except (RuntimeError, ValueError) as problem:
        raise VendorUnavailable(details={"problem": str(problem)[:200]}) from None
    heard = [_heard(part) for part in told["segments"]]
    if not heard:
        return NoWords(state="no_speech")
    # It does not say how sure it is of the language.
    segments = believable(heard, language_probability=1.0)
    if not segments:
        return NoWords(state="no_reliable_speech")
    source = f"openai_whisper:{Path(settings.WHISPER_MODEL).stem}"
    return Transcript(segments=segments, language=told["language"], source=source)


def _heard(part: dict[str, Any]) -> Heard:
    sureness = part["avg_logprob"]
    segment = Segment(
        start=part["start"], end=part["end"], text=part["text"].strip(), probability=round(2.718281828**sureness, 4)
    )
    return Heard(segment=segment, no_speech=part["no_speech_prob"], sureness=sureness)
