"""Ways in which an analysis can fail; they join the tree in core/errors.py.

Problem
└── GaveUp                       500  gave_up
Missing
└── PostGone                     404  post_gone
VendorProblem
├── CouldNotCollect              503  as whoever collects says
├── NoAnswer                     503  no_answer
├── ContentBlocked               503  content_blocked
└── AnswerInvalid                503  answer_invalid           retryable
    └── AnswerCut                503  answer_cut               retryable
Conflict
├── SamePost                     409  same_post
├── NothingToRetry               409  nothing_to_retry
├── AlreadyOver                  409  already_over
├── NotReadyToTalk               409  analysis_not_complete
├── AnswerRunning                409  answer_running           retryable
└── NothingToStop                409  nothing_to_stop
"""

from core.errors import Conflict, Missing, Problem, VendorProblem
from social.errors import AddressInvalid

# What a person is told of the reason, whatever went wrong inside.
CATEGORIES = {
    "vendor_busy": "rate_limit",
    "rate_limited": "rate_limit",
    "vendor_timeout": "timeout",
    "not_found": "not_found",
    "post_gone": "not_found",
    "private": "private",
    "platform_inactive": "unsupported",
    "same_post": "unsupported",
    "not_configured": "unsupported",
    "not_offered": "unsupported",
    "unsupported": "unsupported",
    "media_too_large": "too_large",
    "vendor_answer_too_large": "too_large",
    "content_blocked": "blocked_content",
    "answer_invalid": "invalid_answer",
    "answer_cut": "invalid_answer",
    "usage_limit_reached": "quota",
    "internal": "internal",
    "gave_up": "internal",
}


class GaveUp(Problem):
    """This post could not be analysed: it broke off again and again."""

    code = "gave_up"


class PostGone(Missing):
    """The post was deleted here while it was analysed."""

    code = "post_gone"


class SamePost(Conflict):
    """This link leads to a post that is in the same request already."""

    code = "same_post"


class CouldNotCollect(VendorProblem):
    """The post could not be fetched."""

    SENTENCES = {
        "not_found": "There is no such post, or it was deleted.",
        "private": "This post is private: only its author's followers can see it.",
        "platform_inactive": "This platform is closed just now: try again later.",
        "not_configured": "No way to fetch posts of this platform is configured here.",
        "not_offered": "No way to fetch this post is configured here.",
    }

    def __init__(self, *, code: str, retryable: bool, retry_after: float | None = None) -> None:
        super().__init__(self.SENTENCES.get(code), retry_after=retry_after)
        self.code, self.retryable = code, retryable


class ContentBlocked(VendorProblem):
    """The model refuses to speak about this post."""

    code = "content_blocked"


class AnswerInvalid(VendorProblem):
    """The model's answer does not hold what was asked for."""

    code = "answer_invalid"
    retryable = True


class AnswerCut(AnswerInvalid):
    """The model's answer was cut off before its end."""

    code = "answer_cut"


class NothingToRetry(Conflict):
    """There is nothing to try again: no post of this request failed, or it was tried too often."""

    code = "nothing_to_retry"


class AlreadyOver(Conflict):
    """This request has already ended."""

    code = "already_over"


class NotReadyToTalk(Conflict):
    """There is nothing to talk about yet: the analysis of this post is not complete."""

    code = "analysis_not_complete"


class AnswerRunning(Conflict):
    """The last question of this session is still being answered: wait for it, or cancel it."""

    code = "answer_running"
    retryable = True


class NothingToStop(Conflict):
    """This answer has already ended."""

    code = "nothing_to_stop"


class NoAnswer(VendorProblem):
    """The question could not be answered."""

    code = "no_answer"


def category_of(problem: Problem) -> str:
    if isinstance(problem, AddressInvalid):
        return "unsupported"  # its codes say why it is none, and are many
    return CATEGORIES.get(problem.code, "vendor_error")
