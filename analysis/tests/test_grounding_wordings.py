"""Claims held against evidence, in the many wordings that people and models have for the same thing."""

import time

import pytest

from analysis.checking.faults import find_fault
from analysis.tests.claiming import is_supported, with_label
from analysis.tests.dossiers import made

UNDER = made(metrics={"views": 2_100, "likes": 40, "comments": 3})

# Numbers


@pytest.mark.parametrize(
    "text",
    [
        "It has five million views.",
        "It has half a million views.",
        "A nine-million-view clip.",
        "It got twenty-five thousand likes.",
        "Over a hundred thousand views.",
        "9.000.000 views.",
        "9 000 000 views.",
        "9,000,000+ views",
        "9M+ views",
        "9e6 views",
        "9,000,000 people watched it.",
        "It was watched 9,000,000 times.",
        "9,000,000 viewed it.",
        "300,000 liked it.",
        "Liked by 300,000.",
        "It was viewed by over 9,000,000 people and then shared.",
        "It reached a total of 9 million people.",
        "It drew 9,000,000.",
        "84-fold its median.",
        "Its view count exceeded 9,000,000.",
        "Its views came to 9,000,000",
        "Views climbed to 9,000,000, likes topped 300,000.",
        "It has 9,000,000 organic and paid views.",
    ],
)
def test_a_false_number_is_found_however_it_is_said(text):
    assert not is_supported(text, ["c1", "k1", "m1"], UNDER)


@pytest.mark.parametrize(
    "text",
    [
        "It was watched 176,400 times.",
        "176 400 views.",
        "176,400+ views",
        "170K+ views",
        "15,960 people liked it.",
        "15,960 of its viewers liked it.",
        "It reached 176,400 people.",
        "It reached over a hundred and seventy thousand people.",
        "Its views came to 176,400 and its likes exceeded 15,000.",
        "8.4-fold its median.",
        "In the first 3 seconds viewers saw the trick, and 2 people liked that.",
        "Make a 1,500-word post, or one with 10,000 steps, by 2030.",
        "It hit 2026 with a bang.",
        "A thousand small things, a million reasons, one of a kind.",
        "Film it in 4K, at 1080p, with a $2,000 budget.",
        "Post at 18:10 500 metres away.",
    ],
)
def test_a_true_number_or_one_that_claims_nothing_measured_is_not_marked(text):
    assert is_supported(text, ["m1", "m2", "p1"])


def test_a_large_number_that_stands_in_what_is_cited_is_fine():
    dossier = made(text="I watched 4,000 people fail. Five million books were sold")
    assert is_supported("The caption tells that the author watched 4,000 people fail.", ["c1"], dossier)
    assert is_supported("The caption names 5 million books.", ["c1"], dossier)


# Quotations


@pytest.mark.parametrize(
    "quotation",
    [
        "'I would pay 500 dollars for this'",
        "'I don't know what I'd do without it'",
        "\u2018I would pay for this\u2019",
        "\u2018I don\u2019t know how\u2019",
        "\u201aI would pay for this\u2018",
        "`the best recipe ever`",
        "\u300cthe best recipe ever\u300d",
        "\u2039the best recipe ever\u203a",
        '"garlic \u2026 peeling \u2026 stop"',
    ],
)
def test_a_made_up_quotation_is_found_in_any_marks(quotation):
    assert not is_supported(f"The caption has {quotation} in it.", ["c1", "k1"])


@pytest.mark.parametrize(
    "text",
    [
        "Don't miss that the creator's 'Stop peeling garlic' isn't a question.",
        "It opens with 'Stop peeling garlic.', the readers' favourite.",
        "The viewers' wish and the author's: 'Part 2 please'",
        "It opens with \u2018Stop peeling garlic\u2019, the readers\u2019 favourite.",
        "It's the '90s look that readers' comments don't mention.",
        "Rock 'n' roll, 'cause the cooks' hands don't stop.",
        "\u2019Tis the season, and the cooks\u2019 hands don\u2019t stop.",
        "Each `hook` and 'go-to' line.",
    ],
)
def test_an_apostrophe_begins_no_quotation_and_a_true_one_is_fine_in_any_marks(text):
    assert is_supported(text, ["c1", "k1"])


def test_two_words_are_a_quotation_where_somebody_says_them():
    assert not is_supported('Readers call it "pure genius".', ["k1", "k3"])
    assert not is_supported('The caption says: "free garlic".', ["c1"])
    assert is_supported('The caption says: "peeling garlic".', ["c1"])
    assert is_supported('The "garlic trick" is shown, and could be called a "life hack" title.', ["c1"])


def test_what_different_people_wrote_is_not_put_together():
    assert not is_supported('Readers write "part 2 \u2026 store it \u2026 genius".', ["k1", "k2", "k3"])
    assert is_supported('It says "peeling garlic. Save \u2026 tonight".', ["c1", "c2"])


# The verdict


@pytest.mark.parametrize(
    "text",
    [
        "It not only went viral, it broke records.",
        "No wonder it went viral.",
        "It didn't just go viral.",
        "Without doubt it went viral.",
        "This post is a hit.",
        "It was a runaway success.",
        "It became a sensation.",
    ],
)
def test_what_only_looks_like_a_denial_is_none(text):
    assert not is_supported(text, ["c1"], with_label("under"))
    assert is_supported(text, ["c1"], with_label("over"))


def test_a_failure_that_only_looks_denied_is_claimed():
    assert not is_supported("Not only did it flop, it was ignored.", ["c1"], with_label("over"))


@pytest.mark.parametrize(
    "text",
    [
        "It was not a hit.",
        "It isn't a real success yet.",
        "It took a hit when the hit song ended.",
        "To become a real success it takes a question.",
        "No doubt it would be a hit with a question.",
    ],
)
def test_to_deny_or_to_wish_for_success_claims_none(text):
    assert is_supported(text, ["c1"], with_label("under"))


@pytest.mark.parametrize(
    "text", ["'" * 9_999, "'a" * 9_999, " 'a" * 9_999, "a 'a'a" * 5_000, "one " * 9_999, "1 000" * 5_000]
)
def test_no_wording_takes_long(text):
    dossier = made()
    began = time.process_time()
    find_fault(text, dossier.evidence[:1], dossier)
    assert time.process_time() - began < 2
