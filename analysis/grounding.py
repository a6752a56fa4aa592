"""Holds an explanation against the evidence: what it cites, quotes, counts and concludes. No model is asked.

A claim that fails stays, marked `supported: false`, so that the reader sees what the analyst said and that nothing here
shows it. What it says is made plain text on the way.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from analysis.answer import LONGEST_CLAIM, Claim, Explanation, Observation
from analysis.checking import faults
from analysis.dossier import Dossier
from analysis.errors import AnswerInvalid
from analysis.plain import cut, make_line

LONGEST_ANSWER = 200_000
LONGEST_REASON = 300
FENCE = re.compile(r"^```[a-zA-Z]*\s*\n(?P<inside>.*?)\n?```\s*$", re.DOTALL)
EMPTY = "(What stood here was no plain text.)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Grounded:
    """The explanation as it is kept: plain data, each claim {text, evidence, supported}, and how many are supported."""

    fields: dict[str, Any]
    claims: int
    supported: int

    @property
    def ratio(self) -> float:
        return round(self.supported / self.claims, 3) if self.claims else 0.0


def read(text: str, schema: type[Explanation] = Explanation) -> Explanation:
    """What a model answered, if it is what was asked for. The reason never repeats the answer."""
    if len(text) > LONGEST_ANSWER:
        raise AnswerInvalid(f"The answer is longer than {LONGEST_ANSWER} characters.")
    try:
        return schema.model_validate_json(_unwrap(text), strict=True)
    except ValidationError as problem:
        raise AnswerInvalid(_reason(problem)) from None


def ground(explanation: Explanation, dossier: Dossier) -> Grounded:
    fields = {name: _verify(part, dossier) for name, part in explanation}
    claims = [*_claims(fields.values())]
    return Grounded(fields=fields, claims=len(claims), supported=sum(claim["supported"] for claim in claims))


def _verify(part: object, dossier: Dossier) -> Any:
    """A claim, several, or an observation, whose parts are claims or nothing."""
    if isinstance(part, Claim):
        return _verify_claim(part, dossier)
    if isinstance(part, Observation):
        return {name: _verify(each, dossier) for name, each in part}
    return [_verify(each, dossier) for each in part] if isinstance(part, list) else None


def _verify_claim(claim: Claim, dossier: Dossier) -> dict[str, Any]:
    text = cut(make_line(claim.text), LONGEST_CLAIM)
    # One that names nothing at all is no id, and one that does not exist shows nothing: the claim with it is not shown.
    ids = {name.strip(" []()").lower() for name in claim.evidence} - {""}
    cited = [item for item in dossier.evidence if item.id in ids]
    supported = bool(text and cited) and len(cited) == len(ids) and faults.find_fault(text, cited, dossier) is None
    return {"text": text or EMPTY, "evidence": [item.id for item in cited], "supported": supported}


def _unwrap(text: str) -> str:
    text = text.strip("\ufeff \t\r\n")
    if fenced := FENCE.match(text):
        text = fenced["inside"]
    start, end = text.find("{"), text.rfind("}")
    return text[start : end + 1] if 0 <= start < end else text


def _reason(problem: ValidationError) -> str:
    first = problem.errors(include_url=False, include_input=False, include_context=False)[:4]
    said = "; ".join(f"{'.'.join(map(str, each['loc'])) or 'answer'}: {each['msg']}" for each in first)
    return cut(make_line(said), LONGEST_REASON)


def _claims(parts: Iterable[Any]) -> Iterator[dict[str, Any]]:
    for part in parts:
        if isinstance(part, dict) and "supported" in part:
            yield part
        elif isinstance(part, (dict, list)):
            yield from _claims(part.values() if isinstance(part, dict) else part)
