"""The posts of one's own request, as they are stored: text, numbers, media, words, comments."""

from typing import Any
from uuid import UUID

from analysis.models import PostAnalysis, PostAnalysisRequest
from core.errors import Missing
from social import storage
from social.models import Post, PostComment, PostMedia

COLUMNS = (
    "id", "platform", "url", "author", "author_profile", "title", "text", "language", "posted_at", "format", "seconds",
    "metrics", "engagement_score", "transcript", "transcript_source", "transcript_language", "transcript_state",
    "collected_at", "source",
)  # fmt: skip
SHOWN_COMMENTS = 100
# A handle and its words are shown; what else a vendor tells of who comments is not.
OF_COMMENT = ("id", "author", "text", "likes", "replies", "posted_at", "reply_to", "by_post_author", "pinned")


def posts_of(request_id: UUID, *, user_id: UUID) -> list[dict[str, Any]]:
    if not PostAnalysisRequest.objects.filter(pk=request_id, user=user_id).exists():
        raise Missing
    analyses = PostAnalysis.objects.filter(request=request_id, post__isnull=False).order_by("position")
    return [_body(analysis) for analysis in analyses.select_related("post").prefetch_related("runs")]


def _body(analysis: PostAnalysis) -> dict[str, Any]:
    post = analysis.post
    if post is None:
        raise Missing
    collected = [run for run in analysis.runs.all() if run.stage == "collect" and run.outcome == "done"]
    return {
        **{name: getattr(post, "platform_id" if name == "platform" else name) for name in COLUMNS},
        "post_analysis_id": analysis.pk,
        "segments": post.formatted_transcript,
        "media": [_medium(medium) for medium in _media(post)],
        "comments": _comments(post),
        "reused": bool(collected and collected[-1].reused),
    }


def _media(post: Post) -> Any:
    return PostMedia.objects.filter(post=post).select_related("file").order_by("kind", "position")


def _medium(medium: PostMedia) -> dict[str, Any]:
    return {
        "kind": medium.kind,
        "second": medium.position / 1000 if medium.kind == "frame" else None,
        "state": medium.state,
        "error": medium.error,
        "url": storage.link(medium.file) if medium.file else None,
        "media_type": medium.file.media_type if medium.file else None,
        "size": medium.file.size if medium.file else None,
        "width": medium.width,
        "height": medium.height,
        "seconds": medium.seconds,
        "alt_text": medium.alt_text,
    }


def _comments(post: Post) -> dict[str, Any]:
    row = PostComment.objects.filter(post=post).first()
    if row is None:
        return {"seen": 0, "total": post.metrics.get("comments"), "closed": False, "sample": []}
    sample = [{name: each.get(name) for name in OF_COMMENT} for each in row.sample[:SHOWN_COMMENTS]]
    return {"seen": row.seen, "total": row.total, "closed": row.closed, "sample": sample}
