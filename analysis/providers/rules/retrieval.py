"""Answers a question by the evidence that speaks of the same, with its ids, and says what it does not have.

What the result itself says is in no evidence (why, in short, what else, what next): there its own words are repeated.
"""

import math
import re
from collections.abc import Mapping, Sequence

from analysis.plain import make_line
from analysis.providers.contract import Message
from analysis.providers.rules.reading import listed, quote_words
from analysis.providers.rules.results import is_topic, tell
from analysis.providers.rules.told import Item, Told
from analysis.providers.rules.words import bare, content_words

MOST_SHOWN, LONGEST_SHOWN = 5, 240
MOST_MISSED = 4
# Words that share their first letters are taken for the same: "onion" and "onions", "cozinha" and "cozinhar".
STEM = 5
INTRODUCTION = "By rules, without a language model. What the evidence of this post holds on that:"

# What a question is about, by the words that say so, and where that is to be found.
ASPECTS = {
    "opening": r"hook|opening|open(?:s|ed)?|begin\w*|start\w*|first line|gancho|come[cç]o|inicio",
    "question": r"ask(?:s|ed|ing)?|questions?|want(?:s|ed)?|pergunt\w+|pregunt\w+|querem|pede[mn]?|pide[n]?",
    "comment": r"comment\w*|repl(?:y|ies)|readers?|people|audience|fans|comentari\w*|leitores|publico|pessoas|gente",
    "caption": r"caption\w*|titles?|written|text|legenda|titulo|texto",
    "transcript": r"say|says|said|spoken|speech|transcript|video|voice|diz|dice|fala|dijo",
    "metric": r"views?|likes?|shares?|saves?|numbers?|metrics?|perform\w*|viral\w*|median|verdict|"
    r"numeros?|visualiza\w+|curtidas?|compartilha\w+|visitas",
    "profile": r"author|creator|profile|account|channel|followers?|who|autor|perfil|conta|canal|seguidores",
    "frame": r"frames?|pictures?|images?|visuals?|thumbnail|photo|imagem|foto|capa",
}
ABOUT = {name: re.compile(rf"\b(?:{words})\b") for name, words in ASPECTS.items()}
OPENING = ("c1", "t1")


def answer(messages: Sequence[Message]) -> str:
    asked = [message.text for message in messages if message.role == "user"]
    told = Told("\n".join(message.text for message in messages if message.role == "system"))
    question = make_line(asked[-1]) if asked else ""
    return tell(bare(question), told) or _answer(question, told.items())


def _answer(question: str, items: Sequence[Item]) -> str:
    plain = bare(question)
    aspects = [name for name, words in ABOUT.items() if words.search(plain)]
    wanted = [word for word in content_words(plain) if not is_topic(word)]
    speaking = _find(items, wanted)
    found = _rank(items, speaking, aspects)
    missed = [word for word in wanted if not speaking[word] and not _names_an_aspect(word)][:MOST_MISSED]
    written = {bare(word): word for word in re.findall(r"\w+", question)}
    named = listed([quote_words(written.get(word, word)) for word in missed])
    if not found:
        return f"I don't have that: nothing in the evidence of this post speaks of {named or 'it'}."
    lines = [INTRODUCTION, *(f"- {quote_words(item.text, LONGEST_SHOWN)} [{item.id}]" for item in found)]
    lines += [f"I don't have that for {named}: nothing in the evidence speaks of it."] if missed else []
    return "\n".join(lines)


def _find(items: Sequence[Item], wanted: Sequence[str]) -> dict[str, set[int]]:
    """Which items speak of each word, by their places."""
    # Each item is read once, whatever is asked: all answers of a process share one processor.
    stems = [{word[:STEM] for word in re.findall(r"\w+", bare(item.text))} for item in items]
    return {word: {place for place, spoken in enumerate(stems) if word[:STEM] in spoken} for word in wanted}


def _rank(items: Sequence[Item], speaking: Mapping[str, set[int]], aspects: Sequence[str]) -> list[Item]:
    """Of what the question is about, that which speaks of its words, rare ones before frequent ones; else all of it."""
    weights = {word: math.log(1 + len(items) / len(places)) for word, places in speaking.items() if places}
    scores = [sum(weights[word] for word in weights if place in speaking[word]) for place in range(len(items))]
    there = [place for place, item in enumerate(items) if _is_of(item, aspects)]
    elsewhere = [place for place, score in enumerate(scores) if score]
    hits = [place for place in there if scores[place]] if there else elsewhere
    shown = sorted(hits, key=lambda place: -scores[place]) or [*there, *elsewhere]
    return [items[place] for place in shown[:MOST_SHOWN]]


def _is_of(item: Item, aspects: Sequence[str]) -> bool:
    if "question" in aspects and item.kind == "comment":
        return item.text.rstrip().endswith("?")
    return item.kind in aspects or ("opening" in aspects and item.id in OPENING)


def _names_an_aspect(word: str) -> bool:
    return any(each.fullmatch(word) for each in ABOUT.values())
