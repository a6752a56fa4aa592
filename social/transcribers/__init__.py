"""From speech to words: which transcribers there are. Who is asked, and in which order, is in the settings."""

from social.transcribers.captions import CaptionsTranscriber
from social.transcribers.contract import NoWords, Segment, Transcriber, Transcript
from social.transcribers.faster_whisper import FasterWhisperTranscriber
from social.transcribers.openai_whisper import OpenAIWhisperTranscriber

TRANSCRIBERS: dict[str, type[Transcriber]] = {
    "captions": CaptionsTranscriber,
    "faster_whisper": FasterWhisperTranscriber,
    "openai_whisper": OpenAIWhisperTranscriber,
}

__all__ = ["TRANSCRIBERS", "NoWords", "Segment", "Transcript"]
