"""Saving posts in bulk against a bare COPY of the same rows, and finding those that are stored already."""

import statistics
from datetime import UTC, datetime, timedelta
from pathlib import Path

from django.db import connection, transaction

from benchmarks.machine import on_server_core
from benchmarks.measure import Cost, Figure, Line, cost_of, rounds
from social import platforms
from social.collecting import stored_posts
from social.facts import Author, Media, Metrics, ScrapedPost
from social.saving import save_posts

POSTS, FOUND, ROUNDS = 10_000, 100, 5
TABLES = ("social_post", "social_metricsnapshot", "social_postmedia")
AT = datetime.now(UTC)
LINES = {
    "saving": Line(
        f"saving {POSTS:,} posts, two media and a snapshot each / bare COPY", "x rate", 0.25, 0.25, more_is_better=True
    ),
    "stored": Line("finding a stored post, a hundred at a time", "ms", target=5, red=5),
}


def measure(home: Path, wanted: set[str]) -> list[Figure]:
    posts = [_post(number) for number in range(POSTS)]
    rows = _rows_of(posts)
    with on_server_core():
        taken = rounds({"save": lambda: _save(posts), "copy": lambda: _copy(rows)}, count=ROUNDS)
    _save(posts)
    addresses = [post.address for post in posts[:FOUND]]
    finding = [cost_of(lambda: stored_posts(addresses, newer_than=AT), units=FOUND).wall * 1000 for _ in range(20)]
    rates = ", ".join(
        f"{name} {1 / statistics.median(each[name].wall for each in taken):,.0f}/s" for name in ("save", "copy")
    )
    return [
        Figure("saving", LINES["saving"], tuple(each["copy"].wall / each["save"].wall for each in taken), rates),
        Figure("stored", LINES["stored"], (statistics.median(finding),), f"{FOUND} at a time"),
    ]


def _post(number: int) -> ScrapedPost:
    return ScrapedPost(
        address=platforms.address("x", str(1_800_000_000_000_000_000 + number)),
        author=Author(
            handle=f"author{number % 500}", name="Somebody", followers=1000 + number, bio="A bio of some length. " * 4
        ),
        text=f"Post {number}: " + "words that somebody wrote " * 8,
        posted_at=AT - timedelta(hours=number % 1000),
        format="image",
        metrics=Metrics(likes=number, comments=number // 9, shares=number // 20, views=number * 40, saves=3),
        media=tuple(Media(kind="image", url=f"https://pbs.example/{number}-{n}.jpg", position=n) for n in range(2)),
        details={"hashtags": ["one", "two"], "mentions": ["somebody"]},
        raw={"id": str(number), "text": "words that somebody wrote " * 8, "counts": [number, number, number]},
    )


def _save(posts: list[ScrapedPost]) -> Cost:
    _empty()
    return cost_of(lambda: save_posts(posts, source="bench", at=AT), units=POSTS)


def _rows_of(posts: list[ScrapedPost]) -> dict[str, bytes]:
    """The very rows, as PostgreSQL itself writes them down."""
    _save(posts)
    with connection.cursor() as cursor:
        rows = {}
        for table in TABLES:
            with cursor.copy(f"COPY {table} TO STDOUT (FORMAT binary)") as copy:
                rows[table] = b"".join(bytes(piece) for piece in copy)
        return rows


def _copy(rows: dict[str, bytes]) -> Cost:
    """Into the same tables, with all their constraints, indexes and foreign keys, in one transaction."""
    _empty()

    def copy_all() -> None:
        with transaction.atomic(), connection.cursor() as cursor:
            for table, written in rows.items():
                with cursor.copy(f"COPY {table} FROM STDIN (FORMAT binary)") as copy:
                    copy.write(written)

    return cost_of(copy_all, units=POSTS)


def _empty() -> None:
    with connection.cursor() as cursor:
        cursor.execute("TRUNCATE social_post CASCADE")
