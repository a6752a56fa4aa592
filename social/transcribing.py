"""The words of a post's video: whoever has them first, captions before any model, and why there are none."""

from collections.abc import Sequence
from dataclasses import asdict
from importlib.util import find_spec
from uuid import UUID

from django.conf import settings

from core.errors import Problem
from social.models import Post
from social.transcribers import TRANSCRIBERS, NoWords, Transcript

WITH_VIDEO = ("video", "short", "live")
CAPTIONS, DONE = "captions", "done"
# Those who listen to the sound, and the package each needs.
PACKAGES = {"faster_whisper": "faster_whisper", "openai_whisper": "whisper"}
# Which word stands where several transcribers had none: what was heard before what is missing.
TELLING = ("no_reliable_speech", "no_speech", "no_audio", "no_video", "unavailable", "no_captions")


def transcribe(post_id: UUID, *, using: Sequence[str] | None = None) -> Transcript | NoWords | None:
    """Fill in the post's transcript; None where that was done before. What may pass is raised, and kept too.

    `using` names the transcribers that are asked, of those in the settings.
    """
    post = Post.objects.get(pk=post_id)
    if post.transcript_state == DONE:
        return None
    try:
        found = _ask(post, [name for name in settings.TRANSCRIBERS if using is None or name in using])
    except Problem as problem:
        _note_state(post, problem.code)
        raise
    _keep(post, found)
    return found


def _ask(post: Post, names: Sequence[str]) -> Transcript | NoWords:
    if post.format and post.format not in WITH_VIDEO and not post.captions:
        return NoWords(state="no_video")
    nothing: list[NoWords] = []
    for name in names:
        found = TRANSCRIBERS[name]().transcribe(post)
        if isinstance(found, Transcript):
            return found
        nothing.append(found)
    return min(nothing, key=lambda each: TELLING.index(each.state), default=NoWords(state="unavailable"))


def _note_state(post: Post, state: str) -> None:
    """Why there are no words, unless somebody else has found them meanwhile."""
    Post.objects.filter(pk=post.pk).exclude(transcript_state=DONE).update(transcript_state=state)


def _keep(post: Post, found: Transcript | NoWords) -> None:
    if isinstance(found, NoWords):
        _note_state(post, found.state)
        return
    Post.objects.filter(pk=post.pk).update(
        transcript=found.text,
        formatted_transcript=[asdict(segment) for segment in found.segments],
        transcript_source=found.source,
        transcript_language=found.language,
        transcript_state=DONE,
    )


def listeners() -> list[str]:
    """Those of the settings who listen to the sound and are installed; where there is none, nobody waits for them."""
    return [name for name in settings.TRANSCRIBERS if name in PACKAGES and find_spec(PACKAGES[name])]
