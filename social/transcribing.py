"""The words of a post's video: whoever has them first, captions before any model, and why there are none."""

from dataclasses import asdict
from uuid import UUID

from django.conf import settings

from core.errors import Problem
from social.models import Post
from social.transcribers import TRANSCRIBERS, NoWords, Transcript

WITH_VIDEO = ("video", "short", "live")
# Which word stands where several transcribers had none: what was heard before what is missing.
TELLING = ("no_reliable_speech", "no_speech", "no_audio", "no_video", "unavailable", "no_captions")


def transcribe(post_id: UUID, *, again: bool = False) -> Transcript | NoWords | None:
    """Fill in the post's transcript; None where that was done before. What may pass is raised, and kept too."""
    post = Post.objects.get(pk=post_id)
    if post.transcript_state == "done" and not again:
        return None
    try:
        found = _ask(post)
    except Problem as problem:
        Post.objects.filter(pk=post_id).update(transcript_state=problem.code)
        raise
    _keep(post, found)
    return found


def _ask(post: Post) -> Transcript | NoWords:
    if post.format and post.format not in WITH_VIDEO and not post.captions:
        return NoWords(state="no_video")
    nothing: list[NoWords] = []
    for name in settings.TRANSCRIBERS:
        found = TRANSCRIBERS[name]().transcribe(post)
        if isinstance(found, Transcript):
            return found
        nothing.append(found)
    return min(nothing, key=lambda each: TELLING.index(each.state), default=NoWords(state="unavailable"))


def _keep(post: Post, found: Transcript | NoWords) -> None:
    words = Post.objects.filter(pk=post.pk)
    if isinstance(found, NoWords):
        words.update(transcript_state=found.state)
        return
    words.update(
        transcript=found.text,
        formatted_transcript=[asdict(segment) for segment in found.segments],
        transcript_source=found.source,
        transcript_language=found.language,
        transcript_state="done",
    )
