"""YouTube through its own Data API: statistics and comments, for a daily quota."""

import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import ClassVar

from django.conf import settings

from core.errors import VendorAnswerInvalid, VendorProblem
from social import platforms
from social.facts import AuthorAddress, CommentSample, Found, Lost, Outcome, PostAddress, ScrapedComment, ScrapedPost
from social.scrapers.contract import Kind
from social.scrapers.youtube_api import videos
from social.scrapers.youtube_api.asking import PAGE, Client, Refused, Row

CALL_SECONDS = 45.0  # for a list, the videos on it and their channel
CHANNEL_ID = re.compile(r"UC[A-Za-z0-9_-]{22}")


class YouTubeApi:
    """Videos by id, a channel's uploads, and comment threads."""

    name: ClassVar[str] = "youtube_api"
    batch: ClassVar[int] = PAGE
    gathers: ClassVar[float] = 0
    patience: ClassVar[float] = 60

    def __init__(self, *, seconds: float = CALL_SECONDS) -> None:
        self._seconds = seconds

    def offers(self, platform: str, kind: Kind) -> bool:
        return platform == "youtube" and bool(settings.YOUTUBE_API_KEY)

    def collect(self, addresses: Sequence[PostAddress], *, job: str = "") -> list[Outcome]:
        client = Client(seconds=self._seconds)
        rows = client.videos([address.post_id for address in addresses])
        known = {videos.id_of(row): row for row in reversed(rows)}
        channels = _channels(client, [known[address.post_id] for address in addresses if address.post_id in known])
        return [
            _outcome(address, known.get(address.post_id), channels, all_read="" not in known) for address in addresses
        ]

    def recent_posts(self, author: AuthorAddress, *, limit: int, job: str = "") -> list[ScrapedPost] | Lost:
        client, channel_id = Client(seconds=self._seconds), author.author_id
        try:
            if not CHANNEL_ID.fullmatch(channel_id):
                channel_id = client.channel_of(author.handle)
            ids = client.uploads(channel_id, limit=limit) if channel_id else []
        except Refused as refused:
            if refused.reason != "playlistNotFound":
                raise
            return Lost(state="not_found", address=author, note=refused.reason)
        return _listed(client, ids, channel_id) if channel_id else Lost(state="not_found", address=author)

    def comments(self, post: PostAddress, *, limit: int, job: str = "") -> CommentSample | Lost:
        try:
            rows = Client(seconds=self._seconds).threads(post.post_id, limit=limit)
        except Refused as refused:
            if refused.reason == "commentsDisabled":
                return CommentSample(closed=True)
            if refused.reason != "videoNotFound":
                raise
            return Lost(state="not_found", address=post, note=refused.reason)
        comments: dict[str, ScrapedComment] = {}
        for comment in (videos.comment(row) for row in rows if videos.is_about(row, post.post_id)):
            if comment.comment_id:
                comments.setdefault(comment.comment_id, comment)
        # How many there are is among the statistics of the video; here it is not said.
        return CommentSample(comments=tuple(comments.values())[:limit])


def _outcome(address: PostAddress, row: Row | None, channels: Mapping[str, Row], *, all_read: bool) -> Outcome:
    if row is not None and videos.says_something(row):
        channel = channels.get(videos.channel_of(row), {})
        return Found(address=address, post=videos.post(row, address, channel))
    if row is None and all_read:
        # Gone, private or never there: which of these is not told.
        return Lost(state="not_found", address=address)
    # What cannot be read may have been the one that is missing.
    return Lost(state="failed", address=address, code=VendorAnswerInvalid.code)


def _channels(client: Client, rows: Sequence[Row]) -> dict[str, Row]:
    """The channels of videos, for their followers: missing where they cannot be had, for the videos are what counts."""
    ids = [each for each in dict.fromkeys(map(videos.channel_of, rows)) if CHANNEL_ID.fullmatch(each)]
    with suppress(VendorProblem):
        return {videos.id_of(row): row for row in client.channels(ids)} if ids else {}
    return {}


def _listed(client: Client, ids: Sequence[str], channel_id: str) -> list[ScrapedPost]:
    rows = [row for start in range(0, len(ids), PAGE) for row in client.videos(ids[start : start + PAGE])]
    theirs = {videos.id_of(row): row for row in reversed(rows) if videos.channel_of(row) == channel_id}
    channel = _channels(client, list(theirs.values())[:1]).get(channel_id, {})
    return [
        videos.post(theirs[video_id], platforms.address("youtube", video_id), channel, listed=True)
        for video_id in ids
        if video_id in theirs and videos.says_something(theirs[video_id])
    ]
