"""Quotations in claims: what stands in quotation marks, and whether somebody wrote or said it."""

import re
import unicodedata
from collections.abc import Iterator, Sequence

from analysis.dossier import Evidence
from analysis.plain import make_line

PAIRS = (
    '""',
    "\u201c\u201d",
    "\u201e\u201c",
    "\u201e\u201d",
    "\u00ab\u00bb",
    "\u2039\u203a",
    "``",
    "\u300c\u300d",
    "\u300e\u300f",
)
# A single sign opens nothing behind a letter, and inside a word it is an apostrophe; so it is in "the '90s" and "'em".
SINGLE = r"(?!\d0s|(?:cause|em|n|til|tis|twas)\b)(?:[^'\u2018\u2019]|(?<=\w)['\u2019](?=\w))+['\u2018\u2019](?!\w)"
QUOTE = re.compile(
    "|".join([*(f"{pair[0]}[^{pair}]+{pair[1]}" for pair in PAIRS), rf"(?<![\w'\u2019])['\u2018\u201a]{SINGLE}"]),
    re.IGNORECASE,
)
ELISION = re.compile(r"\s*(?:\[?\u2026\]?|\[?\.{3}\]?)\s*")
# One sign for each that keyboards and phones have several of.
ALIKE = str.maketrans(
    dict.fromkeys('\u2018\u2019\u201a\u201b\u201c\u201d\u201e\u201f\u00ab\u00bb\u2039\u203a"`\u00b4', "'")
)
DASHES = str.maketrans(dict.fromkeys("\u2010\u2011\u2012\u2013\u2014\u2015\u2212", "-"))
# Fewer words are mostly a name: 'the "garlic trick"'. Two are a quotation where somebody is said to say them.
FEWEST_WORDS, FEWEST_SAID = 3, 2
SAID = re.compile(
    r"\b(?:says|said|writes|wrote|calls|asks|asked|replies|replied|reads|"
    r"(?:they|people|readers|viewers|commenters|comments|fans|users|some|many|several|others)\s+(?:\w+\s+)?"
    r"(?:say|write|call|ask|reply))(?:\s+(?:it|this|that|him|her|them))*[\s:,]*$",
    re.IGNORECASE,
)
# What goes on from one item to the next. Comments do not: they are of different people.
GOES_ON = ("caption", "transcript")


def told_by(cited: Sequence[Evidence]) -> list[str]:
    """The words of each item, and of those that go on over several."""
    whole = (" ".join(item.text for item in cited if item.kind == kind) for kind in GOES_ON)
    return [_fold(text) for text in (*(item.text for item in cited), *whole)]


def quotations(text: str) -> Iterator[str]:
    """What must have been said; what is too short for that is a name."""
    for match in QUOTE.finditer(text):
        words = len(match[0].split())
        if words >= FEWEST_WORDS or (words >= FEWEST_SAID and SAID.search(text[: match.start()])):
            yield match[0][1:-1]


def occurs(quote: str, told: Sequence[str]) -> bool:
    """Letter for letter, and where something was left out, in its order."""
    parts = [part for part in (_fold(piece).strip(" .,;:!?'-") for piece in ELISION.split(quote)) if part]
    return any(_stand_in_order(parts, text) for text in told)


def leave_out(text: str, told: Sequence[str]) -> str:
    """Its own words: what is truly quoted claims nothing by itself, a false quotation does."""
    return QUOTE.sub(lambda match: '""' if occurs(match[0][1:-1], told) else match[0], text)


def _stand_in_order(parts: Sequence[str], text: str) -> bool:
    place = 0
    for part in parts:
        found = text.find(part, place)
        if found < 0:
            return False
        place = found + len(part)
    return True


def _fold(text: str) -> str:
    text = unicodedata.normalize("NFKC", make_line(text)).casefold().translate(ALIKE).translate(DASHES)
    return " ".join(text.split())
