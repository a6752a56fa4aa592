"""Twelve posts written for this project, so that a machine without keys has something to show. They say what they are.

Their ids can belong to no real post: numbers of X below its first one, codes at the far end of Instagram's, and ids of
YouTube that spell our name. Their times are told from now, so that what is young stays young.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any, ClassVar

import orjson
from django.conf import settings

from social import platforms
from social.facts import (
    Author,
    AuthorAddress,
    Captions,
    CommentSample,
    Found,
    Lost,
    Media,
    Metrics,
    Outcome,
    PostAddress,
    ScrapedComment,
    ScrapedPost,
)
from social.scrapers.contract import Kind

FOLDER = Path(__file__).parent
SCHEME = "sample:"
LABEL = {"sample": True}
# What an author's older posts are called on each platform.
OLDER = {"instagram": "PWhyralH{:03d}", "x": "92233720368547700{:02d}", "youtube": "WhyralH{:03d}A"}


class Samples:
    """Knows its own posts, and leaves all others to the next scraper."""

    name: ClassVar[str] = "samples"
    batch: ClassVar[int] = 100
    gathers: ClassVar[float] = 0
    patience: ClassVar[float] = 10

    def offers(self, platform: str, kind: Kind) -> bool:
        return bool(settings.SAMPLE_POSTS)

    def collect(self, addresses: Sequence[PostAddress], *, job: str = "") -> list[Outcome]:
        return [self._collect(address) for address in addresses]

    def recent_posts(self, author: AuthorAddress, *, limit: int, job: str = "") -> list[ScrapedPost] | Lost:
        known = _authors()
        handle = next((name for name, each in known.items() if _is(author, name, each)), "")
        return _history(handle, known[handle])[:limit] if handle else _not_here(author)

    def comments(self, post: PostAddress, *, limit: int, job: str = "") -> CommentSample | Lost:
        row = _posts().get((post.platform, post.post_id))
        if row is None:
            return _not_here(post)
        told = tuple(_comment(row, number, words) for number, words in enumerate(row["comments"][:limit]))
        return CommentSample(comments=told, total=_metrics(row, _authors()[row["author"]]).comments)

    def _collect(self, address: PostAddress) -> Outcome:
        row = _posts().get((address.platform, address.post_id))
        return Found(address=address, post=_post(row, address)) if row else _not_here(address)


def open_sample(name: str) -> Path | None:
    """A sample's picture or video; nothing else is found here, whatever the name."""
    known = {medium["file"] for row in _posts().values() for medium in row["media"]}
    return FOLDER / "media" / name if name in known else None


@cache
def _told() -> dict[str, Any]:
    return dict(orjson.loads((FOLDER / "posts.json").read_bytes()))


def _authors() -> dict[str, Any]:
    return dict(_told()["authors"])


@cache
def _posts() -> dict[tuple[str, str], dict[str, Any]]:
    return {(_authors()[row["author"]]["platform"], row["id"]): row for row in _told()["posts"]}


def _is(author: AuthorAddress, handle: str, known: Mapping[str, Any]) -> bool:
    by_id = bool(author.author_id) and author.author_id == known.get("author_id")
    return author.platform == known["platform"] and (by_id or author.handle == handle)


def _not_here(address: PostAddress | AuthorAddress) -> Lost:
    return Lost(state="failed", address=address, code="not_offered")


def _post(row: Mapping[str, Any], address: PostAddress) -> ScrapedPost:
    author = _authors()[row["author"]]
    speech = row["speech"]
    return ScrapedPost(
        address=address,
        author=_author(row["author"], author),
        title=row["title"],
        text=row["text"],
        posted_at=_ago(row["hours_ago"]),
        format=row["format"],
        metrics=_metrics(row, author),
        language=row["language"],
        seconds=speech[-1]["end"] if speech else None,
        media=tuple(
            Media(kind=medium["kind"], url=SCHEME + medium["file"], position=place)
            for place, medium in enumerate(row["media"])
        ),
        captions=(_captions(row),) if speech else (),
        details=row["details"] | LABEL,
        raw=row,
    )


def _author(handle: str, author: Mapping[str, Any]) -> Author:
    return Author(
        handle=handle,
        author_id=author.get("author_id", handle),
        name=author["name"],
        followers=author["followers"],
        bio=author["bio"],
    )


def _metrics(row: Mapping[str, Any], author: Mapping[str, Any]) -> Metrics:
    typical, multiple = author["typical"], row["multiple"]
    return Metrics(**{name: None if value is None else round(value * multiple) for name, value in typical.items()})


def _captions(row: Mapping[str, Any]) -> Captions:
    cues = [f"{_clock(part['start'])} --> {_clock(part['end'])}\n{part['text']}" for part in row["speech"]]
    text = "WEBVTT\n\n" + "\n\n".join(cues) + "\n"
    return Captions(language=row["language"], automatic=False, form="vtt", spoken=True, text=text)


def _clock(seconds: float) -> str:
    return f"00:{int(seconds // 60):02d}:{seconds % 60:06.3f}"


def _comment(row: Mapping[str, Any], number: int, words: str) -> ScrapedComment:
    return ScrapedComment(
        comment_id=f"{row['id']}-{number}",
        text=words,
        author=f"sample_reader_{number + 1}",
        likes=max(0, 40 - 7 * number),
        posted_at=_ago(max(0.0, row["hours_ago"] - number - 1)),
    )


def _history(handle: str, author: Mapping[str, Any]) -> list[ScrapedPost]:
    platform = author["platform"]
    return [
        ScrapedPost(
            address=platforms.address(platform, OLDER[platform].format(_number(handle) + number)),
            author=_author(handle, author),
            title=f"Sample post {number + 1}" if platform == "youtube" else "",
            text=f"Sample post {number + 1} of {author['name']}.",
            posted_at=_ago(row["hours_ago"]),
            format=author["format"],
            metrics=_metrics(row, author),
            details=LABEL,
            listed=True,
        )
        for number, row in enumerate(author["history"])
    ]


def _number(handle: str) -> int:
    """Where this author's older posts begin among those of all samples."""
    return 30 * [*_authors()].index(handle) % 90


def _ago(hours: float) -> datetime:
    return datetime.now(UTC).replace(microsecond=0) - timedelta(hours=hours)
