"""The measured facts of a post as evidence: each a sentence, and its numbers by name, so that claims can be checked."""

import math
from collections.abc import Iterator, Mapping
from datetime import datetime

from analysis.comparing.baseline import count_of
from analysis.comparing.figures import clock, counted, span, times
from analysis.comparing.maturity import hours_old, in_utc
from analysis.dossier import Evidence, Known, Verdict
from analysis.evidence import marks

COUNTS = ("views", "likes", "comments", "shares", "saves")
INTERACTIONS = COUNTS[1:]
WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


def facts_of(known: Known, verdict: Verdict) -> Iterator[Evidence]:
    counts = {name: count for name in COUNTS if (count := count_of(known.metrics.get(name))) is not None}
    if counts:
        yield _fact(f"{_list(counts)} when it was collected.", counts)
    yield _standing(verdict)
    if known.posted_at is not None:
        yield _time(known.posted_at, known.collected_at or verdict.computed_at)
    yield from _length(known)
    yield from _engagement(counts, count_of(known.profile.get("followers")))
    yield from _marks(known)


def _fact(text: str, numbers: Mapping[str, float]) -> Evidence:
    return Evidence(id="", kind="metric", text=text, numbers={name: float(value) for name, value in numbers.items()})


def _list(counts: Mapping[str, int]) -> str:
    return ", ".join(counted(count, name.removesuffix("s")) for name, count in counts.items())


def _standing(verdict: Verdict) -> Evidence:
    numbers = {
        "multiple": verdict.multiple,
        "median": verdict.baseline.median,
        "percentile": verdict.percentile,
        "posts": verdict.baseline.n,
    }
    place = "" if verdict.percentile is None else f" Its percentile among them is {times(verdict.percentile)}."
    return _fact(verdict.basis + place, {name: value for name, value in numbers.items() if value is not None})


def _time(posted_at: datetime, seen_at: datetime | None) -> Evidence:
    at = in_utc(posted_at)
    hours = hours_old(posted_at, seen_at) if seen_at else None
    numbers = {"hour": at.hour} | ({} if hours is None else {"age_hours": hours, "age_days": hours / 24})
    before = "" if hours is None else f", {span(hours)} before it was looked at"
    return _fact(f"Posted on {WEEKDAYS[at.weekday()]}, {at:%Y-%m-%d} at {at:%H:%M} UTC{before}.", numbers)


def _length(known: Known) -> Iterator[Evidence]:
    numbers: dict[str, float] = {}
    parts = []
    if known.seconds is not None and math.isfinite(known.seconds) and known.seconds > 0:
        numbers["seconds"] = known.seconds
        parts.append(f"the video runs {clock(known.seconds)} ({counted(round(known.seconds), 'second')})")
    pictures = sum(1 for frame in known.frames if frame.second is None and frame.kind != "thumbnail")
    if pictures:
        numbers["pictures"] = pictures
        parts.append(f"it shows {counted(pictures, 'picture')}")
    written = f"{known.title}\n{known.text}".split()
    if written:
        numbers |= {"words": len(written), "characters": len(f"{known.title}{known.text}".strip())}
        parts.append(f"its text has {counted(len(written), 'word')}")
    if parts:
        yield _fact(f"Length: {', '.join(parts)}.", numbers)


def _engagement(counts: Mapping[str, int], followers: int | None) -> Iterator[Evidence]:
    """How many in a hundred did something; unweighted, for that is how people compare it."""
    done = {name: counts[name] for name in INTERACTIONS if name in counts}
    views = counts.get("views")
    audience, whom = (views, "views") if views else (followers, "followers")
    if done and audience:
        rate = 100 * sum(done.values()) / audience
        yield _fact(f"{times(rate)} interactions ({', '.join(done)}) for every 100 {whom}.", {"engagement_rate": rate})


def _marks(known: Known) -> Iterator[Evidence]:
    """What the platform says of it, as one fact, where it says anything."""
    said = []
    if marks.paid_partnership(known.details):
        said.append("it is a paid partnership")
    named = {
        "partner": "its partner is",
        "collaborators": "co-authors",
        "tagged": "tagged",
        "quotes": "it quotes",
        "repost_of": "it repeats",
    }
    for name, label in named.items():
        handles = marks.people(known.details, name)
        if handles:
            said.append(f"{label} {', '.join('@' + handle for handle in handles)}")
    if marks.is_pinned(known.details):
        said.append("it is pinned to the top of its author's profile")
    if said:
        yield _fact(f"What the platform says of it: {'; '.join(said)}.", {})
