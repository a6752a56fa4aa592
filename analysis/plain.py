"""Text made plain: no markup, no address that runs something, nothing invisible, whoever wrote it.

What people and models write is shown in browsers, mails and terminals of others. It stays text there.
"""

import html
import re
import unicodedata

# A tag can only begin like this (https://html.spec.whatwg.org/multipage/parsing.html#tag-open-state), so that "I <3 it"
# and "3 < 5" are left alone. Its wide twins become it when somebody normalises the text later.
OPENS = "[<\uff1c\ufe64]"
SHUTS = "[>\uff1e\ufe65]"
TAG = re.compile(rf"{OPENS}(?:[a-zA-Z/!?][^<\uff1c\ufe64>\uff1e\ufe65]*{SHUTS}|(?=[a-zA-Z/!?]))")
# Behind a sign that opens, what somebody who normalises the text later may make such a letter of.
NEARLY = re.compile(rf"{OPENS}(?=([^\x00-\x7f]))")
BEGINS = re.compile("[a-zA-Z/!?]")
RUNS = re.compile(rf"{OPENS}(script|style)\b.*?(?:{OPENS}/\1[^>\uff1e\ufe65]*{SHUTS}?|\Z)", re.IGNORECASE | re.DOTALL)
IMAGE_OR_LINK = re.compile(r"!?\[((?:\\.|[^\[\]\\])*)\]\([^()\s]*(?:\([^()]*\)[^()\s]*)*(?:\s[^()]*)?\)")
# Where a link of the other form leads to. "[k3]: they ask for more" leads nowhere.
DEFINITION = re.compile(r"^[ \t]{0,3}\[[^\]]+\]:\s*(?=\S*[:/])\S+.*$", re.MULTILINE)
# Browsers read past tabs and line breaks inside a scheme (https://url.spec.whatwg.org/#concept-basic-url-parser).
SCHEMES = "|".join(r"[\t\n]*".join(scheme) for scheme in ("javascript", "vbscript", "livescript"))
SCRIPT_ADDRESS = re.compile(rf"(?:{SCHEMES})\s*:\S*", re.IGNORECASE)
DATA_ADDRESS = re.compile(r"\bdata\s*:\s*(?:[\w.+-]+/[\w.+-]+|;|,)\S*", re.IGNORECASE)
# Letters that show nothing and belong to no class of their own.
BLANKS = dict.fromkeys([0x034F, 0x115F, 0x1160, 0x17B4, 0x17B5, 0x2800, 0x3164, 0xFFA0, *range(0xE0100, 0xE01F0)])
INVISIBLE = {"Cc", "Cf", "Cs", "Co", "Cn"}
LINE_BREAKS = re.compile("\r\n?|[\x0b\x0c\x85\u2028\u2029]")
MOST_ROUNDS = 12


def make_plain(text: str) -> str:
    """The text without markup; its line breaks stay."""
    for _ in range(MOST_ROUNDS):
        plain = _strip(text)
        if plain == text:
            break
        text = plain
    else:  # Nested deeper than anybody writes: without these signs there is nothing left to nest.
        text = re.sub("[<>&\uff1c\ufe64\\[\\]]|(?i:script)", "", text)
    # Whatever is left of a link, by a bracket that was escaped or nested: apart, the two are words in brackets.
    return text.replace("](", "] (").strip()


def make_line(text: str) -> str:
    """The same in one line."""
    return " ".join(make_plain(text).split())


def make_visible(text: str) -> str:
    """Nothing that is not seen: no control, no zero width, no turning of the direction, no half of a character."""
    # Most text is plain letters in one line, and this is asked of every line that a model is told.
    if text.isascii() and text.isprintable():
        return text
    text = LINE_BREAKS.sub("\n", text).translate(BLANKS)
    seen = (letter for letter in text if letter in "\n\t" or unicodedata.category(letter) not in INVISIBLE)
    return unicodedata.normalize("NFC", "".join(seen))


def cut(text: str, longest: int) -> str:
    """At most so many characters, ended at a word where there is one. Whoever shows it says that it was cut."""
    if len(text) <= longest:
        return text
    whole, _, _ = text[: longest + 1].rpartition(" ")
    return (whole if len(whole) > longest // 2 else text[:longest]).rstrip()


def _strip(text: str) -> str:
    text = NEARLY.sub(_open_no_tag, IMAGE_OR_LINK.sub(r"\1", make_visible(html.unescape(text))))
    for pattern in (RUNS, TAG, SCRIPT_ADDRESS, DATA_ADDRESS, DEFINITION):
        text = pattern.sub(" ", text)
    return text


def _open_no_tag(sign: re.Match[str]) -> str:
    return " " if BEGINS.match(unicodedata.normalize("NFKC", sign[1])) else sign[0]
