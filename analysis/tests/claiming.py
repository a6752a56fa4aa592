"""What the tests of grounding claim, and of what."""

import json
from dataclasses import replace
from typing import Any

from analysis.dossier import Baseline, Dossier, Label, Verdict
from analysis.grounding import ground, read
from analysis.tests.dossiers import made

DOSSIER = made()
LISTS = {
    "virality_reasoning": 1,
    "quick_takeaways": 3,
    "creator_context": 1,
    "replicable_elements": 1,
    "improvements": 1,
    "suggestions_for_future_posts": 4,
}
PLAIN = {"text": "It begins with an order.", "evidence": ["c1"]}


def answer(**fields: Any) -> dict[str, Any]:
    """A valid answer; `fields` replace some of it."""
    whole: dict[str, Any] = {name: [PLAIN] * count for name, count in LISTS.items()}
    return whole | {"content_observation": {"hook": PLAIN}, "viral_formula": PLAIN} | fields


def grounded(text: str, evidence: list[str], dossier: Dossier = DOSSIER) -> dict[str, Any]:
    """One claim, as it comes out."""
    explanation = read(json.dumps(answer(viral_formula={"text": text, "evidence": evidence})))
    found: dict[str, Any] = ground(explanation, dossier).fields["viral_formula"]
    return found


def is_supported(text: str, evidence: list[str], dossier: Dossier = DOSSIER) -> bool:
    return bool(grounded(text, evidence, dossier)["supported"])


def with_label(label: Label) -> Dossier:
    base = Baseline(n=11, median=21_000, metric="views", window="")
    multiple = {"over": 8.4, "typical": 1.1, "under": 0.3, "too_early": 0.1, "not_enough_history": None}[label]
    return replace(DOSSIER, verdict=Verdict(label=label, basis="As counted.", multiple=multiple, baseline=base))
