"""Words of people, as they are looked for: without case, accents and fancy letters, in English and Portuguese."""

import re
import unicodedata

LONGEST_SEARCHED = 5_000
APOSTROPHES = str.maketrans(dict.fromkeys("\u2018\u2019\u02bc\u0060\u00b4", "'"))


def fold(text: str) -> str:
    """ "Você  FAZ" as "voce faz"."""
    letters = unicodedata.normalize("NFKD", text[:LONGEST_SEARCHED].translate(APOSTROPHES).casefold())
    return " ".join("".join(letter for letter in letters if not unicodedata.combining(letter)).split())


def any_of(*patterns: str) -> re.Pattern[str]:
    """Matches folded text."""
    return re.compile("|".join(f"(?:{pattern})" for pattern in patterns))
