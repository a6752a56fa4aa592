"""The numbered things that claims about a post can point at. The same post gives the same numbers.

Handles of people who comment are left out: nobody needs to know who they are to say what they want.
"""

import math
import re
import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import replace

from analysis.comparing.baseline import count_of
from analysis.comparing.figures import clock, counted
from analysis.dossier import Evidence, Frame, Known, Spoken, Verdict
from analysis.evidence import marks
from analysis.evidence.measured import facts_of
from analysis.evidence.sampling import sample
from analysis.plain import make_plain

MOST_LINES, MOST_SEGMENTS, MOST_COMMENTS = 30, 60, 40
LONGEST_LINE = LONGEST_COMMENT = 500
LONGEST_BIO = 300
# Of an item of speech: two hours, in sixty of them, are told whole. All that a post can have as evidence has room in a
# chat (`CHAT_PROMPT_TOKENS`) by these bounds.
LONGEST_SPEECH = 2_000
# Whether a video holds its viewers is decided here, so these seconds keep the times of single segments.
OPENING_SECONDS, MOST_OPENING_SEGMENTS = 15, 10
HASHTAG = re.compile(r"#(\w+)")


def build(known: Known, verdict: Verdict) -> tuple[Evidence, ...]:
    parts = {
        "c": _caption(known),
        "t": _speech(known.spoken),
        "k": _comments(known),
        "m": facts_of(known, verdict),
        "f": _frames(known.frames),
        "p": _profile(known),
    }
    return tuple(
        replace(item, id=f"{letter}{number}", url=_url(known, item.start))
        for letter, items in parts.items()
        for number, item in enumerate(items, start=1)
    )


def _url(known: Known, start: float | None) -> str:
    """YouTube can open at a second; elsewhere the post has to do."""
    if known.platform != "youtube" or start is None or not known.url:
        return known.url
    return f"{known.url}{'&' if '?' in known.url else '?'}t={int(start)}s"


def _plain(text: str, longest: int) -> str:
    """One line without markup, cut where there is too much of it."""
    return _bound(" ".join(make_plain(text[: 4 * longest]).split()), longest)


def _bound(words: str, longest: int) -> str:
    return words if len(words) <= longest else words[: longest - 1].rstrip() + "\u2026"


def _caption(known: Known) -> Iterator[Evidence]:
    """Title, lines, and the hashtags that stand beside the text. A long line goes on in the next item."""
    room = MOST_LINES * LONGEST_LINE
    text = make_plain(f"{known.title[:room]}\n{known.text[:room]}")
    lines = [" ".join(line.split()) for line in text.splitlines()]
    pieces = [piece for line in lines for piece in textwrap.wrap(line, LONGEST_LINE)]
    written = set(HASHTAG.findall(text.casefold()))
    beside = [f"#{tag}" for tag in marks.hashtags(known.details) if tag.casefold() not in written]
    if beside:  # at the end, or in the last place that there is
        pieces[MOST_LINES - 1 :] = [_plain(" ".join(beside), LONGEST_LINE)]
    for piece in pieces[:MOST_LINES]:
        yield Evidence(id="", kind="caption", text=piece)


def _speech(spoken: Sequence[Spoken]) -> Iterator[Evidence]:
    """In at most so many items: the opening as it was told, the rest in equal runs of segments."""
    plain = (replace(each, text=" ".join(make_plain(each.text).split())) for each in spoken)
    said = [each for each in plain if each.text]
    if len(said) <= MOST_SEGMENTS:
        opening = len(said)
    else:
        opening = sum(each.start < OPENING_SECONDS for each in said[:MOST_OPENING_SEGMENTS])
    rest = said[opening:]
    size = math.ceil(len(rest) / (MOST_SEGMENTS - opening)) if rest else 1
    runs = [said[place : place + 1] for place in range(opening)]
    for run in [*runs, *(rest[place : place + size] for place in range(0, len(rest), size))]:
        text = _bound(" ".join(each.text for each in run), LONGEST_SPEECH)
        yield Evidence(id="", kind="transcript", text=text, start=run[0].start, end=max(each.end for each in run))


def _comments(known: Known) -> Iterator[Evidence]:
    for comment in sample(known.comments, most=MOST_COMMENTS):
        likes = count_of(comment.likes)
        numbers = {} if likes is None else {"likes": float(likes)}
        text = _plain(comment.text, LONGEST_COMMENT)
        if text:
            yield Evidence(id="", kind="comment", text=text, numbers=numbers)


def _frames(frames: Sequence[Frame]) -> Iterator[Evidence]:
    """In the order of the pictures that go with them, none left out, so that f3 is the third."""
    pictures = 0
    for frame in frames:
        pictures += frame.second is None and frame.kind != "thumbnail"
        alt = _plain(frame.alt_text, LONGEST_LINE)
        text = f"{_title(frame, pictures)}: {alt}" if alt else _title(frame, pictures)
        yield Evidence(id="", kind="frame", text=text, start=frame.second, end=frame.second)


def _title(frame: Frame, number: int) -> str:
    if frame.second is not None:
        return f"Frame at {clock(frame.second)}"
    return "Thumbnail" if frame.kind == "thumbnail" else f"Picture {number}"


def _profile(known: Known) -> Iterator[Evidence]:
    name, bio = (_plain(str(known.profile.get(part) or ""), LONGEST_BIO) for part in ("name", "bio"))
    handle, followers = _plain(known.author, LONGEST_BIO), count_of(known.profile.get("followers"))
    parts = [
        name,
        f"@{handle}" if handle else "",
        "verified" if known.profile.get("verified") is True else "",
        "" if followers is None else counted(followers, "follower"),
    ]
    text = ", ".join(filter(None, parts))
    if text or bio:
        numbers = {} if followers is None else {"followers": float(followers)}
        yield Evidence(id="", kind="profile", text=": ".join(filter(None, (text, bio))), numbers=numbers)
