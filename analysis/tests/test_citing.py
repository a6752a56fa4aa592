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


@pytest.mark.parametrize("text", ["!" * 20_000, "a." * 10_000, "!" * 20_000 + " x", ".a!?" * 5_000, "[c1]." * 4_000])
def test_no_answer_takes_long_to_take_apart(text):
    began = time.perf_counter()
    citations_of(text, made())
    assert time.perf_counter() - began < 2
