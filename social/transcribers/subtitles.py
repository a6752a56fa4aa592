"""Subtitles in the two forms that platforms give them in, WebVTT and YouTube's json3, read as segments with times.

Automatic captions roll: a line is shown, and shown again above the next. Each word is kept once.
"""

import html
import re
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any

import orjson

from core.errors import VendorAnswerInvalid
from social.scrapers.reading import entry, items, text
from social.transcribers.contract import Segment

MOST_SEGMENTS = 20_000
LONGEST_LINE = 1_000
LONGEST_TIME = 24 * 3600.0
# https://www.w3.org/TR/webvtt1/#webvtt-timestamp
TIMES = re.compile(
    r"(?:(\d{1,3}):)?([0-5]?\d):([0-5]?\d)[.,](\d{3})[ \t]+-->[ \t]+(?:(\d{1,3}):)?([0-5]?\d):([0-5]?\d)[.,](\d{3}).*",
    re.ASCII,
)
TAG = re.compile(r"<[^<>]{0,200}>")
SPACE = re.compile(r"\s+")


def read_vtt(source: str) -> tuple[Segment, ...]:
    if not source.lstrip("\ufeff \r\n").startswith("WEBVTT"):
        raise VendorAnswerInvalid(details={"problem": "not WebVTT"})
    return _tidied(_cues(source))


def read_json3(body: bytes) -> tuple[Segment, ...]:
    try:
        told = orjson.loads(body)
    except orjson.JSONDecodeError:
        raise VendorAnswerInvalid(details={"problem": "not JSON"}) from None
    return _tidied(_event(event) for event in items(entry(told).get("events")))


def _cues(source: str) -> Iterator[Segment]:
    """Blocks between empty lines: those that have a line of times are cues, whatever else is there is not."""
    for block in re.split(r"\r?\n[ \t]*\r?\n", source):
        lines = block.splitlines()
        place = next((n for n, line in enumerate(lines[:2]) if "-->" in line), None)
        found = TIMES.fullmatch(lines[place].strip()) if place is not None else None
        if found and place is not None:
            said = TAG.sub("", " ".join(lines[place + 1 :])[: 10 * LONGEST_LINE])
            yield Segment(
                start=_seconds(found.groups()[:4]), end=_seconds(found.groups()[4:]), text=html.unescape(said)
            )


def _seconds(parts: tuple[str | None, ...]) -> float:
    hours, minutes, seconds, thousandths = (int(part or 0) for part in parts)
    return hours * 3600 + minutes * 60 + seconds + thousandths / 1000


def _event(event: Any) -> Segment:
    start, long = _milliseconds(event.get("tStartMs")), _milliseconds(event.get("dDurationMs"))
    pieces = [piece.get("utf8") for piece in items(event.get("segs"))]
    said = "".join(piece for piece in pieces if isinstance(piece, str))
    return Segment(start=start, end=start + long, text=said)


def _milliseconds(value: Any) -> float:
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return float(value) / 1000 if is_number and 0 <= value <= LONGEST_TIME * 1000 else 0.0


def _tidied(segments: Iterable[Segment]) -> tuple[Segment, ...]:
    """In order, within bounds, without what the line before has said already."""
    kept: list[Segment] = []
    for segment in sorted(islice(segments, MOST_SEGMENTS), key=lambda each: each.start):
        said = _new_words(kept[-1].text if kept else "", text(SPACE.sub(" ", segment.text), limit=LONGEST_LINE))
        if said and segment.start <= LONGEST_TIME:
            if kept and kept[-1].end > segment.start:
                kept[-1] = _ending_at(kept[-1], segment.start)
            kept.append(Segment(start=segment.start, end=max(segment.start, segment.end), text=said))
    return tuple(kept)


def _new_words(before: str, said: str) -> str:
    """What is said beyond the line before, where this one begins with that line's end."""
    if said == before:
        return ""
    words, earlier = said.split(" "), before.split(" ")
    for size in range(min(len(words), len(earlier)), 1, -1):
        if earlier[-size:] == words[:size]:
            return " ".join(words[size:])
    return said


def _ending_at(segment: Segment, end: float) -> Segment:
    return Segment(start=segment.start, end=end, text=segment.text, probability=segment.probability)
