"""An answer made harmless as it comes, however it is cut into pieces."""

import random
import re

import pytest

from analysis.chat.speech import Speech
from analysis.tests.hostile import TEXTS as HOSTILE

TEXTS = [text[:1_000] for text in HOSTILE]
RUNS_SOMETHING = re.compile(r"[<\uff1c\ufe64][a-zA-Z/!?]|(?:java|vb|live)script[\t\n]*:|\]\(", re.IGNORECASE)


def said(pieces):
    speech = Speech()
    return "".join([*(speech.take(piece) for piece in pieces), speech.rest()])


def cut(text, luck):
    pieces = []
    while text:
        size = luck.randint(1, 9)
        pieces.append(text[:size])
        text = text[size:]
    return pieces


def test_words_go_straight_through():
    speech = Speech()
    for piece in ("Three ", "readers ", "ask (why?) ", "for [k3]. ", "\n", "3 > 2 ", "R&D: ", "Café 🍞 "):
        assert speech.take(piece) == piece


@pytest.mark.parametrize(
    ("pieces", "shown"),
    [
        (["They ask [k", "3]", ". And [c1]"], "They ask [k3]. And [c1]"),
        (["a <", "b>bold</", "b> word"], "a b>bold/b> word"),
        (["3 <", " 5 and 5 ", "> 3 <"], "3 < 5 and 5 > 3 <"),
        (["see [the ", "page]", "(https://", "example.com) now"], "see [the page] (https://example.com) now"),
        (["java", "script", ":alert(1)"], "javascript :alert(1)"),
        (["right\u202eleft", "\u200b"], "rightleft"),
        (["<\0", "script>"], "script>"),
    ],
)
def test_what_is_shown(pieces, shown):
    assert said(pieces) == shown


@pytest.mark.parametrize("seed", range(5))
def test_no_hostile_text_does_anything_however_it_is_cut(seed):
    luck = random.Random(seed)
    for text in TEXTS:
        assert not RUNS_SOMETHING.search(said(cut(text, luck))), text
