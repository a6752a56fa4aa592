"""Numbers in claims: what they count, and whether what was measured bears them, within rounding.

    "176,400 views, 8.4x the median of 21,000"    views 176400, multiple 8.4, median 21000

Only numbers whose meaning can be told from the words beside them are judged. "In 3 seconds" claims nothing measured.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import permutations

from analysis.checking.digits import USUALLY, in_digits
from analysis.dossier import Dossier, Evidence

NAMES = {
    "views": "views?|viewers?|plays|impressions",
    "likes": "likes?",
    "comments": "comments?|replies|commenters?",
    "shares": "shares?|reposts?|retweets?|reshares?",
    "saves": "saves?|bookmarks?",
    "followers": "followers?|subscribers?",
}
SIZES = {"k": 1e3, "thousand": 1e3, "m": 1e6, "mn": 1e6, "million": 1e6, "b": 1e9, "bn": 1e9, "billion": 1e9}
NUMBER = r"(?P<number>\d{1,3}(?:[,']\d{3})+(?!\d)(?:\.\d+)?|\d+(?:\.\d+)?)"
SIZE = r"(?P<size>\s?(?:[kmb]|mn|bn)(?![a-z])|[\s-](?:thousand|million|billion)\b)?"
METRIC = "|".join(f"(?P<{name}>{words})" for name, words in NAMES.items())
AS_USUAL = re.compile(USUALLY, re.IGNORECASE)
FIGURE = re.compile(rf"(?<![\w.,]){NUMBER}{SIZE}(?P<more>\+)?", re.IGNORECASE)
# What follows a number, or stands before it, and says what it counts. "3 seconds" counts something else.
OTHERWISE = r"(?:of|(?:second|minute|hour|day|week|month|year)s?|and\s+(?:its|the|their))\b"
AFTER = re.compile(rf"[\s-]*(?:of\s+(?:the\s+)?\d+\s+|(?!{OTHERWISE})[a-z-]+\s+){{0,2}}?(?:{METRIC})\b", re.IGNORECASE)
SOME = r"\s*(?:about|around|over|nearly|almost|some|roughly|more than)?\s*$"
CAME = r"c[ao]mes?|climb\w*|rose|gr[eo]w\w*|jump\w*|amount\w*|add\w*\s+up|went|got|shot"
BEFORE = re.compile(
    rf"\b(?:{METRIC})(?:\s+(?:count|number|total))?(?:\s+(?:{CAME}))?\s*(?:[:=(]|\b(?:of|at|is|are|was|were|reached|hit|to|"
    rf"stands? at|exceed\w*|pass(?:ed|es)|topp?(?:ed|s)|surpass\w*|total\w*)\b){SOME}",
    re.IGNORECASE,
)
# Of so many, more ways to say it claim a count: what people did, that they were reached, and further from the number.
LARGE, YEARS = 1_000, range(1900, 2100)
DONE = "|".join(
    f"(?P<{name}>{words})"
    for name, words in {
        "views": "viewed|watched|seen|played",
        "likes": "liked",
        "comments": "commented",
        "shares": "shared|reposted|retweeted",
        "saves": "saved|bookmarked",
        "followers": "followed|subscribed",
    }.items()
)
CROWD = "people|persons|users|accounts|fans|times"
# These words begin another thought than what the number counts.
APART_FROM = "of|to|in|for|by|with|from|on|at|that|who|which|is|are|was|were|it|its|the|an?|got|gets?|has|had|so"
FAR_AFTER = re.compile(rf"\s+(?:(?!(?:{APART_FROM})\b)[a-z-]+\s+){{0,4}}?(?:{METRIC})\b", re.IGNORECASE)
DONE_AFTER = re.compile(
    rf"\s+(?:(?:{CROWD}|viewers?|readers?|of|the|its|have|had|has|who)\s+){{0,4}}?(?:{DONE})\b", re.IGNORECASE
)
DONE_BEFORE = re.compile(rf"\b(?:{DONE})(?:\s+by)?{SOME}", re.IGNORECASE)
ENDS = re.compile(r"\s*(?:$|[.,;:!?)]|(?:times|and|in total)\b)", re.IGNORECASE)
CROWD_AFTER = re.compile(rf"\s+(?:{CROWD})\b", re.IGNORECASE)
REACHED = re.compile(
    r"\b(?:reach(?:ed|es|ing)|drew|attracted|got|gained|pulled|amassed|earned|hit|won|has|had|shown|audience|"
    r"(?:viewed|watched|seen|played|liked|shared|saved)\s+by)\b[^.;!?]*$",
    re.IGNORECASE,
)
MEDIAN_AFTER = re.compile(r"\s+(?:median|baseline)\b", re.IGNORECASE)
MEDIAN = re.compile(r"(?:median|baseline)(?:\s+engagement)?(?:\s+of)?\s*$", re.IGNORECASE)
# "2x per week" and "2x speed" are advice. "3 times" is one too, unless it is 3 times the usual.
TIMES = re.compile(
    rf"\s?[x\u00d7](?![a-z])(?!\s+(?:a|per|each|speed|zoom)\b)|\s+times\b(?=.{{0,40}}?(?:{USUALLY}))"
    r"|[\s-]?fold\b",
    re.IGNORECASE,
)
# "2 x comments" is how comments are weighed, and "1 in 10" is a share.
WEIGHT = re.compile(rf"\s[x\u00d7]\s(?:{METRIC})|\s+(?:in|out of)\s+\d", re.IGNORECASE)
OF_HUNDRED = re.compile(rf"\s+(?:{METRIC})\s+(?:for every|per)\s+100\b", re.IGNORECASE)
PERCENT = re.compile(r"\s?%|\s+per ?cent\b", re.IGNORECASE)
PERCENTILE = re.compile(r"(?:st|nd|rd|th)?\s+percentile", re.IGNORECASE)
PERCENTILE_OF = re.compile(r"percentile\s*(?::|=|of|is|was|at)?\s*$", re.IGNORECASE)
RATE = re.compile(
    r"rate|ratio|engagement|of (?:its |the |their |all )?(?:views|viewers|followers?|likes)", re.IGNORECASE
)
# "12 for every 100 views" and "1 in 10 viewers" count no views.
PER = re.compile(r"(?:every|per|each|\d\s+(?:in|out of))\s*$", re.IGNORECASE)
NEAR = 36
ABOUT = re.compile(r"(?:about|around|roughly|approximately|some|~)\s*$", re.IGNORECASE)
MORE = re.compile(
    r"(?:over|more than|above|at least|exceed(?:ed|s|ing)|topp?(?:ed|s)|pass(?:ed|es)|surpass\w*)\s*$", re.IGNORECASE
)
LESS = re.compile(r"(?:nearly|almost|close to|under|less than|below|just short of)\s*$", re.IGNORECASE)
# How far a rounded number may be off, beside half of its last digit that is not nought.
ROUNDED, LOOSE, WIDE = 0.05, 0.1, 0.3

# Numbers by name; of what the author usually has, under USUAL.
Known = Mapping[str, frozenset[float]]
USUAL = "usual"


@dataclass(frozen=True, slots=True)
class Figure:
    """A number that claims something measured: of a metric, or a multiple, median, percentile, rise or rate."""

    kind: str
    value: float
    low: float
    high: float
    usual: bool  # whether the words beside it speak of what is usual

    def fits(self, known: float) -> bool:
        return self.low <= known <= self.high


def find_figures(text: str) -> Iterator[Figure]:
    text = in_digits(text)
    for match in FIGURE.finditer(text):
        before, after = text[max(0, match.start() - 80) : match.start()], text[match.end() : match.end() + 80]
        if kind := _kind_of(before, after) or _kind_of_many(before, after, _value_of(match)):
            low, high = _bounds(match, before)
            usual = bool(AS_USUAL.search(before[-NEAR:] + after[:NEAR]))
            yield Figure(kind, _value_of(match), low, high, usual)


def read_numbers(text: str) -> set[float]:
    """Every number of a text, whatever it counts; "4.000" is four thousand in half of the world, so it is both."""
    found = [*FIGURE.finditer(text), *FIGURE.finditer(in_digits(text))]
    grouped = {
        float(match["number"].replace(".", "")) for match in found if re.fullmatch(r"\d+\.\d{3}", match["number"])
    }
    return grouped | {_value_of(match) for match in found}


def know(dossier: Dossier, cited: Iterable[Evidence]) -> Known:
    """What was measured: the post's counts, the verdict, what readers ask for, and the numbers of evidence."""
    known, verdict = dossier.known, dossier.verdict
    measured = [item for item in dossier.evidence if item.kind in ("metric", "profile")]
    told: list[tuple[str, object]] = [
        *known.metrics.items(),
        ("followers", known.profile.get("followers")),
        ("comments", known.comments_total),
        ("seen", known.seen),
        *(("comments", each.count) for each in dossier.demand),
        ("multiple", verdict.multiple),
        ("percentile", verdict.percentile),
        (USUAL, verdict.baseline.median),
        *(pair for item in (*measured, *cited) for pair in item.numbers.items()),
    ]
    numbers: dict[str, set[float]] = {}
    for name, value in told:
        if isinstance(value, (int, float)):
            numbers.setdefault(_name_of(name), set()).add(float(value))
    return {name: frozenset(values) for name, values in numbers.items()}


def bears(known: Known, figure: Figure) -> bool | None:
    """Whether what was measured bears this number; None where nothing of its kind was measured."""
    if figure.kind == "many":
        return any(figure.fits(value) for values in known.values() for value in values) or None
    if figure.kind == "rise":
        return any(figure.fits(rise) for rise in _rises(known)) or None
    if figure.kind == "rate":
        return any(figure.fits(rate) for rate in (*known.get("engagement_rate", ()), *_rates(known))) or None
    values = set(known.get(figure.kind, ()))
    if figure.kind == "comments":
        values |= known.get("seen", frozenset())
    if figure.usual:
        values |= known.get(USUAL, frozenset())
    return any(figure.fits(value) for value in values) if values else None


def _value_of(match: re.Match[str]) -> float:
    return float(re.sub("[,']", "", match["number"])) * _size_of(match)


def _size_of(match: re.Match[str]) -> float:
    return SIZES.get((match["size"] or "").strip(" -").lower(), 1)


def _bounds(match: re.Match[str], before: str) -> tuple[float, float]:
    value = _value_of(match)
    if match["more"] or MORE.search(before):
        return value, value * (1 + WIDE)
    if LESS.search(before):
        return value * (1 - WIDE), value
    off = max(_half_of_last_digit(match["number"]) * _size_of(match), value * LOOSE if ABOUT.search(before) else 0)
    return value - off, value + off


def _half_of_last_digit(number: str) -> float:
    """8.4 may be 8.35 to 8.45, and 120,000 what rounds to it; but never is more than ROUNDED lost by noughts."""
    _, _, decimals = number.partition(".")
    if decimals:
        return float(0.5 * 10 ** -len(decimals)) * (1 + 1e-9)
    digits = re.sub(r"\D", "", number)
    noughts = len(digits) - len(digits.rstrip("0"))
    return float(min(0.5 * 10**noughts, max(0.5, float(digits) * ROUNDED)))


def _kind_of(before: str, after: str) -> str:
    if PER.search(before) or WEIGHT.match(after):
        return ""
    if OF_HUNDRED.match(after):
        return "rate"
    if PERCENTILE.match(after) or PERCENTILE_OF.search(before):
        return "percentile"
    if TIMES.match(after):
        return "multiple"
    if PERCENT.match(after):
        return _kind_of_percentage(before[-NEAR:] + after[:NEAR])
    if found := AFTER.match(after) or BEFORE.search(before):
        return next(name for name in NAMES if found[name])
    return "median" if MEDIAN.search(before) or MEDIAN_AFTER.match(after) else ""


def _kind_of_many(before: str, after: str, value: float) -> str:
    if value < LARGE or value in YEARS or PER.search(before):
        return ""
    ends = ENDS.match(after)
    if found := FAR_AFTER.match(after) or DONE_AFTER.match(after) or (ends and DONE_BEFORE.search(before)):
        return next(name for name in NAMES if found[name])
    return "many" if (ends or CROWD_AFTER.match(after)) and REACHED.search(before) else ""


def _kind_of_percentage(near: str) -> str:
    if AS_USUAL.search(near):
        return "rise"
    return "rate" if RATE.search(near) else ""


def _name_of(name: str) -> str:
    """Whoever measured may say `median_views` or `views`, `multiple` or `percentile`."""
    name = name.lower()
    if AS_USUAL.search(name):
        return USUAL
    return next((kind for kind in (*NAMES, "multiple", "percentile") if kind in name), name)


def _rises(known: Known) -> Iterator[float]:
    """740% above the median is 8.4 times it, or 840% of it."""
    yield from known.get("percentile", ())
    for multiple in known.get("multiple", ()):
        yield from (100 * multiple, abs(100 * (multiple - 1)))


def _rates(known: Known) -> Iterator[float]:
    values = [value for name in NAMES for value in known.get(name, ()) if value]
    yield from (100 * part / whole for part, whole in permutations(values, 2))
