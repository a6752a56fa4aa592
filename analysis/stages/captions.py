"""The words that the platform itself has of a video: they cost nothing, so nobody waits behind a model for them."""

from typing import ClassVar

from analysis.engine import Work
from analysis.stages.contract import Later, Product
from social.transcribers import NoWords
from social.transcribing import CAPTIONS, listeners, transcribe


class ReadCaptions:
    """Says whether anything is left for Whisper to do."""

    name: ClassVar[str] = "captions"
    queue: ClassVar[str] = "io"
    patience: ClassVar[float] = 240.0
    waits: ClassVar[float] = 300.0
    most_tries: ClassVar[int] = 3
    begins: ClassVar[tuple[str, str]] = ("transcribing", "What is said is being read.")
    ends: ClassVar[tuple[str, str] | None] = ("displaying_content", "The post can be shown.")
    progress: ClassVar[int] = 60

    def run(self, work: Work) -> Product | Later:
        found = transcribe(work.known_post, using=[CAPTIONS])
        left = isinstance(found, NoWords) and found.state != "no_video" and bool(listeners())
        return Product(reused=found is None, needless=frozenset() if left else frozenset({"transcribe"}))
