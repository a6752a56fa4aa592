"""A post as the rules read it: its opening, what it asks for, what its readers ask; and how it is quoted."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from analysis.answer import LONGEST_CLAIM, Claim
from analysis.dossier import Confounder, Demand, Dossier, Evidence, EvidenceKind, Label
from analysis.plain import cut, make_line
from analysis.providers.rules.lexicon import ASKS, HOOKS, WISH

LONGEST_QUOTE = 90
MOST_IDS = 6
FIRST_SECONDS = 3.0
FEWEST_WORDS = 4
SENTENCE_END = re.compile(r"(?<=[.!?])\s+")
TELLING = ("part_two", "how_to", "where_to_get", "question", "tag_friend")
HASHTAGS = re.compile(r"#\w+")
# A quotation inside ours would end it.
INNER_QUOTES = str.maketrans(dict.fromkeys('"\u201c\u201d\u201e\u201f\u00ab\u00bb', "'"))


@dataclass(frozen=True)
class Ask:
    """Something that the post asks people to do, in which words of which item."""

    kind: str
    words: str
    item: Evidence


@dataclass(frozen=True)
class Reading:
    """What can be told of a post by looking at its words and numbers."""

    dossier: Dossier

    def of(self, kind: EvidenceKind) -> list[Evidence]:
        """Its evidence of one kind, as far as it has words that can be shown."""
        return [item for item in self.dossier.evidence if item.kind == kind and make_line(item.text)]

    @property
    def label(self) -> Label:
        return self.dossier.verdict.label

    @cached_property
    def captions(self) -> list[Evidence]:
        return self.of("caption")

    @cached_property
    def last_line(self) -> Evidence | None:
        """Where its text ends; hashtags that stand beside it are not text."""
        lines = [item for item in self.captions if HASHTAGS.sub("", make_line(item.text)).strip()]
        return lines[-1] if lines else None

    @cached_property
    def spoken(self) -> list[Evidence]:
        return self.of("transcript")

    @cached_property
    def comments(self) -> list[Evidence]:
        return self.of("comment")

    @cached_property
    def frames(self) -> list[Evidence]:
        return self.of("frame")

    @cached_property
    def metrics(self) -> list[Evidence]:
        return self.of("metric")

    @cached_property
    def profile(self) -> Evidence | None:
        return next(iter(self.of("profile")), None)

    @cached_property
    def first_spoken(self) -> Evidence | None:
        return next((item for item in self.spoken if (item.start or 0) < FIRST_SECONDS), None)

    @cached_property
    def opening(self) -> Evidence | None:
        """What is met first: the first line, else the first words, else the first picture that is described."""
        return next(iter([*self.captions, *self.spoken, *self.frames]), None)

    @cached_property
    def first_words(self) -> str:
        """Its first sentence, or as many as make a sentence."""
        sentences = split(self.opening) if self.opening else []
        words = ""
        for sentence in sentences:
            words = f"{words} {sentence}".strip()
            if len(words.split()) >= FEWEST_WORDS:
                break
        return words

    @property
    def first(self) -> str:
        """The same, quoted."""
        return quote_words(self.first_words) if self.opening else "(no words)"

    @cached_property
    def hooks(self) -> list[str]:
        """How the first words, and those of the first three seconds, try to hold people."""
        words = f"{self.first_words} {make_line(self.first_spoken.text) if self.first_spoken else ''}"
        return [kind for kind, pattern in HOOKS.items() if pattern.search(words)]

    @cached_property
    def asks(self) -> list[Ask]:
        sentences = [(words, item) for item in (*self.captions, *self.spoken) for words in split(item)]
        found = {kind: next((s for s in sentences if words.search(s[0])), None) for kind, words in ASKS.items()}
        return [Ask(kind, *where) for kind, where in found.items() if where]

    @cached_property
    def questions(self) -> list[Evidence]:
        """What readers want to know, where they say what."""
        return [item for item in self.telling_comments if make_line(item.text).endswith("?")]

    @cached_property
    def wishes(self) -> list[Evidence]:
        said = [item for item in self.telling_comments if item not in self.questions]
        return [item for item in said if WISH.search(make_line(item.text))]

    @cached_property
    def telling_comments(self) -> list[Evidence]:
        return [item for item in self.comments if len(item.text.split()) > 1]

    @cached_property
    def demand(self) -> list[Demand]:
        """The most telling first: everybody's readers ask something."""
        order = {kind: place for place, kind in enumerate(TELLING)}
        return sorted(self.dossier.demand, key=lambda each: (order.get(each.kind, len(order)), -each.count))

    @cached_property
    def present(self) -> list[Confounder]:
        return [each for each in self.dossier.confounders if each.state == "present"]

    @cached_property
    def doubtful(self) -> list[Confounder]:
        return [each for each in self.dossier.confounders if each.state == "cannot_tell"]

    @cached_property
    def words(self) -> int:
        return sum(len(make_line(item.text).split()) for item in self.captions)

    def metric(self, *names: str) -> Evidence | None:
        """The item that has the first of these numbers that is known; else the first item there is."""
        named = (item for name in names for item in self.metrics if name in item.numbers)
        return next(named, next(iter(self.metrics), None))

    def items(self, ids: Sequence[str]) -> list[Evidence]:
        return [item for item in self.dossier.evidence if item.id in ids]

    def claim(self, text: str, *cited: Evidence | None) -> Claim:
        """A claim that always cites something, as long as there is anything to cite."""
        ids = [*dict.fromkeys(item.id for item in cited if item)][:MOST_IDS]
        last_resort = self.metric() or self.opening or next(iter(self.dossier.evidence), None)
        return Claim(text=cut(text, LONGEST_CLAIM), evidence=ids or ([last_resort.id] if last_resort else []))


def quote(item: Evidence | None) -> str:
    return quote_words(item.text) if item else "(no words)"


def quote_words(text: str, longest: int = LONGEST_QUOTE) -> str:
    """The words as they stand; where they are cut, the sign for that stands outside."""
    line = make_line(text).translate(INNER_QUOTES)
    shown = cut(line, longest)
    return f"\u201c{shown}\u201d" + ("" if shown == line else " \u2026")


def split(item: Evidence) -> list[str]:
    return SENTENCE_END.split(make_line(item.text))


def listed(names: Sequence[str]) -> str:
    """a, b and c."""
    return f"{', '.join(names[:-1])} and {names[-1]}" if len(names) > 1 else "".join(names)
