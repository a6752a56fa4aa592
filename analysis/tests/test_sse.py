"""Server-Sent Events mean the same however they are cut into pieces."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.providers.sse import Event, events

LINES = [
    ": a comment", "", "data: first", "", "event: message", "data:second", "data: of two lines", "id: 7", "",
    "data: cr\u00e8me \u2028 \U0001f950", "", "error: {}", "", "data: [DONE]",
]  # fmt: skip
MEANT = [
    Event(data="first"),
    Event(data="second\nof two lines"),
    Event(data="cr\u00e8me \u2028 \U0001f950"),
    Event(data="", error="{}"),
    Event(data="[DONE]", ended=False),
]


@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
@given(cuts=st.lists(st.integers(0, 200)))
def test_events_are_the_same_wherever_the_pieces_begin(line_end, cuts):
    whole = line_end.join(LINES).encode()
    places = sorted({0, len(whole), *(cut for cut in cuts if cut < len(whole))})
    pieces = [whole[start:end] for start, end in pairwise(places)]
    assert list(events(pieces)) == MEANT


def test_nothing_is_no_event():
    assert list(events([])) == list(events([b"", b"\n\n", b": still here\n\n", b"retry: 3\n\n"])) == []
