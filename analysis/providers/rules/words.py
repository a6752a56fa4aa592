"""The words of a question: small, without accents, and without those that are in every question."""

import re
import unicodedata
from pathlib import Path

MOST_WORDS = 40
SHORTEST_WORD = 3
# In English, Portuguese and Spanish.
EMPTY = frozenset((Path(__file__).parent / "empty_words.txt").read_text(encoding="utf-8").split())


def bare(text: str) -> str:
    """Small letters without accents."""
    if text.isascii():
        return text.lower()
    letters = unicodedata.normalize("NFKD", text.casefold())
    return "".join(letter for letter in letters if not unicodedata.combining(letter))


def content_words(plain: str) -> list[str]:
    words = (word for word in re.findall(r"\w+", plain) if len(word) >= SHORTEST_WORD and word not in EMPTY)
    return [*dict.fromkeys(words)][:MOST_WORDS]
