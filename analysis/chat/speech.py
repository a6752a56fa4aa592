"""Makes an answer harmless as it comes, however it is cut into pieces.

A whole text is stripped of its markup (`analysis.plain`). Of one whose end is not known yet only the signs are taken
away that make something else of words: none of it begins a tag, none of it is a link, and no address of it runs.
"""

import re

from analysis.plain import OPENS, SCHEMES, make_visible

# A tag begins with such a sign right before a letter or one of these; before anything else it is only a sign.
TAG = re.compile(rf"{OPENS}+(?=[a-zA-Z/!?])")
LAST_SIGNS = re.compile(rf"{OPENS}+\Z")
# What brackets hold is not followed by an address.
LINK = re.compile(r"(?<=\])(?=\()")
SCRIPT = re.compile(rf"(?:{SCHEMES})[\t\n]*(?=:)", re.IGNORECASE)
# So much of what was said can make something else of what comes next.
TAIL = 60


class Speech:
    """The end of what was said, and a sign that may still become a tag."""

    def __init__(self) -> None:
        self._tail, self._held = "", ""

    def take(self, words: str) -> str:
        """What of it can be shown by now: all of it, but for a sign at its end."""
        text = make_visible(self._held + words)
        signs = LAST_SIGNS.search(text)
        self._held = signs.group() if signs else ""
        return self._show(text[: signs.start()] if signs else text)

    def rest(self) -> str:
        """What was held back to the end."""
        text, self._held = self._held, ""
        return self._show(text)

    def _show(self, text: str) -> str:
        """Looked at together with what stands before it; only what is new is changed."""
        before, whole = len(self._tail), self._tail + TAG.sub("", text)
        spaced = [match.end() for pattern in (LINK, SCRIPT) for match in pattern.finditer(whole)]
        for place in sorted((each for each in spaced if each >= before), reverse=True):
            whole = f"{whole[:place]} {whole[place:]}"
        self._tail = whole[-TAIL:]
        return whole[before:]
