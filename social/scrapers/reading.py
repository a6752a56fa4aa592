"""Readers of what a vendor says: each takes anything at all, never raises, and answers in bounds or with nothing.

A number may be a string, a string a number, a list null; a text may hold what PostgreSQL refuses to keep.
"""

import math
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

LONGEST_TEXT = 100_000
LONGEST_LINK = 4000
MOST_ITEMS = 10_000
MOST_TEXTS = 200
LARGEST_COUNT = 2**63 - 1  # what PostgreSQL's bigint holds
LONGEST_SECONDS = 7 * 86_400.0
MILLISECONDS_FROM = 100_000_000_000  # as seconds this would be the year 5138
FIRST_MOMENT, LAST_MOMENT = datetime(1990, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)
UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
NUMBER = re.compile(r"[0-9]{1,30}(\.[0-9]{1,30})?")
GROUPED = re.compile(r"[0-9]{1,3}(,[0-9]{3})+(\.[0-9]{1,30})?")
CLOCK = re.compile(r"(?:([0-9]{1,4}):)?([0-9]{1,4}):([0-9]{2}(?:\.[0-9]{1,9})?)")
ISO_LENGTH = re.compile(
    r"P(?:([0-9]{1,4})D)?(?:T(?:([0-9]{1,5})H)?(?:([0-9]{1,6})M)?(?:([0-9]{1,8}(?:\.[0-9]{1,9})?)S)?)?"
)
# Written the same in every country, so read without regard to where this process runs.
ENGLISH = re.compile(r"[A-Z][a-z]{2} ([A-Z][a-z]{2}) ([0-9]{1,2}) ([0-9:]{8}) ([+-][0-9]{4}) ([0-9]{4})")
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def text(value: object, *, limit: int = LONGEST_TEXT) -> str:
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) <= LARGEST_COUNT:
        value = str(value)
    # What is dropped is looked for in a bounded piece only.
    return UNSTORABLE.sub("", value[: 2 * limit]).strip()[:limit] if isinstance(value, str) else ""


def link(value: object) -> str:
    """An address of the web, whole or not at all."""
    address = text(value, limit=LONGEST_LINK + 1)
    return address if address.lower().startswith(("https://", "http://")) and len(address) <= LONGEST_LINK else ""


def count(value: object) -> int | None:
    """How many: also "1,234", "12.0" and 12.0. What is below zero stands for hidden."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value if 0 <= value <= LARGEST_COUNT else None
    number = _number(value)
    return int(number) if number is not None and 0 <= number < LARGEST_COUNT else None


def seconds(value: object) -> float | None:
    """How long: also "15.033", "1:02:03" and "PT1H2M3S"."""
    number = _number(value)
    if number is None:
        number = _spelled_length(text(value, limit=40))
    return number if number is not None and 0 <= number <= LONGEST_SECONDS else None


def moment(value: object) -> datetime | None:
    """When: ISO 8601, Unix time in seconds or milliseconds, or "Wed Jul 01 12:00:00 +0000 2025"."""
    try:
        found = _moment(value)
    except (ValueError, OverflowError, OSError):
        return None
    return found if found and FIRST_MOMENT <= found <= LAST_MOMENT else None


def flag(value: object) -> bool | None:
    if isinstance(value, bool):
        return value
    return {"true": True, "1": True, "false": False, "0": False}.get(text(value, limit=10).lower())


def entry(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def items(value: object) -> list[Mapping[str, Any]]:
    """The objects in a list."""
    return [each for each in value[:MOST_ITEMS] if isinstance(each, Mapping)] if isinstance(value, list) else []


def texts(value: object, *, limit: int = 200) -> list[str]:
    """The texts in a list that are not empty."""
    found = [text(each, limit=limit) for each in value[:MOST_TEXTS]] if isinstance(value, list) else []
    return [each for each in found if each]


def _number(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    if isinstance(value, str):
        written = value.strip() if len(value) <= 100 else ""
        if not (NUMBER.fullmatch(written) or GROUPED.fullmatch(written)):
            return None
        return float(written.replace(",", ""))
    return float(value) if abs(value) <= LARGEST_COUNT and math.isfinite(value) else None


def _spelled_length(written: str) -> float | None:
    if found := CLOCK.fullmatch(written):
        hours, minutes, rest = found.groups()
        return int(hours or 0) * 3600 + int(minutes) * 60 + float(rest)
    found = ISO_LENGTH.fullmatch(written)
    if not found or not any(found.groups()):
        return None
    days, hours, minutes, rest = (float(part or 0) for part in found.groups())
    return days * 86_400 + hours * 3600 + minutes * 60 + rest


def _moment(value: object) -> datetime | None:
    written = text(value, limit=60)
    number = _number(value)
    if number is not None and not re.fullmatch(r"[0-9]{8}", written):
        return datetime.fromtimestamp(number / 1000 if number >= MILLISECONDS_FROM else number, UTC)
    if found := ENGLISH.fullmatch(written):
        month, day, clock, zone, year = found.groups()
        written = f"{year}-{MONTHS.index(month) + 1:02}-{int(day):02}T{clock}{zone}"
    if not written:
        return None
    parsed = datetime.fromisoformat(written)
    return parsed.replace(tzinfo=parsed.tzinfo or UTC).astimezone(UTC)
