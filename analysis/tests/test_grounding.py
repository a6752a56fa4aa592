"""Claims held against evidence: what they cite and quote, and what shape they come in."""

import json

import pytest

from analysis.answer import Claim, Explanation
from analysis.errors import AnswerInvalid
from analysis.grounding import LONGEST_ANSWER, LONGEST_REASON, Grounded, ground, read
from analysis.providers.rules import explain
from analysis.tests.claiming import DOSSIER, LISTS, PLAIN, answer, grounded, is_supported
from analysis.tests.dossiers import made

# What is read


def test_a_whole_answer_is_read():
    assert read(json.dumps(answer())).viral_formula == Claim(**PLAIN)


@pytest.mark.parametrize(
    "wrap",
    [
        "\ufeff{}",
        "```json\n{}\n```",
        "```\n{}\n```\n",
        "  \n{}\n\n",
        "Here is the JSON:\n{}\nI hope it helps.",
        "\ufeff```JSON\r\n{}\r\n```",
    ],
)
def test_what_stands_around_it_is_left_out(wrap):
    assert read(wrap.replace("{}", json.dumps(answer()))) == read(json.dumps(answer()))


GARBAGE = {
    "nothing": "",
    "blank": " \n\t",
    "null": "null",
    "true": "true",
    "number": "1e999",
    "nan": '{"viral_formula": NaN}',
    "list": "[]",
    "html": "<!doctype html><h1>502 Bad Gateway</h1>",
    "words": "I cannot help with that.",
    "cut": json.dumps(answer())[:-40],
    "empty object": "{}",
    "empty fence": "```json\n```",
    "two objects": "{} {}",
    "deep": '{"viral_formula":' * 20_000,
    "deep lists": "[" * 100_000,
    "huge number": '{"viral_formula": ' + "9" * 5_000 + "}",
    "half of a character": json.dumps(answer()).replace("order", "\\ud83d"),
    "raw half": json.dumps(answer()).replace("order", "\ud83d"),
    "raw nul": json.dumps(answer()).replace("order", "\x00"),
    "single quotes": str(answer()),
    "comment": "// hello\n" + json.dumps(answer())[:-1] + ", // more\n}",
    "too long": json.dumps(answer()) + " " * LONGEST_ANSWER,
}
WRONG = {
    "null list": {"quick_takeaways": None},
    "null claim": {"quick_takeaways": [None, PLAIN, PLAIN]},
    "too few": {"quick_takeaways": [PLAIN]},
    "too many": {"suggestions_for_future_posts": [PLAIN] * 5},
    "not four": {"suggestions_for_future_posts": [PLAIN] * 3},
    "a string for a claim": {"viral_formula": "hook + ask"},
    "a number for a text": {"viral_formula": {"text": 7, "evidence": ["c1"]}},
    "a string for a list": {"viral_formula": {"text": "x", "evidence": "c1"}},
    "numbers for ids": {"viral_formula": {"text": "x", "evidence": [1]}},
    "an empty text": {"viral_formula": {"text": "", "evidence": ["c1"]}},
    "a blank text": {"viral_formula": {"text": " \n ", "evidence": ["c1"]}},
    "a text without end": {"viral_formula": {"text": "x" * 1_201, "evidence": ["c1"]}},
    "ids without end": {"viral_formula": {"text": "x", "evidence": ["c1"] * 13}},
    "a list for an object": {"content_observation": []},
    "no observation": {"content_observation": None},
}


@pytest.mark.parametrize("text", GARBAGE.values(), ids=GARBAGE)
def test_what_is_no_answer_is_refused_with_a_short_reason(text):
    with pytest.raises(AnswerInvalid) as caught:
        read(text)
    assert 0 < len(caught.value.message) <= LONGEST_REASON
    assert "\n" not in caught.value.message


@pytest.mark.parametrize("fields", WRONG.values(), ids=WRONG)
def test_an_answer_of_another_shape_is_refused_with_the_name_of_the_field(fields):
    with pytest.raises(AnswerInvalid) as caught:
        read(json.dumps(answer(**fields)))
    assert next(iter(fields)) in caught.value.message


def test_the_reason_never_repeats_the_answer():
    with pytest.raises(AnswerInvalid) as caught:
        read(json.dumps(answer(viral_formula={"text": ["SECRET WORDS"], "SECRET KEY": 1})))
    assert "SECRET" not in caught.value.message


def test_fields_that_nobody_asked_for_are_left_out():
    told = answer(is_viral=True, verdict="over", viral_formula=PLAIN | {"supported": True, "html": "<b>"})
    assert set(ground(read(json.dumps(told)), DOSSIER).fields) == set(Explanation.model_fields)


# What comes out


def test_every_claim_comes_out_with_its_evidence_and_whether_it_is_supported():
    result = ground(read(json.dumps(answer())), DOSSIER)
    assert result.fields["viral_formula"] == PLAIN | {"supported": True}
    assert [len(result.fields[name]) for name in LISTS] == [*LISTS.values()]
    assert result.fields["content_observation"]["hook"] == PLAIN | {"supported": True}
    assert result.fields["content_observation"]["timing"] is None
    assert json.loads(json.dumps(result.fields)) == result.fields


def test_the_ratio_counts_every_claim():
    wrong = {"text": "Nobody knows.", "evidence": ["z9"]}
    told = answer(virality_reasoning=[PLAIN, wrong], content_observation={"hook": wrong, "timing": PLAIN})
    result = ground(read(json.dumps(told)), DOSSIER)
    assert (result.claims, result.supported, result.ratio) == (15, 13, 0.867)
    assert Grounded(fields={}, claims=0, supported=0).ratio == 0.0


def test_the_claims_of_the_rules_are_all_supported():
    assert ground(explain(DOSSIER), DOSSIER).ratio == 1.0


# Ids


def test_a_claim_with_an_unknown_id_is_not_supported_and_keeps_those_that_can_be_opened():
    told = {"text": "It begins so.", "evidence": ["c1", "m1"]}
    assert grounded("It begins so.", ["c1", "c99", "m1"]) == told | {"supported": False}
    assert grounded("It begins so.", ["c1", "", "m1"]) == told | {"supported": True}


@pytest.mark.parametrize("ids", [[], ["c99"], ["nonsense", "../c1", "c1; m1"], ["C1 c2"], ["\u0441" + "1"]])
def test_a_claim_that_cites_nothing_there_is_not_supported(ids):
    assert grounded("It begins so.", ids) == {"text": "It begins so.", "evidence": [], "supported": False}


def test_ids_in_brackets_or_capitals_or_twice_are_understood():
    assert grounded("It begins so.", ["[C1]", "c1", " c1 ", "(c1)"])["evidence"] == ["c1"]


def test_an_unknown_id_in_the_words_is_not_supported():
    assert is_supported("It begins so [c1].", ["c1"])
    assert not is_supported("It begins so [k77].", ["c1"])


# Quotations


@pytest.mark.parametrize(
    "quotation",
    [
        '"Stop peeling garlic."',
        "\u201cStop peeling garlic\u201d",
        "\u00abstop  PEELING garlic\u00bb",
        "\u201eStop peeling garlic\u201c",
        '"Stop peeling \u2026"',
        '"\u2026 peeling garlic. Save this for tonight!"',
        '"Stop ... garlic"',
    ],
)
def test_a_quotation_that_occurs_is_supported(quotation):
    assert is_supported(f"It opens with {quotation}, an order.", ["c1", "c2"])


@pytest.mark.parametrize(
    "quotation",
    [
        '"Never peel garlic again"',
        "\u201cStop peeling all garlic\u201d",
        "\u00abpare de descascar alho\u00bb",
        '"garlic peeling stop"',
        '"garlic \u2026 stop peeling it"',
    ],
)
def test_a_quotation_that_does_not_occur_is_not(quotation):
    assert not is_supported(f"It opens with {quotation}, an order.", ["c1", "c2"])


def test_a_quotation_must_occur_in_what_is_cited():
    assert is_supported('Readers ask "How do you store it?"', ["k2"])
    assert not is_supported('Readers ask "How do you store it?"', ["c1"])


def test_letters_that_look_alike_are_one_letter():
    text = "Don\u2019t \u2013 ever \u2013 use \ufb01ne \uff33alt, caf\u00e9 \u201cchef\u201d"
    dossier = made(text=text)
    assert is_supported("It says \"Don't - ever - use fine Salt, cafe\u0301 'chef'\".", ["c1"], dossier)


def test_one_or_two_quoted_words_are_names_and_not_quotations():
    assert is_supported('The "garlic trick" is shown.', ["c1"])
