"""BrightData as a scraper: Instagram, and X and YouTube where others could not.

Instagram's address does not say what a post is, and only the reels dataset counts views, while each row of each
dataset is paid for. So all are looked up among the posts, and those that turn out to be videos among the reels too,
as a second step of the same job: "posts:s_1", then "posts:s_1,reels:s_2,until:1764000000". What the second step adds
is welcome, not needed: where it fails, or is not done by then, the posts come home without views.
"""

import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from typing import ClassVar
from urllib.parse import quote

import structlog
from django.conf import settings

from core import errors
from social import platforms
from social.errors import AddressInvalid, JobFailed
from social.facts import AuthorAddress, CommentSample, Found, Lost, NotReady, Outcome, PostAddress, ScrapedPost
from social.scrapers.brightdata import comments, instagram, rows, x, youtube
from social.scrapers.brightdata.client import POLL_SECONDS, SNAPSHOT_ID, Client, Wait
from social.scrapers.brightdata.rows import Row
from social.scrapers.contract import Kind
from social.scrapers.reading import count, entry, text

CALL_SECONDS = 120.0
REELS_SECONDS = 300.0
DATASETS: dict[tuple[str, Kind], str] = {
    ("instagram", "post"): "instagram_posts",
    ("instagram", "recent"): "instagram_posts",
    ("instagram", "comments"): "instagram_comments",
    ("x", "post"): "x_posts",
    ("x", "recent"): "x_posts",
    ("youtube", "post"): "youtube_videos",
    ("youtube", "recent"): "youtube_videos",
    ("youtube", "comments"): "youtube_comments",
}
READERS = {"instagram": instagram.READER, "x": x.READER, "youtube": youtube.READER}
DISCOVERY = {"instagram": "url", "x": "profile_url", "youtube": "url"}

log = structlog.get_logger(__name__)


class BrightData:
    """Slow, by the record, and able to do nearly everything."""

    name: ClassVar[str] = "brightdata"
    batch: ClassVar[int] = 100
    # A record costs the same in any company. But each job is a trigger, a number of polls and a download, and counts
    # against the jobs that may run at once; beyond that come the 429s, and too many of these get our address banned.
    gathers: ClassVar[float] = 2.0
    patience: ClassVar[float] = 20 * 60.0

    def __init__(self, *, seconds: float = CALL_SECONDS) -> None:
        self._seconds = seconds

    def offers(self, platform: str, kind: Kind) -> bool:
        dataset = DATASETS.get((platform, kind), "")
        return bool(settings.BRIGHTDATA_API_KEY and settings.BRIGHTDATA_DATASETS.get(dataset))

    def collect(self, addresses: Sequence[PostAddress], *, job: str = "") -> list[Outcome] | NotReady:
        client, platform = Client(seconds=self._seconds), addresses[0].platform
        if not job:
            return _begun("posts", client.trigger(DATASETS[platform, "post"], _inputs(addresses)))
        steps = _steps(job)
        reels = _reels(client, steps) if "reels" in steps else []
        if isinstance(reels, Wait):
            return NotReady(job=job, retry_in=reels.seconds)
        found = client.rows(_step(steps, "posts"), billed="reels" not in steps)
        if isinstance(found, Wait):
            return NotReady(job=job, retry_in=found.seconds)
        ended = rows.outcomes(found, addresses, READERS[platform])
        if "reels" in steps:
            return _with_reels(ended, reels)
        second = _ask_for_reels(client, ended) if platform == "instagram" else ""
        return NotReady(job=f"{job},{second}", retry_in=POLL_SECONDS) if second else ended

    def recent_posts(self, author: AuthorAddress, *, limit: int, job: str = "") -> list[ScrapedPost] | Lost | NotReady:
        client = Client(seconds=self._seconds)
        if not job:
            asked = {"url": _profile(author)} | ({} if author.platform == "x" else {"num_of_posts": limit})
            how = {"type": "discover_new", "discover_by": DISCOVERY[author.platform], "limit_per_input": str(limit)}
            return _begun("recent", client.trigger(DATASETS[author.platform, "recent"], [asked], **how))
        found = client.rows(_step(_steps(job), "recent"))
        if isinstance(found, Wait):
            return NotReady(job=job, retry_in=found.seconds)
        posts = _listed(author, found)
        if not posts:
            return _no_posts(author, found)
        newest_first = sorted(posts, key=lambda post: post.posted_at.timestamp() if post.posted_at else 0, reverse=True)
        return newest_first[:limit]

    def comments(self, post: PostAddress, *, limit: int, job: str = "") -> CommentSample | Lost | NotReady:
        client = Client(seconds=self._seconds)
        if not job:
            asked = {"url": post.url} | ({"num_of_comments": limit} if post.platform == "youtube" else {})
            dataset = DATASETS[post.platform, "comments"]
            return _begun("comments", client.trigger(dataset, [asked], limit_per_input=str(limit)))
        found = client.rows(_step(_steps(job), "comments"))
        if isinstance(found, Wait):
            return NotReady(job=job, retry_in=found.seconds)
        return comments.sample(found, post, limit=limit)


def _begun(step: str, snapshot_id: str) -> NotReady:
    return NotReady(job=f"{step}:{snapshot_id}", retry_in=POLL_SECONDS)


def _steps(job: str) -> dict[str, str]:
    return dict(part.partition(":")[::2] for part in job.split(","))


def _step(steps: dict[str, str], name: str) -> str:
    if not SNAPSHOT_ID.fullmatch(steps.get(name, "")):
        raise JobFailed(details={"problem": "no such job"})
    return steps[name]


def _inputs(addresses: Sequence[PostAddress]) -> list[dict[str, str]]:
    return [{"url": address.url} for address in addresses]


def _ask_for_reels(client: Client, ended: list[Outcome]) -> str:
    """The second step's part of the job, or nothing where there is no need of it or it cannot begin."""
    videos = [each.address for each in ended if isinstance(each, Found) and _lacks_views(each.post)]
    if not (videos and settings.BRIGHTDATA_DATASETS.get("instagram_reels")):
        return ""
    try:
        snapshot_id = client.trigger("instagram_reels", _inputs(videos))
    except errors.Problem as problem:
        log.warning("brightdata_reels_missed", code=problem.code, posts=len(videos))
        return ""
    return f"reels:{snapshot_id},until:{int(time.time() + REELS_SECONDS)}"


def _lacks_views(post: ScrapedPost) -> bool:
    return post.format in {"short", "video"} and post.metrics.views is None


def _reels(client: Client, steps: dict[str, str]) -> list[Row] | Wait:
    """The rows of the second step, none of them where it failed or takes too long."""
    late = time.time() > (count(steps.get("until")) or 0)
    try:
        found = client.rows(_step(steps, "reels"))
    except errors.Problem as problem:
        if problem.retryable and not isinstance(problem, JobFailed) and not late:
            return Wait(problem.retry_after or POLL_SECONDS)
        log.warning("brightdata_reels_missed", code=problem.code)
        return []
    return [] if late and isinstance(found, Wait) else found


def _with_reels(ended: list[Outcome], reels: list[Row]) -> list[Outcome]:
    posts = {each.address.post_id: each.post for each in ended if isinstance(each, Found)}
    for address, row in rows.by_address(reels, [post.address for post in posts.values()]):
        post = posts[address.post_id]
        if rows.is_good(row) and instagram.post_id(row) in {"", address.post_id} and post.metrics.views is None:
            posts[address.post_id] = instagram.with_reel(post, row)
    return [replace(each, post=posts[each.address.post_id]) if isinstance(each, Found) else each for each in ended]


def _profile(author: AuthorAddress) -> str:
    handle = quote(author.handle, safe="")
    if author.platform == "instagram":
        return f"https://www.instagram.com/{handle}/"
    if author.platform == "x":
        return f"https://x.com/{handle}"
    channel = f"channel/{quote(author.author_id, safe='')}" if author.author_id else f"@{handle}"
    return f"https://www.youtube.com/{channel}/videos"


def _no_posts(author: AuthorAddress, found: Sequence[Row]) -> Lost:
    failed = next((row for row in found if rows.is_failed(row) or rows.is_good(row)), None)
    return rows.lost(failed, author) if failed else Lost(state="not_found", address=author, note="no posts")


def _listed(author: AuthorAddress, found: Sequence[Row]) -> list[ScrapedPost]:
    posts: dict[str, ScrapedPost] = {}
    for row in found:
        address = _address_of(row, author)
        if address and address.post_id not in posts:
            post = replace(READERS[author.platform].post(row, address), listed=True)
            if _is_theirs(post, author):
                posts[address.post_id] = post
    return list(posts.values())


def _address_of(row: Row, author: AuthorAddress) -> PostAddress | None:
    """Which post a row of an author's list is about: none where it was not asked for, or names no post."""
    profile = _profile(author)
    asked = text(entry(row.get("input")).get("url") or profile, limit=500)
    if not rows.is_good(row) or asked.rstrip("/").lower() != profile.rstrip("/").lower():
        return None
    named = platforms.address(author.platform, READERS[author.platform].post_id(row))
    # An id is only what an address could hold: a broken one would be kept as a post of its own for good.
    with suppress(AddressInvalid):
        return named if platforms.parse_post_url(named.url).post_id == named.post_id else None
    return None


def _is_theirs(post: ScrapedPost, author: AuthorAddress) -> bool:
    """Not what they only repeat or appear in, for a baseline is of their own; a row that does not say is believed."""
    # A channel's page has nobody else's videos, and its handle may have been another.
    return author.platform == "youtube" or post.author.handle.lower() in {"", author.handle.lower()}
