"""How a list reads its columns: straight from PostgreSQL to JSON.

Python objects in between would only be turned back into the text that PostgreSQL sent. Reading times and ids as text,
and JSON columns as they are, takes more CPU off a list than anything else in it.
"""

from typing import Any

import orjson
from psycopg.adapt import Loader
from psycopg.types.string import TextLoader

LENGTH_WITHOUT_FRACTION = len("2026-11-01T12:00:00")


class TimeLoader(Loader):
    """`2026-11-01 12:00:00.5+00` as ISO 8601; the session's time zone is UTC, so the offset is always +00."""

    def load(self, data: Any) -> str:
        text = bytes(data[:-3]).decode().replace(" ", "T")
        # PostgreSQL drops the zeros at the end; one moment must be spelled alike wherever it is told.
        return f"{text}Z" if len(text) == LENGTH_WITHOUT_FRACTION else f"{text:0<26}Z"


class JSONLoader(Loader):
    """JSON that goes into the answer untouched."""

    def load(self, data: Any) -> orjson.Fragment:
        return orjson.Fragment(bytes(data))


STRAIGHT_TO_JSON = (("timestamptz", TimeLoader), ("date", TextLoader), ("uuid", TextLoader), ("jsonb", JSONLoader))
