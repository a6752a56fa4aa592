"""Posts as rows: in bulk, by as many statements for one as for ten thousand, and as often as one likes.

A newer collection wins; each leaves its metric snapshot, an older one that comes late too.
"""

import math
import zlib
from base64 import b64encode
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any
from uuid import UUID

import orjson
from django.conf import settings
from django.db import transaction

from core.ids import uuid7
from core.statements import ask
from social.engagement import engagement_score
from social.facts import CommentSample, Media, Metrics, ScrapedComment, ScrapedPost

Key = tuple[str, str]
LONGEST_TEXT, LONGEST_ADDRESS, LARGEST_DETAILS, LARGEST_RAW = 100_000, 4_000, 64_000, 1_000_000
MOST_MEDIA, MOST_COMMENTS, MOST_CAPTIONS = 60, 1_000, 40
DEEPEST = 50
LARGEST = 2**63 - 1
EARLIEST = datetime(1990, 1, 1, tzinfo=UTC)
COUNTS = ("likes", "comments", "shares", "views", "saves")


def save_posts(found: Sequence[ScrapedPost], *, source: str, at: datetime) -> dict[Key, UUID]:
    """The ids of these posts, by platform and the platform's id."""
    posts = _without_repeats(found)
    if not posts:
        return {}
    with transaction.atomic():
        raw_until = at + timedelta(days=settings.RAW_RECORD_DAYS)
        _execute("save_posts", [_row(post) for post in posts], at=at, source=source, raw_until=raw_until)
        keys = [{"platform": platform, "key": key} for platform, key in map(_key, posts)]
        ids = {(platform, key): post_id for platform, key, post_id in _execute("find_posts", keys)}
        _save_snapshots(posts, ids, source=source, at=at)
        _save_media(posts, ids, at=at)
    return ids


def save_comments(post_id: UUID, sample: CommentSample, *, source: str, at: datetime) -> None:
    comments = [_comment(comment) for comment in sample.comments[:MOST_COMMENTS]]
    row = {
        "id": uuid7(),
        "post_id": post_id,
        "sample": comments,
        "seen": len(comments),
        "total": _count(sample.total),
        "closed": sample.closed,
    }
    _execute("save_comments", [row], at=at, source=source)


def _without_repeats(found: Iterable[ScrapedPost]) -> list[ScrapedPost]:
    """Each post once, the fuller word of it, in an order that any two of us share: so nobody waits for each other."""
    posts: dict[Key, ScrapedPost] = {}
    for post in found:
        key = _key(post)
        if key not in posts or (posts[key].listed and not post.listed):
            posts[key] = post
    return [posts[key] for key in sorted(posts)]


def _key(post: ScrapedPost) -> Key:
    return (post.address.platform, _text(post.address.post_id, 64))


def _row(post: ScrapedPost) -> dict[str, Any]:
    platform, key = _key(post)
    raw = zlib.compress(_json(post.raw), 6) if post.raw else None
    metrics = _metrics(post.metrics)
    return {
        "id": uuid7(),
        "platform": platform,
        "key": key,
        "url": _text(post.address.url, 300),
        "author": _text(post.author.handle, 100),
        "author_id": _text(post.author.author_id, 100),
        "author_profile": _profile(post),
        "title": _text(post.title, LONGEST_TEXT),
        "text": _text(post.text, LONGEST_TEXT),
        "language": _text(post.language, 20),
        "posted_at": _moment(post.posted_at),
        "format": post.format or "",
        "seconds": _number(post.seconds),
        "metrics": {name: value for name, value in metrics.items() if value is not None},
        "score": engagement_score(Metrics(**metrics), _count(post.author.followers)),
        "details": _details(post.details),
        "captions": orjson.Fragment(_json([asdict(each) for each in post.captions[:MOST_CAPTIONS]])),
        "listed": post.listed,
        "raw": b64encode(raw).decode() if raw and len(raw) <= LARGEST_RAW else None,
    }


def _profile(post: ScrapedPost) -> dict[str, Any]:
    author = post.author
    known = {
        "name": _text(author.name, 200),
        "followers": _count(author.followers),
        "verified": author.verified,
        "bio": _text(author.bio, 2_000),
        "avatar_url": _text(author.avatar_url, LONGEST_ADDRESS),
    }
    return {name: value for name, value in known.items() if value not in (None, "")}


def _metrics(metrics: Metrics) -> dict[str, int | None]:
    return {name: _count(getattr(metrics, name)) for name in COUNTS}


def _save_snapshots(posts: Sequence[ScrapedPost], ids: dict[Key, UUID], *, source: str, at: datetime) -> None:
    rows = [
        {"post_id": ids[_key(post)], **_metrics(post.metrics), "followers": _count(post.author.followers)}
        for post in posts
        if post.metrics != Metrics()
    ]
    if rows:
        _execute("save_snapshots", rows, at=at, source=source)


def _save_media(posts: Sequence[ScrapedPost], ids: dict[Key, UUID], *, at: datetime) -> None:
    rows: dict[tuple[UUID, str, int], dict[str, Any]] = {}
    for post in posts:
        for medium in post.media[:MOST_MEDIA]:
            row = _medium(ids[_key(post)], medium)
            rows.setdefault((row["post_id"], row["kind"], row["position"]), row)
    if rows:
        _execute("save_media", [rows[key] for key in sorted(rows)], at=at)


def _medium(post_id: UUID, medium: Media) -> dict[str, Any]:
    return {
        "id": uuid7(),
        "post_id": post_id,
        "kind": medium.kind,
        "position": medium.position,
        "url": _text(medium.url, LONGEST_ADDRESS),
        "width": _small(medium.width),
        "height": _small(medium.height),
        "seconds": _number(medium.seconds),
        "alt_text": _text(medium.alt_text, 5_000),
    }


def _comment(comment: ScrapedComment) -> dict[str, Any]:
    return {
        "id": _text(comment.comment_id, 200),
        "author": _text(comment.author, 200),
        "text": _text(comment.text, 10_000),
        "likes": _count(comment.likes),
        "replies": _count(comment.replies),
        "posted_at": _moment(comment.posted_at),
        "reply_to": _text(comment.reply_to, 200),
        "by_post_author": comment.by_post_author,
        "pinned": comment.pinned,
    }


# What PostgreSQL takes


def _text(value: str, longest: int) -> str:
    cut = value[:longest]
    if cut.isascii() and "\0" not in cut:  # as most are
        return cut
    return cut.replace("\0", "").encode("utf-8", "ignore").decode()


def _count(value: int | None) -> int | None:
    return value if value is not None and 0 <= value <= LARGEST else None


def _small(value: int | None) -> int | None:
    return value if value is not None and 0 <= value < 2**31 else None


def _number(value: float | None) -> float | None:
    return float(value) if value is not None and math.isfinite(value) and value >= 0 else None


def _moment(value: datetime | None) -> datetime | None:
    if value is None or value.tzinfo is None:
        return None
    return value if EARLIEST <= value <= datetime.now(UTC) + timedelta(days=400) else None


def _details(details: Mapping[str, Any]) -> orjson.Fragment:
    """As JSON; of too many, those that are small."""
    whole = _json(details)
    if len(whole) <= LARGEST_DETAILS:
        return orjson.Fragment(whole)
    small = {name: value for name, value in details.items() if len(_json(value)) <= 2_000}
    return orjson.Fragment(_json(dict([*small.items()][:30])))


def _json(value: Any) -> bytes:
    try:
        said = orjson.dumps(value, default=_plain, option=orjson.OPT_NON_STR_KEYS)
    except orjson.JSONEncodeError:
        said = b"\\u0000"
    # Most is fit as it stands; looking at each piece of it in Python costs more than all the rest of a row.
    return said if b"\\u0000" not in said else orjson.dumps(_clean(value), default=str)


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return dict(value)
    return [*value] if isinstance(value, (set, frozenset)) else str(value)


def _clean(value: Any, depth: int = 0) -> Any:
    """Without what JSON cannot hold: null characters, halves of characters, huge numbers, bottomless nests."""
    if isinstance(value, str):
        return _text(value, LONGEST_TEXT)
    if isinstance(value, Mapping):
        inside = value.items() if depth < DEEPEST else ()
        return {_text(str(name), 200): _clean(inner, depth + 1) for name, inner in inside}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [_clean(inner, depth + 1) for inner in value] if depth < DEEPEST else []
    if isinstance(value, int) and abs(value) > LARGEST:
        return str(value)
    return value


# How it gets there


def _execute(name: str, rows: Sequence[Mapping[str, Any]], **values: Any) -> list[tuple[Any, ...]]:
    """All rows in one JSON text, apart from the statement: arrays of PostgreSQL cost Python five times as much."""
    return ask(_statement(name), values | {"rows": orjson.dumps(rows).decode()})


@cache
def _statement(name: str) -> str:
    return (Path(__file__).parent / "sql" / f"{name}.sql").read_text()
