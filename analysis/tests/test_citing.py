"""What an answer cites, sentence by sentence."""

import time

import pytest

from analysis.chat.citing import citations_of
from analysis.tests.dossiers import made, sample


def held(text: str) -> list[bool]:
    return [each["supported"] for each in citations_of(text, sample("PWhyralDm01"))]


@pytest.mark.parametrize(
    "text",
    [
        "It has 8.19 times the author's median of 21,546 views [m2].",
        "It has 8.19 times the author's median of 21,546 views. [m2]",
        "It begins \u201cYou are cutting onions wrong.\u201d, and see example.com for more [c1]",
    ],
)
def test_a_point_inside_a_number_an_address_or_a_quotation_ends_no_sentence(text):
    assert held(text) == [True]


def test_a_false_number_with_a_point_is_found_out():
    assert held("It has 9.77 times the author's median of 21,546 views [m2].") == [False]


def test_a_sentence_is_judged_without_what_the_one_before_it_says():
    assert held("It flopped! It has 176,400 views [m1]. It has 12 views [m2].") == [True, False]


@pytest.mark.parametrize("cited", ["[m1, m2]", "[m1,m2]", "[M1; M2]", "[ m1 ] [M2]", "[m1][m2]"])
def test_ids_in_one_pair_of_brackets_or_in_capitals_are_citations_too(cited):
    text = f"It has 8.19 times the author's median of 21,546 views {cited}. And on"
    told = citations_of(text, sample("PWhyralDm01"))
    assert told == [{"evidence_id": name, "known": True, "supported": True} for name in ("m1", "m2")]


def test_one_unknown_id_among_several_is_told_of_each():
    told = citations_of("It is cut by hand [c1, k99].", sample("PWhyralDm01"))
    assert [(each["known"], each["supported"]) for each in told] == [(True, False), (False, False)]


def test_a_year_or_a_word_in_brackets_cites_nothing():
    assert citations_of("In [2026] they [laugh], [k] and [c1 to c3].", sample("PWhyralDm01")) == []


@pytest.mark.parametrize(
    "text",
    [
        "[c1," * 5_000,
        "[c1 " + " " * 20_000,
        "!" * 20_000,
        "a." * 10_000,
        "!" * 20_000 + " x",
        ".a!?" * 5_000,
        "[c1]." * 4_000,
    ],
)
def test_no_answer_takes_long_to_take_apart(text):
    began = time.perf_counter()
    citations_of(text, made())
    assert time.perf_counter() - began < 2
