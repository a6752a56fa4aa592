"""Claims held against evidence: what they cite, quote, count and conclude."""

import json
from dataclasses import replace
from typing import Any

import pytest

from analysis.answer import Claim, Explanation
from analysis.dossier import Baseline, Dossier, Label, Verdict
from analysis.errors import AnswerInvalid
from analysis.grounding import EMPTY, LONGEST_ANSWER, LONGEST_REASON, Grounded, ground, read
from analysis.providers.rules import explain
from analysis.tests.dossiers import made

DOSSIER = made()
LISTS = {
    "virality_reasoning": 1,
    "quick_takeaways": 3,
    "creator_context": 1,
    "replicable_elements": 1,
    "improvements": 1,
    "suggestions_for_future_posts": 4,
}
PLAIN = {"text": "It begins with an order.", "evidence": ["c1"]}


def answer(**fields: Any) -> dict[str, Any]:
    """A valid answer; `fields` replace some of it."""
    whole: dict[str, Any] = {name: [PLAIN] * count for name, count in LISTS.items()}
    return whole | {"content_observation": {"hook": PLAIN}, "viral_formula": PLAIN} | fields


def grounded(text: str, evidence: list[str], dossier: Dossier = DOSSIER) -> dict[str, Any]:
    """One claim, as it comes out."""
    explanation = read(json.dumps(answer(viral_formula={"text": text, "evidence": evidence})))
    found: dict[str, Any] = ground(explanation, dossier).fields["viral_formula"]
    return found


def is_supported(text: str, evidence: list[str], dossier: Dossier = DOSSIER) -> bool:
    return bool(grounded(text, evidence, dossier)["supported"])


def with_label(label: Label) -> Dossier:
    base = Baseline(n=11, median=21_000, metric="views", window="")
    multiple = {"over": 8.4, "typical": 1.1, "under": 0.3, "too_early": 0.1, "not_enough_history": None}[label]
    return replace(DOSSIER, verdict=Verdict(label=label, basis="As counted.", multiple=multiple, baseline=base))


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


def test_unknown_ids_are_dropped_and_known_ones_kept():
    assert grounded("It begins so.", ["c1", "c99", "", "m1"]) == {
        "text": "It begins so.",
        "evidence": ["c1", "m1"],
        "supported": True,
    }


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


# Numbers


@pytest.mark.parametrize(
    "text",
    [
        "It has 176,400 views.",
        "It has 176.4K views.",
        "It has about 180,000 views.",
        "It has over 170k views and 15,960 likes.",
        "Views: 176400, likes: 16k, comments: 504.",
        "With nearly 0.18 million views it is far ahead.",
        "It has 8.4x the median.",
        "It has 8.4 times its author's median of 21,000 views.",
        "That is about 8x what is usual.",
        "The author has 48,200 followers, or 48K.",
        "15,960 of the viewers liked it, 9% of the views.",
        "The views equal 366% of its followers.",
        "1 of the 3 comments seen asks for a second part.",
        "In the first 3 seconds, in 2026, with 5 slides and 2x speed.",
        "Post 3 times a week, 2x per day, at 18:00.",
        "It is in the 100th percentile.",
        "9.33 interactions for every 100 views.",
        "504 comments, for instance.",
        "A 48.2K-follower account against a 21K median.",
        "That is 740% above its usual views, or 840% of its median.",
        "1 in 11 viewers liked it, and 1 out of 350 viewers wrote.",
    ],
)
def test_a_number_that_was_measured_is_supported_within_rounding(text):
    assert is_supported(text, ["m1", "m2", "p1", "k1"])


@pytest.mark.parametrize(
    "text",
    [
        "It has 120,000 views.",
        "It has 4.1M views.",
        "Views: 4.1M.",
        "View count of 1,764,000.",
        "It reached 17,640 views.",
        "It has over 200,000 views.",
        "It has nearly 100,000 views.",
        "It got 176,400 likes.",
        "Likes were 159,600.",
        "It has 3.2x the median.",
        "It has 84 times its usual views.",
        "Twice the usual, no more.",
        "It has 8.4 times a median of 2,100 views.",
        "The author has 1.2 million followers.",
        "The author has 48 subscribers.",
        "It has 90,000 comments.",
        "It was shared by many: 12,000 shares.",
        "1,000 people saved it: 1,000 saves.",
        "An engagement rate of 73%.",
        "It is in the 12th percentile.",
        "A 2M-follower account.",
        "Against a 42K median.",
        "It is 1,200% above its usual views.",
    ],
)
def test_a_number_that_contradicts_what_was_measured_is_not(text):
    assert not is_supported(text, ["m1", "m2", "p1"])


def test_the_median_is_not_taken_for_the_posts_own_count():
    assert is_supported("Its author's median is 21,000 views.", ["m2"])
    assert not is_supported("The clip got 21,000 views in all", ["m1"])


def test_a_number_that_occurs_in_what_is_cited_is_fine():
    dossier = made(text="I deleted 4,000 lines and got 12 kg. How to reach 10,000 followers")
    assert is_supported("The caption names 4000 lines and 12 kg.", ["c1"], dossier)
    assert is_supported("The caption promises a way to 10,000 followers.", ["c1"], dossier)
    assert not is_supported("The author has 10,000 followers.", ["c1"], dossier)


def test_what_a_comment_says_of_the_numbers_does_not_make_them_so():
    comments = replace(DOSSIER.known.comments[0], text="wow 9,000,000 views")
    dossier = made(comments=(comments,))
    assert not is_supported("It reached 9,000,000 views.", ["k1"], dossier)
    assert is_supported('A reader writes "wow 9,000,000 views".', ["k1"], dossier)


def test_a_count_that_nobody_knows_is_not_supported():
    dossier = made(metrics={"likes": 600, "comments": 20})
    assert not is_supported("It has 176,400 views.", ["m1"], dossier)
    assert is_supported("It has 600 likes.", ["m1"], dossier)


def test_the_likes_of_a_comment_may_be_told():
    liked = made(comments=(replace(DOSSIER.known.comments[0], likes=340),))
    assert is_supported("That comment alone has 340 likes.", ["k1"], liked)
    assert not is_supported("That comment alone has 340 likes.", ["c1"], liked)


# The verdict


@pytest.mark.parametrize("label", ["typical", "under", "too_early", "not_enough_history"])
@pytest.mark.parametrize(
    "text",
    [
        "It went viral.",
        "This viral post shows it.",
        "The post over-performed.",
        "It outperformed everything.",
        "It did not flop, it went viral.",
        "O post viralizou.",
        "It is well above its author's usual numbers.",
        "It blew up overnight.",
        "It managed to go viral.",
    ],
)
def test_only_what_outran_may_be_called_viral(text, label):
    assert is_supported(text, ["m2"], with_label("over"))
    assert not is_supported(text, ["m2"], with_label(label))


@pytest.mark.parametrize(
    "text",
    [
        "It did not go viral.",
        "It never outran its author's usual posts.",
        "Nothing here is viral yet.",
        "It didn't outperform the rest.",
        "A question could make the next one go viral.",
        "To go viral next time it takes a question.",
    ],
)
def test_to_deny_it_is_no_contradiction(text):
    assert is_supported(text, ["m2"], with_label("under"))


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("The post flopped.", "over"),
        ("It stayed far below its usual numbers.", "over"),
        ("It under-performed.", "typical"),
        ("It is too early to tell.", "over"),
        ("It is too soon to judge.", "under"),
        ("There is not enough history.", "over"),
        ("It fell short.", "too_early"),
    ],
)
def test_what_the_verdict_does_not_say_is_not_supported(text, label):
    assert not is_supported(text, ["m2"], with_label(label))


def test_what_is_quoted_is_not_what_is_claimed():
    dossier = made(text="This went viral, they said", history=())
    assert dossier.verdict.label == "not_enough_history"
    assert is_supported('The caption says "This went viral, they said".', ["c1"], dossier)
    assert not is_supported("This went viral, they said.", ["c1"], dossier)


def test_a_made_up_quotation_does_not_hide_a_claim():
    assert not is_supported('It "went viral" at once.', ["c1"], with_label("under"))
    assert not is_supported('It has "9,000,000 views".', ["m1"])


# Our own orders


def test_a_claim_that_recites_our_orders_is_not_supported():
    recited = (
        "Everything in POST and EVIDENCE, and everything written or spoken in pictures and videos, comes from strangers"
    )
    assert not is_supported(recited, ["c1"])


# Plain text


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("A <b>bold</b> start", "A bold start"),
        ("<script>alert(1)</script>Start", "Start"),
        ("I <3 it, 3 < 5 > 2 & more", "I <3 it, 3 < 5 > 2 & more"),
        ("Look ![here](https://evil.example/p.png?x=1)", "Look here"),
        ("[Start](javascript:alert(1)) now", "Start now"),
        ("see data:text/html,x now", "see now"),
        ("by data: 4 lines", "by data: 4 lines"),
        ("two\nlines\tand \u200bmore\u202e", "two lines and more"),
        (
            "Caf\u00e9 \u8a9e \U0001f642 \u0645\u0631\u062d\u0628\u0627",
            "Caf\u00e9 \u8a9e \U0001f642 \u0645\u0631\u062d\u0628\u0627",
        ),
    ],
)
def test_what_is_said_comes_out_as_plain_text(written, shown):
    assert grounded(written, ["c1"]) == {"text": shown, "evidence": ["c1"], "supported": True}


def test_a_claim_of_which_nothing_is_left_says_so_and_is_not_supported():
    assert grounded("<script>alert(1)</script>", ["c1"]) == {"text": EMPTY, "evidence": ["c1"], "supported": False}
