"""What our tables hold of a post, as facts."""

from collections.abc import Iterable
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db.models import F

from analysis.comparing.maturity import age_at
from analysis.dossier import Comment, Frame, Known, PostFacts, Spoken, Video
from analysis.errors import PostGone
from social.models import Post, PostComment, PostMedia

# Of an author's other posts: more than a baseline needs, so that one of the same format is found among them.
HISTORY = 60
PICTURES = ("image", "thumbnail", "frame")
COUNTS = ("views", "likes", "comments", "shares")


def read(post_id: UUID) -> Known:
    post = Post.objects.defer("raw").filter(pk=post_id).first()
    if post is None:
        raise PostGone
    sample = PostComment.objects.filter(post=post).first()
    return Known(
        platform=post.platform_id,
        url=post.url,
        author=post.author,
        profile=post.author_profile,
        title=post.title,
        text=post.text,
        format=post.format,
        language=post.language or post.transcript_language,
        seconds=post.seconds,
        posted_at=post.posted_at,
        metrics=post.metrics,
        details=post.details,
        collected_at=post.collected_at,
        spoken=tuple(_spoken(each) for each in post.formatted_transcript),
        comments=tuple(_comment(each) for each in sample.sample) if sample else (),
        comments_total=(sample.total if sample else None) or post.metrics.get("comments"),
        frames=tuple(_frames(post)),
        video=_video(post),
        history=tuple(_history(post)),
    )


def _spoken(segment: dict[str, Any]) -> Spoken:
    return Spoken(start=segment["start"], end=segment["end"], text=segment["text"])


def _comment(row: dict[str, Any]) -> Comment:
    return Comment(
        text=row["text"],
        author=row["author"],
        likes=row["likes"],
        by_post_author=bool(row["by_post_author"]),
        pinned=bool(row["pinned"]),
    )


def _kept(post: Post, *kinds: str) -> list[PostMedia]:
    kept = PostMedia.objects.filter(post=post, state=PostMedia.State.STORED, kind__in=kinds).select_related("file")
    return [medium for medium in kept.order_by("kind", "position") if medium.file]


def _video(post: Post) -> Video | None:
    """The first, where a post has several."""
    for medium in _kept(post, "video"):
        if file := medium.file:
            return Video(file=file.name, media_type=file.media_type, seconds=medium.seconds or post.seconds)
    return None


def _frames(post: Post) -> Iterable[Frame]:
    pictures = _kept(post, *PICTURES)
    # A thumbnail says nothing that the picture itself does not.
    has_more = any(medium.kind != "thumbnail" for medium in pictures)
    for medium in pictures:
        if medium.file and not (has_more and medium.kind == "thumbnail"):
            yield Frame(
                kind=medium.kind,
                file=medium.file.name,
                media_type=medium.file.media_type,
                second=medium.position / 1000 if medium.kind == "frame" else None,
                alt_text=medium.alt_text,
            )


def _history(post: Post) -> Iterable[PostFacts]:
    """The author's other posts, the latest first; not those last seen so young that they had little of their counts."""
    author = (
        {"author_id": post.author_id} if post.platform_id == "youtube" and post.author_id else {"author": post.author}
    )
    if not any(author.values()):
        return
    grown = F("posted_at") + age_at(settings.VERDICT["mature_share"], post.platform_id)
    rows = Post.objects.filter(platform=post.platform_id, seen_at__gte=grown, **author).exclude(pk=post.pk)
    for row in rows.order_by("-posted_at").values("posted_at", "format", "metrics", "author_profile")[:HISTORY]:
        counts = {name: row["metrics"].get(name) for name in COUNTS}
        followers = row["author_profile"].get("followers")
        yield PostFacts(posted_at=row["posted_at"], format=row["format"] or None, followers=followers, **counts)
