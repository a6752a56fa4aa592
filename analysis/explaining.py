"""Asks the analysts in their order, and keeps every answer that was paid for, used or not.

An answer that is not what was asked for is asked for once more, with the reason and never with the broken answer. An
analyst that cannot answer now is waited for while there is time; then, or where waiting would not help, the next one of
the order is asked, and the result says who answered.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace

import structlog
from django.conf import settings

from analysis.answer import Explanation
from analysis.dossier import Dossier
from analysis.engine import Work
from analysis.errors import AnswerInvalid
from analysis.grounding import Grounded, ground, read
from analysis.models import ModelAnswer
from analysis.prompting import prompt_for
from analysis.providers import PROVIDERS
from analysis.providers.contract import Completion, Medium, Prompt, Provider, Tokens
from analysis.seeing import media_for
from core.errors import NotConfigured, Problem, VendorRefused

LONGEST_KEPT = 400_000
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


def _answered(provider: Provider, prompt: Prompt, media: Sequence[Medium], work: Work) -> tuple[Completion, Grounded]:
    kept = _kept(provider, prompt, work)
    if kept and not kept[-1].problem:
        return _completion_of(kept[-1]), ground(read(kept[-1].answer), prompt.dossier)
    problem = AnswerInvalid(kept[-1].problem) if kept else None
    for _ in range(len(kept), MOST_ASKED):
        orders = prompt.orders + (AGAIN.format(reason=problem.message) if problem else "")
        try:
            return _ask(provider, replace(prompt, orders=orders), media, work)
        except AnswerInvalid as invalid:
            problem = invalid
    raise problem or AnswerInvalid


def _ask(provider: Provider, prompt: Prompt, media: Sequence[Medium], work: Work) -> tuple[Completion, Grounded]:
    try:
        completion = _complete(provider, prompt, media)
    except AnswerInvalid as problem:
        # Paid for too, and of no use: cut off, or empty.
        _keep(prompt, Completion(text="", provider=provider.name, model="", cost_micros=None), work, problem)
        raise
    row = _keep(prompt, completion, work)
    try:
        return completion, ground(read(completion.text), prompt.dossier)
    except AnswerInvalid as problem:
        ModelAnswer.objects.filter(pk=row.pk).update(problem=_of(problem))
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


def _kept(provider: Provider, prompt: Prompt, work: Work) -> list[ModelAnswer]:
    """What was answered to these very words and paid for, by whoever held the post before and came to no end."""
    rows = ModelAnswer.objects.filter(post_analysis=work.id, provider=provider.name, created_at__gte=work.stage_since)
    asked = _storable(prompt.data)
    return [row for row in rows.order_by("id") if row.prompt.endswith(asked)]


def _completion_of(row: ModelAnswer) -> Completion:
    return Completion(
        text=row.answer,
        provider=row.provider,
        model=row.model,
        tokens=Tokens(**row.tokens),
        cost_micros=row.cost_micros,
    )


def _keep(prompt: Prompt, completion: Completion, work: Work, problem: Problem | None = None) -> ModelAnswer:
    return ModelAnswer.objects.create(
        post_analysis_id=work.id, fence=work.fence, provider=completion.provider, model=completion.model,
        prompt_version=prompt.version, prompt=_words(prompt), answer=_storable(completion.text),
        finish=completion.finish if completion.text else "", problem=_of(problem) if problem else "",
        tokens=asdict(completion.tokens), cost_micros=completion.cost_micros,
    )  # fmt: skip


def _of(problem: Problem) -> str:
    return problem.message[:200]


def _words(prompt: Prompt) -> str:
    return _storable(f"{prompt.orders}\n\n{prompt.data}")


def _storable(text: str) -> str:
    return text.replace("\0", "").encode("utf-8", "replace").decode()[:LONGEST_KEPT]
