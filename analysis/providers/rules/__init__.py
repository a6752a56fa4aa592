"""The analyst that needs no model: reads words and numbers by rules, says so, and says the same of the same post."""

import re
from collections.abc import Iterator, Sequence
from typing import ClassVar

from pydantic import BaseModel

from analysis.answer import Explanation
from analysis.dossier import Dossier
from analysis.providers.contract import Completion, Medium, Message, Piece, Prompt
from analysis.providers.rules.advice import find_replicable, improve, suggest
from analysis.providers.rules.observing import describe_creator, observe
from analysis.providers.rules.reading import Reading
from analysis.providers.rules.reasons import give_reasons, put_in_a_formula, take_away
from analysis.providers.rules.retrieval import answer

MODEL = "rules-1"
# A word with the space that follows it: joined, they are the text again.
WORD = re.compile(r"\s*\S+\s*")


class Rules:
    """Costs nothing, is always there, and sees no pictures."""

    name: ClassVar[str] = "rules"
    sees: ClassVar[bool] = False
    watches: ClassVar[bool] = False

    def is_configured(self) -> bool:
        return True

    def complete(self, prompt: Prompt, media: Sequence[Medium], schema: type[BaseModel]) -> Completion:
        return _completion(explain(prompt.dossier).model_dump_json())

    def stream(self, messages: Sequence[Message]) -> Iterator[Piece]:
        text = answer(messages)
        yield from (Piece(text=word, model=MODEL) for word in WORD.findall(text))
        yield Piece(end=_completion(text))


def explain(dossier: Dossier) -> Explanation:
    post = Reading(dossier)
    return Explanation(
        virality_reasoning=give_reasons(post),
        quick_takeaways=take_away(post),
        creator_context=describe_creator(post),
        content_observation=observe(post),
        replicable_elements=find_replicable(post),
        viral_formula=put_in_a_formula(post),
        improvements=improve(post),
        suggestions_for_future_posts=suggest(post),
    )


def _completion(text: str) -> Completion:
    return Completion(text=text, provider=Rules.name, model=MODEL)
