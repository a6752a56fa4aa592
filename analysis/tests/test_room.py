"""How text is counted for a model, and how it is shared out where there is not room for all."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.room import CUT, share, size_of, trim


@pytest.mark.parametrize(
    ("text", "tokens"), [("four", 1), ("привет да!", 4.5), ("سؤال", 2), ("面包", 1.5), ("🍞", 1), ("", 0)]
)
def test_letters_of_other_scripts_take_more_room(text, tokens):
    assert size_of(text) / 4 == tokens


@pytest.mark.parametrize(
    ("sizes", "room", "most"),
    [([3, 9, 5], 17, 9), ([3, 9, 5], 16, 8), ([1, 9, 9], 11, 5), ([9, 9], 1, 0), ([9], -5, 0), ([], 7, 0)],
)
def test_what_is_short_stays_whole_and_what_is_long_gets_equal_shares(sizes, room, most):
    assert share(sizes, room) == most


@given(st.lists(st.integers(0, 300), max_size=30), st.integers(0, 4_000))
def test_the_shares_have_room_together_and_leave_next_to_none(sizes, room):
    most = share(sizes, room)
    taken = sum(min(size, most) for size in sizes)
    assert taken <= room
    assert taken == sum(sizes) or room - taken < len(sizes)


@given(st.text(max_size=60), st.integers(len(CUT), 80))
def test_a_cut_is_never_through_a_letter_and_says_so(text, most):
    cut = trim(text, most)
    assert cut == text or (size_of(cut) <= most and text.startswith(cut.removesuffix(CUT)) and cut.endswith(CUT))
