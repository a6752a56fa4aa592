"""What readers ask for, counted over all comments that were seen, in English and Portuguese."""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence

from analysis.dossier import Comment, Demand, Evidence
from analysis.evidence.sampling import distinct
from analysis.evidence.words import any_of, fold

MOST_EXAMPLES = 3
# Beside the names of friends there are a few words at most: "@ana look at this".
MOST_WORDS_BESIDE_TAGS = 4
# Whom so many begin with is whom they answer: X puts that name before each reply.
ANSWERED_SHARE, LEAST_ANSWERS = 0.5, 4

ADDRESS = re.compile(r"https?://\S+|www\.\S+")
HANDLE = re.compile(r"(?<![\w.])@[\w.]{2,40}")
FIRST_HANDLE = re.compile(r"@[\w.]{2,40}")

# Without the sign too, but "how cute", "what a day" and "when you see it" ask for nothing.
ASKS = any_of(
    r"[a-z0-9][^a-z0-9?]*\?",
    r"^how (?:do|does|did|to|can|could|should|much|many|long|often|old|big)\b",
    r"^(?:what|where|who|why) (?:is|are|was|were|do|does|did|can|would|should|kind|brand|about)\b",
    r"^(?:can|could|do|would|will|did) (?:you|we|i)\b|^is there\b",
    r"^(?:what|which) \w+ (?:is|are|do|did) (?:it|this|that|you)\b",
    r"^como (?:faz|faco|fazer|voces?|vcs?|se|consigo|posso)\b|^(?:sera|alguem sabe) \w+",
    r"^(?:qual|quais|quanto|onde|por que) (?!lind|bel)\w+",
)
PART_TWO = any_of(
    r"\b(?:part|parte|pt|vol|volume) ?(?:2|two|ii|dois|3|three|iii|tres)\b",
    r"\b(?:second|next|another) (?:part|one|video|episode)\b",
    r"\b(?:segunda|proxima|outra) parte\b|\bproximo video\b",
    r"\bmore(?: \w+){0,3} (?:please|pls|plz)\b|\b(?:please|pls|plz)(?: \w+){0,2} more\b",
    r"\b(?:we|i) (?:want|need) more\b|\bmake more\b|\bkeep (?:them|it|these) coming\b|\bdo(?: \w+){1,3} next\b",
    r"\b(?:quero|queremos|faz|manda|posta|traz) mais\b|\bmais(?: \w+){0,3} por favor\b",
    r"\bcontinuacao\b|\bcontinua (?:por favor|pf|pfv)\b|\bfaz(?: um)?(?: video)? sobre\b",
    r"\b(?:could|can) you (?:do|make|cover) (?!this\b|it\b|that\b)\w",
)
HOW_TO = any_of(
    r"\bhow (?:do|did|does|to|can|could|would|should|often)\b",
    r"\b(?:tutorial|step by step|walkthrough|passo a passo|recipe please|manda a receita)\b",
    r"\b(?:teach|show) (?:me|us)\b|\bme ensina\b|\bensina (?:ai|como|a gente|pra gente|por favor)\b",
    r"\bcomo (?:e que )?(?:voces?|vcs?|eu|a gente|se|que|faz|faco|fazer|fez|fazem|consigo|consegue|posso|da)\b",
    r"^como (?!assim\b|e lind|e bo)\w+[^?]*\?",
)
WHERE_TO_GET = any_of(
    r"\blinks?\b(?: \w+){0,2} ?\?|^links?(?: please| pls| por favor| pf| pfv)?[ !.]*$",
    r"\b(?:send|drop|share|need|got) (?:me )?(?:the |a )?link\b|\b(?:manda|passa|cade|tem) (?:o |a )?link\b",
    r"\bwhere (?:do|did|can|could) (?:\w+ )?(?:get|buy|find|order|purchase)\b",
    r"\bwhere(?: is|'s|s) (?:it|this|that|the \w+) from\b|\bwhere(?: \w+){1,2} (?:buy|bought)\b",
    r"\bonde (?:\w+ )?(?:compr|encontr|ach[ao]|acham|acho|vende|consig|consegu|arranj|arrum)\w*",
    r"\b(?:what|which) (?:brand|app|model|store|shop|tool|camera|lens|font|song|music)\b",
    r"\b(?:qual|que) (?:e )?(?:o |a )?(?:marca|app|aplicativo|modelo|loja|nome|musica|ferramenta)\b",
    r"\b(?:what|which) \w+ is (?:it|this|that)\b|\bhow much (?:is|does|was|did)\b|\bquanto (?:custa|custou|e|foi)\b",
    r"\bprecos?\b ?\?|\bprice ?\?",
    r"\bmanda (?:o |a )(?:roteiro|planilha|lista|nome)\b|\bquero (?:o |a )?(?:planilha|link)\b",
)

Wish = Callable[[str], bool]


def demand_of(evidence: Sequence[Evidence], comments: Sequence[Comment]) -> tuple[Demand, ...]:
    """Each kind that somebody asks for. The same text counts once, and what the author writes does not count."""
    texts, answered = _voices(comments)
    shown = [(item.id, _without(fold(item.text), answered)) for item in evidence if item.kind == "comment"]
    demands = []
    for kind, wishes in KINDS.items():
        count = sum(map(wishes, texts))
        examples = tuple(id_ for id_, text in shown if wishes(text))[:MOST_EXAMPLES]
        if count:
            demands.append(Demand(kind=kind, count=count, examples=examples))
    return tuple(demands)


def count_tags(comments: Iterable[Comment]) -> tuple[int, int]:
    """How many comments do no more than call friends, and of how many."""
    texts, _ = _voices(comments)
    return sum(map(_tags_a_friend, texts)), len(texts)


def _voices(comments: Iterable[Comment]) -> tuple[set[str], str]:
    """What readers say, without whom they say it to, and that name."""
    texts = [fold(comment.text) for comment in distinct(each for each in comments if not each.by_post_author)]
    answered = _answered(texts)
    return {_without(text, answered) for text in texts}, answered


def _answered(texts: Sequence[str]) -> str:
    """The name that most comments begin with."""
    first = Counter(found[0] for text in texts if (found := FIRST_HANDLE.match(text)))
    name, times = next(iter(first.most_common(1)), ("", 0))
    return name if times >= max(LEAST_ANSWERS, ANSWERED_SHARE * len(texts)) else ""


def _without(text: str, answered: str) -> str:
    """Without the name that is answered to, and without addresses: there are question marks in them."""
    own = text.removeprefix(answered) if re.match(rf"{re.escape(answered)}(?![\w.])", text) else text
    return " ".join(ADDRESS.sub(" ", own).split())


def _tags_a_friend(text: str) -> bool:
    beside = HANDLE.sub(" ", text)
    return beside != text and len(beside.split()) <= MOST_WORDS_BESIDE_TAGS


def _finds(pattern: re.Pattern[str]) -> Wish:
    return lambda text: pattern.search(text) is not None


KINDS: dict[str, Wish] = {
    "question": _finds(ASKS),
    "part_two": _finds(PART_TWO),
    "how_to": _finds(HOW_TO),
    "where_to_get": _finds(WHERE_TO_GET),
    "tag_friend": _tags_a_friend,
}
