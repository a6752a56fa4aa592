"""What an answer cites, and whether each sentence that cites holds: checked like the claims of a result."""

import re
from collections.abc import Iterator
from typing import Any

from analysis.checking.faults import CITATION, cited_in, find_fault
from analysis.dossier import Dossier

# A point inside a number or an address ends nothing.
SENTENCE = re.compile(
    r"(?:[^.!?\n]|(?<![.!?])[.!?]++(?![\s\[]|$))+(?:[.!?]+(?=\s|\[|$)|\n|$)"
    rf"(?:\s*{CITATION.pattern})*",
    re.IGNORECASE,
)


def citations_of(text: str, dossier: Dossier) -> list[dict[str, Any]]:
    """Each sentence that cites something that there is, and whether what it says of it holds."""
    items = {item.id: item for item in dossier.evidence}
    found: dict[str, dict[str, Any]] = {}
    for sentence in _sentences(text):
        ids = cited_in(sentence)
        cited = [items[name] for name in ids if name in items]
        holds = bool(cited) and len(cited) == len(ids) and find_fault(sentence, cited, dossier) is None
        for name in ids:
            told = found.setdefault(name, {"evidence_id": name, "known": name in items, "supported": True})
            told["supported"] = told["supported"] and holds
    return [*found.values()]


def _sentences(text: str) -> Iterator[str]:
    return (match.group() for match in SENTENCE.finditer(text) if match.group().strip())
