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
from core.errors import NotConfigured, Problem

LONGEST_KEPT = 400_000
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


def explain(dossier: Dossier, work: Work, *, in_time: bool) -> Explained:
    """`in_time` says whether whoever asks would come again for an analyst that cannot answer now."""
    prompt, passed_over = prompt_for(dossier), []
    last: Problem = NotConfigured("No analyst is configured: see ANALYSIS_PROVIDERS.")
    for provider in configured():
        media = media_for(dossier, provider)
        try:
            completion, grounded = _answered(provider, prompt, media, work)
        except Problem as problem:
            if problem.retryable and in_time:
                raise
            log.warning("analyst_passed_over", provider=provider.name, code=problem.code)
            passed_over.append(provider.name)
            last = problem
            continue
        return Explained(
            grounded=grounded, completion=completion, prompt_version=prompt.version,
            looked_at=tuple(medium.evidence_id for medium in media), passed_over=tuple(passed_over),
        )  # fmt: skip
    raise last


def configured() -> list[Provider]:
    return [
        provider
        for provider in (PROVIDERS[name]() for name in settings.ANALYSIS_PROVIDERS if name in PROVIDERS)
        if provider.is_configured()
    ]


def _answered(provider: Provider, prompt: Prompt, media: Sequence[Medium], work: Work) -> tuple[Completion, Grounded]:
    if kept := _kept(provider, prompt, work):
        return kept, ground(read(kept.text), prompt.dossier)
    try:
        return _ask(provider, prompt, media, work)
    except AnswerInvalid as problem:
        again = replace(prompt, orders=prompt.orders + AGAIN.format(reason=problem.message))
        return _ask(provider, again, media, work)


def _ask(provider: Provider, prompt: Prompt, media: Sequence[Medium], work: Work) -> tuple[Completion, Grounded]:
    completion = provider.complete(prompt, media, Explanation)
    row = _keep(prompt, completion, work)
    try:
        return completion, ground(read(completion.text), prompt.dossier)
    except AnswerInvalid as problem:
        ModelAnswer.objects.filter(pk=row.pk).update(problem=problem.message[:200])
        raise


def _kept(provider: Provider, prompt: Prompt, work: Work) -> Completion | None:
    """An answer to these very words that was paid for, by whoever held the post before and came to no end."""
    rows = ModelAnswer.objects.filter(
        post_analysis=work.id,
        provider=provider.name,
        problem="",
        prompt=_words(prompt),
        created_at__gte=work.stage_since,
    )
    row = rows.order_by("-id").first()
    if row is None:
        return None
    return Completion(
        text=row.answer,
        provider=row.provider,
        model=row.model,
        tokens=Tokens(**row.tokens),
        cost_micros=row.cost_micros,
    )


def _keep(prompt: Prompt, completion: Completion, work: Work) -> ModelAnswer:
    return ModelAnswer.objects.create(
        post_analysis_id=work.id, fence=work.fence, provider=completion.provider, model=completion.model,
        prompt_version=prompt.version, prompt=_words(prompt), answer=_storable(completion.text),
        finish=completion.finish, tokens=asdict(completion.tokens), cost_micros=completion.cost_micros,
    )  # fmt: skip


def _words(prompt: Prompt) -> str:
    return _storable(f"{prompt.orders}\n\n{prompt.data}")


def _storable(text: str) -> str:
    return text.replace("\0", "").encode("utf-8", "replace").decode()[:LONGEST_KEPT]
