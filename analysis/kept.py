"""Answers of models: kept as soon as they come, of use or not, and found again by whoever takes a post over.

An answer is used until it is set aside: every one when the team runs a step again, those of no use when the user tries
again. No clock says so: the workers' and the database's need not agree.
"""

import json
from dataclasses import asdict

from analysis import engine
from analysis.engine import Work
from analysis.errors import AnswerInvalid
from analysis.models import ModelAnswer
from analysis.providers.contract import Completion, Prompt, Tokens
from core.calls import VendorCall

LONGEST_KEPT = 400_000


def keep(prompt: Prompt, completion: Completion, work: Work) -> ModelAnswer:
    return ModelAnswer.objects.create(
        post_analysis_id=work.id, fence=work.fence, provider=completion.provider, model=completion.model,
        prompt_version=prompt.version, prompt=_storable(f"{prompt.orders}\n\n{prompt.data}"),
        answer=_storable(completion.text), finish=completion.finish, tokens=asdict(completion.tokens),
        cost_micros=completion.cost_micros,
    )  # fmt: skip


def refuse(row: ModelAnswer, problem: AnswerInvalid) -> None:
    """Paid for, and of no use."""
    row.problem = problem.message[:200]
    ModelAnswer.objects.filter(pk=row.pk).update(problem=row.problem)


def answers_to(prompt: Prompt, *, provider: str, work: Work) -> list[ModelAnswer]:
    """What was answered to these very words, by whoever held the post before and came to no end."""
    rows = ModelAnswer.objects.filter(
        post_analysis=work.id, provider=provider, prompt_version=prompt.version, set_aside=False
    )
    asked = _storable(prompt.data)
    return [row for row in rows.order_by("id") if row.prompt.endswith(asked)]


def completion_of(row: ModelAnswer) -> Completion:
    return Completion(
        text=row.answer,
        provider=row.provider,
        model=row.model,
        tokens=Tokens(**row.tokens),
        cost_micros=row.cost_micros,
    )


def calls_left_behind(work: Work) -> list[VendorCall]:
    """Calls of those who held the post before and did not live to count them: each is told once, and ours to count."""
    calls = [
        VendorCall(
            vendor=provider, operation="complete", outcome="ok", duration_ms=0, model=model,
            units=Tokens(**json.loads(tokens)).units,
        )
        for provider, model, tokens in engine.inherit(work)
    ]  # fmt: skip
    # Rules answer without a call.
    return [call for call in calls if call.units]


def _storable(text: str) -> str:
    return text.replace("\0", "").encode("utf-8", "replace").decode()[:LONGEST_KEPT]
