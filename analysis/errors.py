"""Ways in which an analysis can fail; they join the tree in core/errors.py.

VendorProblem
├── ContentBlocked               503  content_blocked
└── AnswerInvalid                503  answer_invalid           retryable
    └── AnswerCut                503  answer_cut               retryable
Conflict
├── NothingToRetry               409  nothing_to_retry
└── AlreadyOver                  409  already_over
"""

from core.errors import Conflict, Problem, VendorProblem

# What a person is told of the reason, whatever went wrong inside.
CATEGORIES = {
    "vendor_busy": "rate_limit",
    "rate_limited": "rate_limit",
    "vendor_timeout": "timeout",
    "not_found": "not_found",
    "private": "private",
    "platform_inactive": "unsupported",
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


def category_of(problem: Problem) -> str:
    return category_of_code(problem.code)


def category_of_code(code: str) -> str:
    return CATEGORIES.get(code, "vendor_error")
