"""What readers ask for, counted."""

import pytest

from analysis.demand import count_tags, demand_of
from analysis.dossier import Comment, Demand, Evidence

KINDS = {"question", "part_two", "how_to", "where_to_get", "tag_friend"}


def demands(*texts, **evidence):
    shown = [Evidence(id=id_, kind="comment", text=text) for id_, text in evidence.items()]
    return {each.kind: each for each in demand_of(shown, [Comment(text=text) for text in texts])}


@pytest.mark.parametrize(
    ("text", "kinds"),
    [
        ("Part 2 please", {"part_two"}),
        ("parte 2?", {"question", "part_two"}),
        ("PARTE DOIS!!", {"part_two"}),
        ("more tomatoes please", {"part_two"}),
        ("Quero mais vídeos assim", {"part_two"}),
        ("Do potatoes next", {"part_two"}),
        ("How do you keep it sharp", {"question", "how_to"}),
        ("Como faz isso", {"question", "how_to"}),
        ("como você controla?", {"question", "how_to"}),
        ("Me ensina!", {"how_to"}),
        ("step by step pls", {"how_to"}),
        ("Link?", {"question", "where_to_get"}),
        ("manda o link", {"where_to_get"}),
        ("where did you buy that shirt", {"question", "where_to_get"}),
        ("Onde compra?", {"question", "where_to_get"}),
        ("Onde você comprou", {"question", "where_to_get"}),
        ("what knife is that?", {"question", "where_to_get"}),
        ("Quanto custa?", {"question", "where_to_get"}),
        ("Qual hostel?", {"question"}),
        ("@ana olha isso", {"tag_friend"}),
        ("@pedro @ana", {"tag_friend"}),
        ("?", set()),
        ("I love this part of it", set()),
        ("no more tears haha", set()),
        ("Como é lindo", set()),
        ("How cute", set()),
        ("What a great video", set()),
        ("When you see it", set()),
        ("What is the music", {"question"}),
        ("Qual é a receita", {"question"}),
        ("see https://example.org/?page=2", set()),
        ("write to me@example.org", set()),
        ("@ana this is exactly what we talked about last week at work", set()),
        ("", set()),
    ],
)
def test_each_kind_is_told_from_the_others_in_both_languages(text, kinds):
    assert set(demands(text)) == kinds


def test_each_kind_is_counted_over_all_comments_and_shown_by_some():
    found = demands(
        "Part 2 please", "part two!", "parte 2", "parte 3 por favor", "nice",
        k1="nice", k2="part two!", k3="parte 2", k4="Part 2 please", k5="parte 3 por favor",
    )  # fmt: skip
    assert found["part_two"] == Demand(kind="part_two", count=4, examples=("k2", "k3", "k4"))


def test_the_same_text_counts_once():
    assert demands("Link?", "link?", "LINK?  ", "líñk?")["where_to_get"].count == 1


def test_what_the_author_asks_does_not_count():
    assert demand_of([], [Comment(text="Which one do you like?", by_post_author=True)]) == ()


def test_captions_are_no_examples():
    caption = Evidence(id="c1", kind="caption", text="Part 2 soon")
    assert demand_of([caption], [Comment(text="part 2!")])[0].examples == ()


def test_nothing_asked_is_nothing_told():
    assert demands("nice", "lovely", "top") == {}


def test_the_name_that_all_replies_begin_with_is_no_friend():
    replies = [f"@maker {word}" for word in ("yes", "no", "maybe", "never", "so true")]
    assert "tag_friend" not in demands(*replies)
    assert demands(*replies, "@maker @ana")["tag_friend"].count == 1
    assert count_tags([Comment(text=text) for text in replies]) == (0, 5)


def test_long_comments_do_not_take_long():
    nasty = ["?" * 10_000, "how " * 2_500, "@" * 10_000, "where the " * 1_000, "more a b " * 1_100, "a" * 10_000]
    assert set(demands(*nasty)) <= KINDS
