"""How a day is given on the command line."""

from datetime import UTC, datetime


def day(text: str) -> datetime:
    return datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC)
