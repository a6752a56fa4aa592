"""What the platform itself says about a post, read from its `details`, whatever shape they came in."""

from collections.abc import Mapping
from typing import Any

from analysis.comparing.baseline import count_of
from analysis.plain import make_plain

MOST_PEOPLE = 10


def paid_partnership(details: Mapping[str, Any]) -> bool | None:
    """None where the platform did not say."""
    if people(details, "partner"):
        return True
    said = details.get("paid_partnership")
    return said if isinstance(said, bool) else None


def is_pinned(details: Mapping[str, Any]) -> bool:
    return details.get("pinned") is True


def people(details: Mapping[str, Any], name: str) -> dict[str, int | None]:
    """Handles named there, and how many follow each, where that was told."""
    told = details.get(name)
    each = told if isinstance(told, list | tuple) else [told]
    found = dict(filter(None, map(_person, each)))
    return dict(list(found.items())[:MOST_PEOPLE])


def hashtags(details: Mapping[str, Any]) -> list[str]:
    told = details.get("hashtags")
    found = [str(tag).strip().lstrip("#") for tag in told if isinstance(tag, str)] if isinstance(told, list) else []
    return list(dict.fromkeys(filter(None, found)))


def _person(told: Any) -> tuple[str, int | None] | None:
    if isinstance(told, Mapping):
        handle, followers = told.get("handle") or told.get("author"), count_of(told.get("followers"))
    else:
        handle, followers = told, None
    name = "".join(make_plain(handle[:100]).split()).lstrip("@") if isinstance(handle, str) else ""
    return (name, followers) if name else None
