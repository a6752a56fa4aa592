"""The platform's own captions: a person's before a machine's, in the language that is spoken."""

from typing import Any, ClassVar

from core import http
from core.errors import VendorProblem
from social.models import Post
from social.transcribers.contract import NoWords, Segment, Transcript
from social.transcribers.subtitles import read_json3, read_vtt

LARGEST = 5_000_000
# Where the spoken language is not known, most of what is collected is in one of these.
USUAL = ("en", "pt")


class CaptionsTranscriber:
    """Fetches what the scraper has seen; costs nothing and needs no model."""

    name: ClassVar[str] = "captions"

    def transcribe(self, post: Post) -> Transcript | NoWords:
        failure: VendorProblem | None = None
        for caption in sorted(post.captions, key=lambda each: _rank(each, post.language)):
            try:
                segments = _segments(post, caption)
            except VendorProblem as problem:
                failure = failure or problem
                continue
            if segments:
                kind = "automatic" if caption["automatic"] else "human"
                return Transcript(segments=segments, language=caption["language"], source=f"captions:{kind}")
        if failure and failure.retryable:
            raise failure
        return NoWords(state="no_captions")


def _rank(caption: dict[str, Any], language: str) -> tuple[int, ...]:
    """The spoken language before any other, a person's words before a machine's; then what is usual here."""
    of = caption["language"].lower().partition("-")[0]
    spoken = caption["spoken"] or (bool(language) and of == language.lower().partition("-")[0])
    usual = USUAL.index(of) if of in USUAL else len(USUAL)
    return (not spoken, caption["automatic"], usual)


def _segments(post: Post, caption: dict[str, Any]) -> tuple[Segment, ...]:
    source = caption["text"].encode() if caption["text"] else _fetch(post, caption["url"])
    return read_json3(source) if caption["form"] == "json3" else read_vtt(source.decode("utf-8", "replace"))


def _fetch(post: Post, url: str) -> bytes:
    answer = http.request(
        vendor=post.platform_id, operation="captions", url=url, timeout=20.0, max_bytes=LARGEST, follow_redirects=True
    )
    return answer.require_success().body
