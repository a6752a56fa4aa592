"""Workers that die between two steps, and a model that is slow to say something of use."""

from typing import Any

from analysis import pipeline
from analysis.engine import Work
from analysis.models import PostAnalysis
from sandbox.gemini import GeminiSandbox


class Killed(BaseException):
    """As kill -9 would: nothing of ours runs afterwards."""


class Hesitant(GeminiSandbox):
    """Answers nothing of use at first."""

    broken = 1

    def _text(self, body: Any) -> str:
        self.broken -= 1
        return "Let me think." if self.broken >= 0 else super()._text(body)


def advance(post: PostAnalysis, *, killed_after: str = "", **stages: Any) -> PostAnalysis:
    """Be a worker, which may die when this stage has made its product; its lease is over at once."""

    def observe(point: str, work: Work) -> None:
        if (point, work.stage) == ("made", killed_after):
            raise Killed

    try:
        pipeline.advance(post.pk, "io", observe=observe, **stages)
    except Killed:
        PostAnalysis.objects.filter(pk=post.pk).update(lease_until=None)
    post.refresh_from_db()
    return post
