"""What can be wrong with a claim, told from its words and what it cites."""

import re
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Literal

from analysis.checking import claimed, quoted
from analysis.dossier import Dossier, Evidence
from analysis.prompting import read_orders

Fault = Literal["citation", "quote", "number", "verdict", "orders"]

# "[k1]", and what models write for it all the same: "[K1]" and "[k1, k2]".
CITATION = re.compile(r"\[\s*([ctkmfp]\d{1,4}(?:\s*[,;]\s*[ctkmfp]\d{1,4})*)\s*\]", re.IGNORECASE)
# So many words of our orders in a row are no accident.
ECHO = 12

USUAL = r"(?:its|the|their|his|her) (?:author's |creator's |own )*(?:usual|typical|normal|median|baseline|average)"
GREAT = "(?:smash|huge|massive|big|clear|runaway|roaring|resounding|overnight|instant|real|true|major|viral)"
# How a claim says what a verdict says. What stands before it in its clause may take it back.
SAYS: Mapping[str, re.Pattern[str]] = {
    label: re.compile(rf"\b(?:{words})", re.IGNORECASE)
    for label, words in {
        "over": r"viral(?!ity\b)|virali[sz]\w+|over-?perform\w*|out-?perform\w*|outr[au]n\w*|blew up|explod\w+|"
        rf"breakout|{GREAT} (?:hit|success|sensation)|(?:is|was|became|been) an? (?:hit|success|sensation)\b|"
        rf"(?:above|beyond|exceed\w*|beat\w*) {USUAL}",
        "under": rf"under-?perform\w*|flop\w*|fell short|(?:below|short of) {USUAL}",
        "too_early": r"too (?:early|soon|young|fresh) (?:to|for)",
        "not_enough_history": r"(?:not enough|too little|insufficient) history|too few (?:comparable )?posts",
    }.items()
}
TAKES_BACK = re.compile(
    # "Not only", "no wonder" and the like take nothing back.
    r"\b(?:not(?! (?:only|just|merely|simply)\b)|no(?! (?:wonder|doubt|surprise|question)\b)|never|nor|neither|"
    r"nothing(?! short\b)|cannot|without(?! (?:a )?(?:doubt|question)\b)|whether|if|would|could|might|"
    r"may|should|instead|rather|too early|far from|hardly|until|before|unless|fail\w*|"
    r"lack\w*|miss\w*|needs?|wants?|aims?|hop\w+)\b|n['\u2019]t\b(?! (?:only|just|merely|simply)\b)"
    r"|(?<!managed )(?<!on )\bto (?:go|be|become|get)(?: an?)?\s*$",
    re.IGNORECASE,
)
CLAUSE = re.compile(r"[.;:,!?\u2013\u2014]|\b(?:but|yet|however|although|while)\b", re.IGNORECASE)
# Who tells of a number in somebody's words does not say that it is so.
TELLS = re.compile(
    r"\b(?:captions?|titles?|hook|lines?|transcript|comments?|commenters?|says?|said|promis\w+|asks?|mentions?|claims?|opens?)\b",
    re.IGNORECASE,
)


def find_fault(text: str, cited: Sequence[Evidence], dossier: Dossier) -> Fault | None:
    """The first thing that is wrong with it, or None."""
    told = quoted.told_by(cited)
    if any(not quoted.occurs(quote, told) for quote in quoted.quotations(text)):
        return "quote"
    own_words = quoted.leave_out(text, told)
    if set(cited_in(own_words)) - {item.id for item in dossier.evidence}:
        return "citation"
    if _echoes_orders(own_words):
        return "orders"
    if contradicts_verdict(own_words, dossier.verdict.label):
        return "verdict"
    return None if _numbers_hold(own_words, cited, dossier) else "number"


def cited_in(text: str) -> list[str]:
    """The ids that it names, each once, in their order."""
    named = (name.strip().lower() for found in CITATION.findall(text) for name in re.split("[,;]", found))
    return list(dict.fromkeys(named))


def contradicts_verdict(text: str, label: str) -> bool:
    return any(_says(text, words) for said, words in SAYS.items() if said != label)


def _says(text: str, words: re.Pattern[str]) -> bool:
    return any(not TAKES_BACK.search(CLAUSE.split(text[: match.start()])[-1]) for match in words.finditer(text))


def _numbers_hold(text: str, cited: Sequence[Evidence], dossier: Dossier) -> bool:
    figures = [*claimed.find_figures(text)]
    if not figures:
        return True
    known = claimed.know(dossier, cited)
    written = {number for item in cited for number in claimed.read_numbers(item.text)}
    return all(_holds(each, known, written, text, cited) for each in figures)


def _holds(
    figure: claimed.Figure, known: claimed.Known, written: set[float], text: str, cited: Sequence[Evidence]
) -> bool:
    allowed = claimed.bears(known, figure)
    if allowed or (figure.value in written and (allowed is None or TELLS.search(text))):
        return True
    counts_sample = figure.kind == "comments" and any(item.kind == "comment" for item in cited)
    return counts_sample and figure.value <= max(known.get("seen", {0}))


def _echoes_orders(text: str) -> bool:
    words = re.findall(r"\w+", text.casefold())
    return any(tuple(words[place : place + ECHO]) in _orders_in_rows() for place in range(len(words) - ECHO + 1))


@cache
def _orders_in_rows() -> frozenset[tuple[str, ...]]:
    rows: set[tuple[str, ...]] = set()
    for name in ("analysis", "chat"):
        words = re.findall(r"\w+", read_orders(name).casefold())
        rows |= {tuple(words[place : place + ECHO]) for place in range(len(words) - ECHO + 1)}
    return frozenset(rows)
