"""A figure as the desk's own pages show it."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Card:
    """One figure."""

    title: str
    value: str
    note: str = ""
    link: str = ""
    bad: bool = False
