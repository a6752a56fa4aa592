"""What is said in a video without captions, as Whisper hears it. Down a queue of processes: it takes a processor."""

from typing import ClassVar

from analysis.engine import Work
from analysis.stages.contract import Later, Product
from social.models import Post
from social.transcribers import Transcript
from social.transcribing import listeners, transcribe


class Transcribe:
    """A video that cannot be read is explained without its words."""

    name: ClassVar[str] = "transcribe"
    queue: ClassVar[str] = "cpu"
    patience: ClassVar[float] = 1700.0
    waits: ClassVar[float] = 1800.0
    most_tries: ClassVar[int] = 3
    begins: ClassVar[tuple[str, str]] = ("transcribing", "What is said is being transcribed.")
    ends: ClassVar[tuple[str, str] | None] = None
    progress: ClassVar[int] = 70

    def run(self, work: Work) -> Product | Later:
        found = transcribe(work.known_post, using=listeners())
        seconds = Post.objects.values_list("seconds", flat=True).get(pk=work.known_post) or 0.0
        heard = seconds if isinstance(found, Transcript) else 0.0
        return Product(reused=found is None, seconds_transcribed=heard)
