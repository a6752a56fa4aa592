"""How much room text takes in what a model reads, and how it is shared where there is not enough for all.

It is counted in bytes of UTF-8, four to a token. That is what English takes; letters of Arabic or Cyrillic come to half
a token, signs of Chinese and emoji to about one, as they do in the models' own counts.
"""

from collections.abc import Sequence

BYTES_PER_TOKEN = 4
CUT = " [cut]"


def size_of(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode("utf-8", "replace"))


def share(sizes: Sequence[int], room: int) -> int:
    """The most that each may take so that there is room for all: what is shorter stays whole."""
    for place, size in enumerate(sorted(sizes)):
        if size * (len(sizes) - place) > room:
            return max(room, 0) // (len(sizes) - place)
        room -= size
    return max(sizes, default=0)


def trim(text: str, most: int) -> str:
    """At most so many bytes, and it says where it was cut."""
    if size_of(text) <= most:
        return text
    kept = text.encode("utf-8", "replace")[: max(most - len(CUT), 0)]
    return kept.decode("utf-8", "ignore").rstrip() + CUT
