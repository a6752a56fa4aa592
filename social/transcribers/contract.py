"""What every transcriber answers: words with times, or why there are none."""

from dataclasses import dataclass
from typing import ClassVar, Protocol

from social.models import Post


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """Some words and when they are said, in seconds; how sure the transcriber is, from 0 to 1, where it says so."""

    start: float
    end: float
    text: str
    probability: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Transcript:
    """What is said, and where we have that from, as "captions:human"."""

    segments: tuple[Segment, ...]
    language: str
    source: str

    @property
    def text(self) -> str:
        return " ".join(segment.text for segment in self.segments)


@dataclass(frozen=True, slots=True, kw_only=True)
class NoWords:
    """Nothing that can be relied on: `state` is no_captions, no_video, no_audio, no_speech, no_reliable_speech, ..."""

    state: str
    # For a person: what is missing, where something could be done about it.
    advice: str = ""


class Transcriber(Protocol):
    """One way to words."""

    name: ClassVar[str]

    def transcribe(self, post: Post) -> Transcript | NoWords:
        """The words of a post's video. Errors of core.errors where it cannot be asked just now."""
