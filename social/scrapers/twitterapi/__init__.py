"""X through TwitterAPI.io."""

from collections.abc import Sequence
from typing import ClassVar

from django.conf import settings

from core.errors import VendorAnswerInvalid, VendorRefused
from social import platforms
from social.facts import AuthorAddress, CommentSample, Found, Lost, Outcome, PostAddress, ScrapedComment, ScrapedPost
from social.scrapers.contract import Kind
from social.scrapers.reading import count, entry, moment, text
from social.scrapers.twitterapi import tweets
from social.scrapers.twitterapi.asking import Absent, Client, Row

CALL_SECONDS = 40.0  # for all pages of a list, and for the older one where the newer is refused


class TwitterApi:
    """Tweets by id, an author's latest, and replies, each in the answer to one request or some pages."""

    name: ClassVar[str] = "twitterapi"
    batch: ClassVar[int] = 100
    gathers: ClassVar[float] = 0
    patience: ClassVar[float] = 60

    def __init__(self, *, seconds: float = CALL_SECONDS) -> None:
        self._seconds = seconds

    def offers(self, platform: str, kind: Kind) -> bool:
        return platform == "x" and bool(settings.TWITTERAPI_KEY)

    def collect(self, addresses: Sequence[PostAddress], *, job: str = "") -> list[Outcome]:
        try:
            rows = Client(seconds=self._seconds).tweets([address.post_id for address in addresses])
        except Absent as absent:
            # It drops what it does not find: of several it cannot mean all by this.
            if len(addresses) > 1:
                raise
            return [Lost(state=absent.state, address=addresses[0], note=absent.said)]
        known = {tweets.id_of(row): row for row in reversed(rows)}
        return [_outcome(address, known.get(address.post_id), all_read="" not in known) for address in addresses]

    def recent_posts(self, author: AuthorAddress, *, limit: int, job: str = "") -> list[ScrapedPost] | Lost:
        try:
            latest = Client(seconds=self._seconds).latest(author, limit=limit)
            rows = [row for row in latest if tweets.is_by(row, author)]
        except Absent as absent:
            return Lost(state=absent.state, address=author, note=absent.said)
        posts = [_listed(row) for row in rows if not tweets.unavailable(row)]
        if rows and not posts:
            return _hidden(rows[0], author)
        # The pinned one comes first, however old; ids grow with time.
        return sorted(posts, key=lambda post: -int(post.address.post_id))[:limit]

    def comments(self, post: PostAddress, *, limit: int, job: str = "") -> CommentSample | Lost:
        try:
            rows = _replies(Client(seconds=self._seconds), post, limit=limit)
        except Absent as absent:
            return Lost(state=absent.state, address=post, note=absent.said)
        return _sample(post, rows, limit=limit)


def _outcome(address: PostAddress, row: Row | None, *, all_read: bool) -> Outcome:
    if row is not None and tweets.unavailable(row):
        return _hidden(row, address)
    if row is not None and tweets.says_something(row):
        return Found(address=address, post=tweets.post(row, address))
    if row is None and all_read:
        return Lost(state="not_found", address=address)
    # What cannot be read may have been the one that is missing.
    return Lost(state="failed", address=address, code=VendorAnswerInvalid.code)


def _hidden(row: Row, address: PostAddress | AuthorAddress) -> Lost:
    note = tweets.unavailable(row)
    return Lost(state="private" if "protect" in note.lower() else "not_found", address=address, note=note)


def _listed(row: Row) -> ScrapedPost:
    return tweets.post(row, platforms.address("x", tweets.id_of(row)), listed=True)


def _replies(client: Client, post: PostAddress, *, limit: int) -> list[Row]:
    try:
        return list(client.replies(post.post_id, ranked=True, limit=limit))
    except Absent:
        raise
    except VendorRefused as refused:
        # The older list is in the order of time, and knows nothing that a key or a full purse would not.
        if refused.details.get("status") not in {200, 400, 404}:
            raise
        return list(client.replies(post.post_id, ranked=False, limit=limit))


def _sample(post: PostAddress, rows: list[Row], *, limit: int) -> CommentSample:
    root = next((row for row in rows if tweets.id_of(row) == post.post_id), {})
    answers = [row for row in rows if row is not root and tweets.is_in_conversation(row, post.post_id)]
    writer = next(filter(None, (tweets.answered_author(row, post.post_id) for row in answers)), "")
    comments = [_comment(row, post, writer) for row in answers[:limit]]
    return CommentSample(comments=tuple(comments), total=count(root.get("replyCount")))


def _comment(row: Row, post: PostAddress, writer: str) -> ScrapedComment:
    author, answered = tweets.author(row), tweets.answered(row)
    return ScrapedComment(
        comment_id=tweets.id_of(row),
        text=tweets.words(row),
        author=author.handle,
        likes=count(row.get("likeCount")),
        replies=count(row.get("replyCount")),
        posted_at=moment(row.get("createdAt")),
        reply_to="" if answered == post.post_id else answered,
        by_post_author=text(entry(row.get("author")).get("id")) == writer if writer else None,
    )
