"""Asks the analysts in their order, and keeps every answer that was paid for, used or not.

An answer that is not what was asked for is asked for once more, with the reason and never with the broken answer. An
analyst that cannot answer now is waited for while there is time; then, or where waiting would not help, the next one of
the order is asked, and the result says who answered.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import structlog
from django.conf import settings

from analysis import kept
from analysis.answer import Explanation
from analysis.dossier import Dossier
from analysis.engine import Work
from analysis.errors import AnswerCut, AnswerInvalid
from analysis.grounding import Grounded, ground, read
from analysis.models import ModelAnswer
from analysis.prompting import prompt_for
from analysis.providers import PROVIDERS
from analysis.providers.contract import Completion, Medium, Prompt, Provider
from analysis.seeing import media_for
from core.errors import NotConfigured, Problem, VendorRefused
from core.vendors import TURN_WAIT

MOST_ASKED = 2
AGAIN = "\n\nAn earlier answer could not be used: {reason} Answer anew, whole, and exactly in the shape asked for."

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Explained:
    """What an analyst said, checked, and what that took."""

    grounded: Grounded
    completion: Completion
    prompt_version: str
    looked_at: tuple[str, ...]  # the evidence ids of what was looked at
    passed_over: tuple[str, ...]  # analysts of the order who could not


def explain(dossier: Dossier, work: Work, *, waits: float) -> Explained:
    """`waits` says for how many seconds whoever asks would wait for an analyst that cannot answer now."""
    prompt, passed_over = prompt_for(dossier), []
    last: Problem = NotConfigured("No analyst is configured: see ANALYSIS_PROVIDERS.")
    for provider in configured():
        media = media_for(dossier, provider)
        try:
            completion, grounded = _answered(provider, prompt, media, work)
        except Problem as problem:
            if _is_worth_waiting_for(problem, waits):
                raise
            log.warning("analyst_passed_over", provider=provider.name, code=problem.code)
            passed_over.append(provider.name)
            last = problem
            continue
        return Explained(
            grounded=grounded, completion=completion, prompt_version=prompt.version,
            looked_at=tuple(medium.evidence_id for medium in media if medium.evidence_id),
            passed_over=tuple(passed_over),
        )  # fmt: skip
    raise last


def _is_worth_waiting_for(problem: Problem, waits: float) -> bool:
    """Not whoever answers in another shape, nor whose quota is used up for the day."""
    return problem.retryable and not isinstance(problem, AnswerInvalid) and (problem.retry_after or 0.0) < waits


def configured() -> list[Provider]:
    return [
        provider
        for provider in (PROVIDERS[name]() for name in settings.ANALYSIS_PROVIDERS if name in PROVIDERS)
        if provider.is_configured()
    ]


def longest() -> float:
    """Seconds that asking may take: everybody who is asked over the net, as often as may be, each time to the end."""
    calls = sum(2 if provider.watches else 1 for provider in configured() if provider.name in settings.VENDOR_BUDGETS)
    return float(MOST_ASKED * calls * (settings.MODEL_SECONDS + TURN_WAIT))


def _answered(provider: Provider, prompt: Prompt, media: Sequence[Medium], work: Work) -> tuple[Completion, Grounded]:
    found = kept.answers_to(prompt, provider=provider.name, work=work)
    if found and not found[-1].problem:
        return kept.completion_of(found[-1]), _checked(found[-1], prompt)
    problem = AnswerInvalid(found[-1].problem) if found else None
    for _ in range(len(found), MOST_ASKED):
        orders = prompt.orders + (AGAIN.format(reason=problem.message) if problem else "")
        try:
            return _ask(provider, replace(prompt, orders=orders), media, work)
        except AnswerInvalid as invalid:
            problem = invalid
    raise problem or AnswerInvalid


def _ask(provider: Provider, prompt: Prompt, media: Sequence[Medium], work: Work) -> tuple[Completion, Grounded]:
    completion = _complete(provider, prompt, media)
    return completion, _checked(kept.keep(prompt, completion, work), prompt)


def _checked(answer: ModelAnswer, prompt: Prompt) -> Grounded:
    try:
        if answer.finish == "length":
            raise AnswerCut
        if not answer.answer.strip():
            raise AnswerInvalid("The model said nothing.")
        return ground(read(answer.answer), prompt.dossier)
    except AnswerInvalid as problem:
        kept.refuse(answer, problem)
        raise


def _complete(provider: Provider, prompt: Prompt, media: Sequence[Medium]) -> Completion:
    try:
        return provider.complete(prompt, media, Explanation)
    except VendorRefused:
        pictures = [medium for medium in media if medium.evidence_id]
        if len(pictures) == len(media):
            raise
    # A video that the vendor may not look at, as one for adults only, must not cost the whole explanation.
    return provider.complete(prompt, pictures, Explanation)
