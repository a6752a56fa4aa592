"""Comments in our words; Instagram's and YouTube's rows name the same things differently."""

from collections.abc import Iterable
from typing import Any

from social.facts import CommentSample, Lost, PostAddress, ScrapedComment
from social.scrapers.brightdata.rows import Row, by_address, is_failed, lost
from social.scrapers.reading import count, items, moment, text

LONGEST_COMMENT = 10_000
MOST_REPLIES = 20


def sample(rows: Iterable[Row], post: PostAddress, *, limit: int) -> CommentSample | Lost:
    """Those of one post. Nothing at all is an answer: a post that nobody commented on."""
    comments: dict[str, list[ScrapedComment]] = {}
    failed: Lost | None = None
    for _, row in by_address(rows, [post]):
        comment = _comment(row)
        if is_failed(row) or not comment.comment_id:
            failed = failed or lost(row, post)
        elif comment.text:
            comments.setdefault(comment.comment_id, [comment, *_replies(row, comment.comment_id)])
    if failed and not comments:
        return failed
    return CommentSample(comments=tuple(each for family in list(comments.values())[:limit] for each in family))


def _comment(row: Row) -> ScrapedComment:
    author = _handle(_first(row, "comment_user", "username"))
    owner = _handle(row.get("post_user"))
    replies = _first(row, "replies_number", "replies")
    return ScrapedComment(
        comment_id=text(row.get("comment_id"), limit=200),
        text=text(_first(row, "comment", "comment_text"), limit=LONGEST_COMMENT),
        author=author,
        likes=count(_first(row, "likes_number", "likes")),
        replies=len(replies) if isinstance(replies, list) else count(replies),
        posted_at=moment(_first(row, "comment_date", "date")),
        by_post_author=author == owner if author and owner else None,
    )


def _replies(row: Row, comment_id: str) -> list[ScrapedComment]:
    """Replies come without an id of their own."""
    return [
        ScrapedComment(
            comment_id=f"{comment_id}.{position}",
            text=words,
            author=_handle(each.get("reply_user")),
            likes=count(each.get("likes_number")),
            posted_at=moment(each.get("reply_date")),
            reply_to=comment_id,
        )
        for position, each in enumerate(items(row.get("replies"))[:MOST_REPLIES])
        if (words := text(each.get("reply"), limit=LONGEST_COMMENT))
    ]


def _first(row: Row, *names: str) -> Any:
    return next((row[name] for name in names if row.get(name) is not None), None)


def _handle(value: object) -> str:
    return text(value, limit=100).removeprefix("@")
