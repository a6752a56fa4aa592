"""Vendors' answers with pieces torn out of them, or replaced by anything at all."""

import copy
from collections.abc import Iterator
from typing import Any

from hypothesis import strategies as st

Path = tuple[Any, ...]

ODDITIES: list[Any] = [
    None,
    True,
    "",
    "\x00",
    "\ud800",
    "-1",
    "NaN",
    "9" * 400,
    2**63,
    2**64,
    -1,
    1e308,
    0.5,
    [],
    {},
    [[]],
    [None],
]
ANYTHING = st.one_of(
    st.sampled_from(ODDITIES),
    st.integers(),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=20),
    st.lists(st.none() | st.text(max_size=5), max_size=3),
    st.dictionaries(st.text(max_size=5), st.none() | st.integers(), max_size=3),
)
GONE = object()


@st.composite
def damaged(draw: st.DrawFn, whole: Any) -> Any:
    """A copy of `whole` with one to six of its parts gone or replaced."""
    broken = copy.deepcopy(whole)
    for _ in range(draw(st.integers(1, 6))):
        places = list(_places(broken))
        if places:
            _put(broken, draw(st.sampled_from(places)), draw(st.just(GONE) | ANYTHING))
    return broken


def _places(value: Any, path: Path = ()) -> Iterator[Path]:
    parts = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, part in parts:
        yield (*path, name)
        yield from _places(part, (*path, name))


def _put(whole: Any, path: Path, piece: Any) -> None:
    for name in path[:-1]:
        whole = whole[name]
    if piece is GONE:
        del whole[path[-1]]
    else:
        whole[path[-1]] = copy.deepcopy(piece)
