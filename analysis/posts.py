"""The posts of one's own request, as they are stored: text, numbers, media, words, comments."""

from typing import Any
from uuid import UUID

from django.db.models import QuerySet

from analysis.models import PostAnalysis, PostAnalysisRequest, StageRun
from core.errors import Missing
from social import storage
from social.models import PostComment, PostMedia

COLUMNS = (
    "id", "platform", "url", "author", "author_profile", "title", "text", "language", "posted_at", "format", "seconds",
    "metrics", "engagement_score", "transcript", "transcript_source", "transcript_language", "transcript_state",
    "collected_at", "source",
)  # fmt: skip
SEGMENTS = "formatted_transcript"
SHOWN_COMMENTS = 100
# A handle and its words are shown; what else a vendor tells of who comments is not.
OF_COMMENT = ("id", "author", "text", "likes", "replies", "posted_at", "reply_to", "by_post_author", "pinned")


def posts_of(request_id: UUID, *, user_id: UUID) -> list[dict[str, Any]]:
    """As many queries, and trips to the storage, for many posts as for one."""
    if not PostAnalysisRequest.objects.filter(pk=request_id, user=user_id).exists():
        raise Missing
    found = PostAnalysis.objects.filter(request=request_id, post__isnull=False).order_by("position")
    analyses = list(found.select_related("post").only(*(f"post__{name}" for name in (*COLUMNS, SEGMENTS))))
    ids = [analysis.post_id for analysis in analyses]
    media = list(PostMedia.objects.filter(post__in=ids).select_related("file").order_by("kind", "position"))
    links = storage.links(medium.file for medium in media if medium.file)
    comments: dict[UUID | None, PostComment] = {row.post_id: row for row in PostComment.objects.filter(post__in=ids)}
    reused = {*_collected(analyses).filter(reused=True).values_list("post_analysis", flat=True)}
    return [
        {
            **_body(analysis),
            "media": [_medium(medium, links) for medium in media if medium.post_id == analysis.post_id],
            "comments": _comments(analysis, comments.get(analysis.post_id)),
            "reused": analysis.pk in reused,
        }
        for analysis in analyses
    ]


def _collected(analyses: list[PostAnalysis]) -> QuerySet[StageRun]:
    return StageRun.objects.filter(post_analysis__in=analyses, stage="collect", outcome=StageRun.Outcome.DONE)


def _body(analysis: PostAnalysis) -> dict[str, Any]:
    post = analysis.post
    if post is None:
        raise Missing
    return {
        **{name: getattr(post, "platform_id" if name == "platform" else name) for name in COLUMNS},
        "post_analysis_id": analysis.pk,
        "segments": post.formatted_transcript,
    }


def _medium(medium: PostMedia, links: dict[str, str]) -> dict[str, Any]:
    return {
        "kind": medium.kind,
        "second": medium.position / 1000 if medium.kind == "frame" else None,
        "state": medium.state,
        "error": medium.error,
        "url": links.get(medium.file.name) if medium.file else None,
        "media_type": medium.file.media_type if medium.file else None,
        "size": medium.file.size if medium.file else None,
        "width": medium.width,
        "height": medium.height,
        "seconds": medium.seconds,
        "alt_text": medium.alt_text,
    }


def _comments(analysis: PostAnalysis, row: PostComment | None) -> dict[str, Any]:
    if row is None:
        metrics = analysis.post.metrics if analysis.post else {}
        return {"seen": 0, "total": metrics.get("comments"), "closed": False, "sample": []}
    sample = [{name: each.get(name) for name in OF_COMMENT} for each in row.sample[:SHOWN_COMMENTS]]
    return {"seen": row.seen, "total": row.total, "closed": row.closed, "sample": sample}
