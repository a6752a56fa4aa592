"""What of a model's words can be believed. Whisper fills silence and music with sentences it has often seen."""

import re
import zlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from social.transcribers.contract import Segment

# The two of Whisper's own decoder: more likely silence than speech, and not sure of its words either.
LIKELY_SILENCE, UNSURE = 0.6, -1.0
# Whisper's own bound for text that repeats itself: ordinary speech compresses to less than half.
MOST_COMPRESSION = 2.4
# A refrain is sung three or four times; a loop of the decoder goes on.
MOST_REPEATS = 5
# Below this the model did not know which language it heard: music, noise, or several at once.
LEAST_LANGUAGE = 0.3
# Where most of what was heard had to be dropped, the rest is no better.
LEAST_KEPT = 0.3
# What it says when nobody speaks, learned from the ends of films: in English and Portuguese.
CREDITS = re.compile(
    r"(?:subtitles?|captions?|transcri\w+|legendas?|legendado|tradu\w+)\s+(?:by|por|pela|pelo)\b.*|amara\.org.*"
    r"|(?:thanks?(?: you)?(?: so much)? for watching|obrigad[oa] por assistir)[.! ]*",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """A segment as a model gives it, with what it knows of its own doubts."""

    segment: Segment
    no_speech: float
    sureness: float  # average log probability of the words


def believable(heard: Sequence[Heard], *, language_probability: float) -> tuple[Segment, ...]:
    """The segments that can be relied on; none where too little of it can."""
    if language_probability < LEAST_LANGUAGE:
        return ()
    sound = [each for each in heard if not _is_doubtful(each)]
    counts = Counter(_plain(each.segment.text) for each in sound)
    kept = [each.segment for each in sound if counts[_plain(each.segment.text)] <= MOST_REPEATS]
    seconds = sum(each.segment.end - each.segment.start for each in heard)
    relied_on = sum(segment.end - segment.start for segment in kept)
    return tuple(kept) if kept and relied_on >= LEAST_KEPT * seconds else ()


def _is_doubtful(heard: Heard) -> bool:
    said = heard.segment.text.strip()
    silent = heard.no_speech > LIKELY_SILENCE and heard.sureness < UNSURE
    return not said or silent or _compression(said) > MOST_COMPRESSION or CREDITS.fullmatch(said) is not None


def _compression(said: str) -> float:
    plain = said.encode()
    return len(plain) / len(zlib.compress(plain))


def _plain(said: str) -> str:
    return re.sub(r"\W+", " ", said).strip().lower()
