"""Answers a question by the evidence that speaks of the same, with its ids, and says what it does not have.

What to do better or next is in no evidence: there the claims of the result are repeated.
"""

import math
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from analysis.plain import make_line
from analysis.providers.contract import Message
from analysis.providers.rules.reading import listed, quote_words

# As analysis.prompting writes it for a chat.
BOUNDARY = re.compile(r"^Boundary: (\w+)$", re.MULTILINE)
LINE = re.compile(r"^\[([a-z]\d+)\] \((\w+)[^)]*\) (.+)$", re.MULTILINE)
MOST_SHOWN, LONGEST_SHOWN = 5, 240
MOST_MISSED = 4
MOST_WORDS = 40
# Words that share their first letters are taken for the same: "onion" and "onions", "cozinha" and "cozinhar".
STEM = 5
SHORTEST_WORD = 3
INTRODUCTION = "By rules, without a language model. What the evidence of this post holds on that:"
ADVISED = "By rules, without a language model. What the result advises:"

# Parts of the result, by the words that ask for them.
ADVICE = {
    "suggestions_for_future_posts": r"next|future|ideas?|suggest\w*|proxim[oa]s?|ideias?|suge\w+|postar|publicar",
    "improvements": r"better|improve\w*|melhor\w*|mejor\w*",
}
# What a question is about, by the words that say so, and where that is to be found.
ASPECTS = {
    "opening": r"hook|opening|open(?:s|ed)?|begin\w*|start\w*|first line|gancho|come[cç]o|inicio",
    "question": r"ask(?:s|ed|ing)?|questions?|want(?:s|ed)?|pergunt\w+|pregunt\w+|querem|pede[mn]?|pide[n]?",
    "comment": r"comment\w*|repl(?:y|ies)|readers?|people|audience|fans|comentari\w*|leitores|publico|pessoas|gente",
    "caption": r"caption\w*|titles?|written|text|legenda|titulo|texto",
    "transcript": r"say|says|said|spoken|speech|transcript|video|voice|diz|dice|fala|dijo",
    "metric": r"views?|likes?|shares?|saves?|numbers?|metrics?|perform\w*|viral\w*|why|median|verdict|"
    r"porque|numeros?|visualiza\w+|curtidas?|compartilha\w+|visitas",
    "profile": r"author|creator|profile|account|channel|followers?|who|autor|perfil|conta|canal|seguidores",
    "frame": r"frames?|pictures?|images?|visuals?|thumbnail|photo|imagem|foto|capa",
}
ABOUT = {name: re.compile(rf"\b(?:{words})\b") for name, words in ASPECTS.items()}
OPENING = ("c1", "t1")
# Words that are in every question, in English, Portuguese and Spanish.
EMPTY = frozenset((Path(__file__).parent / "empty_words.txt").read_text(encoding="utf-8").split())


@dataclass(frozen=True, slots=True)
class Item:
    """A line of the evidence."""

    id: str
    kind: str
    text: str


def answer(messages: Sequence[Message]) -> str:
    asked = [message.text for message in messages if message.role == "user"]
    orders = "\n".join(message.text for message in messages if message.role == "system")
    question = make_line(asked[-1]) if asked else ""
    if advice := _advise(_bare(question), orders):
        return "\n".join([ADVISED, *(f"- {claim}" for claim in advice)])
    return _answer(question, [Item(*found) for found in LINE.findall(_section(orders, "EVIDENCE"))])


def _advise(bare: str, orders: str) -> list[str]:
    """The claims of the result that are asked for, with what they cite; not those that do not hold."""
    parts = [name for name, words in ADVICE.items() if re.search(rf"\b(?:{words})\b", bare)]
    told = (line.partition(": ") for line in _section(orders, "RESULT").splitlines())
    claims = [claim for name, _, claim in told if name in parts and not claim.endswith("(not supported)")]
    return claims[:MOST_SHOWN]


def _answer(question: str, items: Sequence[Item]) -> str:
    bare = _bare(question)
    aspects = [name for name, words in ABOUT.items() if words.search(bare)]
    wanted = _content_words(bare)
    found = _rank(items, wanted, aspects)
    missed = [word for word in wanted if not _is_known(items, word) and not _names_an_aspect(word)][:MOST_MISSED]
    written = {_bare(word): word for word in re.findall(r"\w+", question)}
    named = listed([quote_words(written.get(word, word)) for word in missed])
    if not found:
        return f"I don't have that: nothing in the evidence of this post speaks of {named or 'it'}."
    lines = [INTRODUCTION, *(f"- {quote_words(item.text, LONGEST_SHOWN)} [{item.id}]" for item in found)]
    lines += [f"I don't have that for {named}: nothing in the evidence speaks of it."] if missed else []
    return "\n".join(lines)


def _section(orders: str, name: str) -> str:
    """Only what stands between the marks: lines elsewhere may look the same."""
    boundary = BOUNDARY.search(orders)
    if not boundary:
        return ""
    _, _, rest = orders[boundary.end() :].partition(f"\nBEGIN {boundary[1]} {name}\n")
    section, _, _ = rest.partition(f"\nEND {boundary[1]} {name}")
    return section


def _rank(items: Sequence[Item], wanted: Sequence[str], aspects: Sequence[str]) -> list[Item]:
    """Of what the question is about, that which speaks of its words, rare ones before frequent ones; else all of it."""
    there = [item for item in items if _is_of(item, aspects)]
    scored = [(_score(item, items, wanted), item) for item in there or items]
    hits = [item for score, item in sorted(scored, key=lambda pair: -pair[0]) if score]
    elsewhere = [item for item in items if _score(item, items, wanted)]
    return (hits or [*there, *elsewhere])[:MOST_SHOWN]


def _score(item: Item, items: Sequence[Item], wanted: Sequence[str]) -> float:
    spoken = [word for word in wanted if _speaks_of(item, word)]
    return sum(math.log(1 + len(items) / sum(_speaks_of(each, word) for each in items)) for word in spoken)


def _is_known(items: Sequence[Item], word: str) -> bool:
    return any(_speaks_of(item, word) for item in items)


def _is_of(item: Item, aspects: Sequence[str]) -> bool:
    if "question" in aspects and item.kind == "comment":
        return item.text.rstrip().endswith("?")
    return item.kind in aspects or ("opening" in aspects and item.id in OPENING)


def _content_words(bare: str) -> list[str]:
    words = (word for word in re.findall(r"\w+", bare) if len(word) >= SHORTEST_WORD and word not in EMPTY)
    return [*dict.fromkeys(words)][:MOST_WORDS]


def _names_an_aspect(word: str) -> bool:
    return any(each.fullmatch(word) for each in ABOUT.values())


def _speaks_of(item: Item, word: str) -> bool:
    return any(each == word or (len(word) >= STEM and each[:STEM] == word[:STEM]) for each in _words_of(item))


def _words_of(item: Item) -> list[str]:
    return re.findall(r"\w+", _bare(item.text))


def _bare(text: str) -> str:
    """Small letters without accents."""
    letters = unicodedata.normalize("NFKD", text.casefold())
    return "".join(letter for letter in letters if not unicodedata.combining(letter))
