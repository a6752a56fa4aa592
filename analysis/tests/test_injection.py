"""Drill 30: whatever strangers write and a model answers, the result is plain text, and marked where unsupported."""

import html
import json
import re
import time
import unicodedata
from collections.abc import Iterator
from functools import cache
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from analysis.answer import Explanation
from analysis.dossier import Comment, Dossier, Frame, Spoken
from analysis.errors import AnswerInvalid
from analysis.grounding import EMPTY, Grounded, ground, read
from analysis.plain import make_line, make_plain
from analysis.prompting import chat_data, chat_orders, prompt_for
from analysis.providers.contract import Message
from analysis.providers.rules import Rules, explain
from analysis.tests.dossiers import made
from analysis.tests.hostile import CANARY, HUGE, LINKS, NAMES, ORDERS, TAGS, TEXTS
from analysis.tests.test_prompting import BUDGET, sections_of

# What makes a browser, a Markdown reader or a terminal do anything at all.
RUNS = re.compile(
    r"[<\uff1c\ufe64][a-z/!?]|\]\(|(?:java|vb|live)script\s*:|data\s*:\s*[\w.+-]+/|^\s{0,3}\[[^\]]+\]:\s*\S*[:/]",
    re.IGNORECASE | re.MULTILINE,
)
PLACES = ("caption", "title", "transcript", "comment", "profile", "picture")
by_text = pytest.mark.parametrize("text", TEXTS, ids=NAMES)


def is_harmless(text: str) -> bool:
    """Also after somebody decodes or normalises it once more."""
    seen = (text, html.unescape(text), unicodedata.normalize("NFKC", text))
    visible = all(unicodedata.category(letter) not in ("Cc", "Cf", "Cs", "Co", "Cn") for letter in text)
    return visible and not any(RUNS.search(each) for each in seen)


@cache
def carrying(text: str, place: str) -> Dossier:
    """A post in which somebody wrote or said this."""
    facts: dict[str, dict[str, Any]] = {
        "caption": {"text": text},
        "title": {"title": text},
        "transcript": {"spoken": (Spoken(start=0, end=2, text=text), Spoken(start=2, end=4, text="Shake it."))},
        "comment": {"comments": (Comment(text=text, likes=9), Comment(text="Part 2 please"))},
        "profile": {"profile": {"name": text, "bio": text, "followers": 48_200}},
        "picture": {"frames": (Frame(kind="image", file="f.jpg", media_type="image/jpeg", alt_text=text),)},
    }
    return made(**facts[place])


def everywhere(text: str) -> list[Dossier]:
    return [carrying(text, place) for place in PLACES]


def texts_of(part: Any) -> Iterator[str]:
    if isinstance(part, dict) and "supported" in part:
        yield part["text"]
    elif isinstance(part, (dict, list)):
        for each in part.values() if isinstance(part, dict) else part:
            yield from texts_of(each)


def assert_in_order(result: Grounded, dossier: Dossier) -> None:
    """It is as long and as plain as it may be, and cites only what there is."""
    assert set(result.fields) == set(Explanation.model_fields)
    told = json.loads(json.dumps(result.fields))
    Explanation.model_validate(told)
    assert all(is_harmless(text) and len(text) <= 1_200 for text in texts_of(told))
    known = {item.id for item in dossier.evidence}
    assert set(re.findall(r'"([ctkmfp]\d+)"', json.dumps(result.fields))) <= known


def test_the_corpus_is_large():
    assert len(TEXTS) * len(PLACES) > 600
    assert len(set(TEXTS)) == len(TEXTS) > 100


@by_text
def test_no_text_gets_out_of_its_line_in_the_prompt(text):
    for dossier in everywhere(text):
        for data in (prompt_for(dossier).data, chat_data(dossier, [text])):
            sections = sections_of(data)
            assert [name for name in sections if name != "RESULT"] == ["COMPUTED", "POST", "EVIDENCE"]
            ids = [re.match(r"\[(\w+)\] \(", line) for line in sections["EVIDENCE"]]
            assert sorted(found[1] for found in ids) == sorted(item.id for item in dossier.evidence)
            assert len(data) < BUDGET
            assert all(unicodedata.category(letter) not in ("Cc", "Cf", "Cs") for letter in data.replace("\n", ""))


@by_text
def test_the_rules_stay_in_their_shape_and_quote_it_as_a_quotation(text):
    for dossier in everywhere(text):
        answer = read(Rules().complete(prompt_for(dossier), [], Explanation).text)
        result = ground(answer, dossier)
        assert_in_order(result, dossier)
        assert result.ratio == 1.0
        own_words = re.sub("\u201c[^\u201d]*\u201d", "", " ".join(texts_of(result.fields)))
        assert CANARY not in own_words


@by_text
def test_the_chat_of_the_rules_quotes_it_as_a_quotation(text):
    dossier = carrying(text, "comment")
    system = Message(role="system", text=f"{chat_orders()}\n\n{chat_data(dossier)}")
    for question in ("What do the comments say?", text[:2_000]):
        *_, last = Rules().stream([system, Message(role="user", text=question)])
        lines = last.end.text.splitlines()
        assert all(is_harmless(line) for line in lines)
        assert CANARY not in re.sub("\u201c[^\u201d]*\u201d", "", last.end.text)
        assert set(re.findall(r"\[([ctkmfp]\d+)\]$", last.end.text, re.MULTILINE)) <= {i.id for i in dossier.evidence}


# A model that did as it was told by a stranger


def misled(text: str, evidence: list[str]) -> str:
    """An answer in the right shape with this in every field."""
    claim = {"text": text, "evidence": evidence}
    names = ("virality_reasoning", "quick_takeaways", "creator_context", "replicable_elements", "improvements")
    lists = {name: [claim] * 3 for name in (*names, "suggestions_for_future_posts")}
    lists["suggestions_for_future_posts"] = [claim] * 4
    return json.dumps(lists | {"viral_formula": claim, "content_observation": {"hook": claim, "timing": claim}})


@by_text
def test_whatever_a_model_says_comes_out_as_plain_text(text):
    told = make_visible_for_json(text).strip()[:1_200]
    assert_in_order(ground(read(misled(told, ["c1", "k1", "z9"])), made()), made())


def make_visible_for_json(text: str) -> str:
    """JSON has no halves of characters."""
    return text.encode("utf-8", "ignore").decode()


@pytest.mark.parametrize("text", [*TAGS, *LINKS])
def test_what_would_run_is_gone_and_the_words_around_it_stay(text):
    [shown] = {*texts_of(ground(read(misled(f"Before {text} after", ["c1"])), made()).fields)}
    assert shown.startswith("Before")
    assert is_harmless(shown)
    assert not re.search(r"on(?:load|error|toggle)=alert[^)]*>", shown)


@pytest.mark.parametrize("ids", [["k99", "c77"], ["z1", "z2"], ["system"], ["../../etc/passwd"], ["<script>"], []])
def test_evidence_that_does_not_exist_is_cited_by_nobody(ids):
    result = ground(read(misled("It opens with an order.", ids)), made())
    assert (result.claims, result.supported, result.ratio) == (22, 0, 0.0)
    assert_in_order(result, made())


LIES = [
    "It went viral with 9,000,000 views.",
    "It has 9,000,000 views.",
    "The author has 12 million followers.",
    'The caption says "you have won a prize".',
    "As shown in [k99], readers love it.",
    "It made 84x the median.",
    "A creator wants to know why one post did as it did, and what to do next.",
]


@pytest.mark.parametrize("lie", LIES)
def test_a_lie_that_cites_what_exists_is_marked(lie):
    under = made(metrics={"views": 2_100, "likes": 40, "comments": 3})
    assert under.verdict.label == "under"
    assert ground(read(misled(lie, ["c1", "k1", "m1"])), under).supported == 0


@pytest.mark.parametrize("order", ORDERS)
def test_an_answer_that_is_an_order_and_no_json_is_refused(order):
    with pytest.raises(AnswerInvalid) as caught:
        read(order)
    assert CANARY not in caught.value.message


@pytest.mark.parametrize("text", HUGE, ids=range(len(HUGE)))
def test_nothing_takes_long(text):
    begun = time.process_time()
    make_line(text)
    dossier = carrying(text, "caption")
    ground(explain(dossier), dossier)
    ground(read(misled(text[:1_200].strip() or "x", ["c1"])), dossier)
    assert time.process_time() - begun < 5


# Anything at all

PIECES = st.sampled_from(
    [*"<>&;:/!?[]()\"'` \n\t\\=", "script", "javascript", "data:", "text/html", "&lt;", "&#x3c;", "&amp;", "amp;",
     "lt;", "img", "onerror=", "a", "\u200b", "\u202e", "\x00", "\ufeff", "\uff1c", "http://e/", "!["]
)  # fmt: skip


@example("\uff1c\u00ba")
@given(st.lists(PIECES, max_size=40).map("".join) | st.text(max_size=60))
def test_plain_text_of_anything_is_harmless_and_stays_as_it_is(text):
    plain = make_plain(text)
    assert is_harmless(plain.replace("\n", " ").replace("\t", " "))
    assert not any(RUNS.search(each) for each in (plain, html.unescape(plain)))
    assert make_plain(plain) == plain
    assert is_harmless(make_line(text))


def test_plain_text_says_so_when_nothing_is_left():
    assert make_plain("<script>alert(1)</script>") == ""
    assert is_harmless(EMPTY)
