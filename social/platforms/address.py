"""What a pasted text is, as an address: read strictly, by one expression, and by nobody's guess."""

import re
from typing import NamedTuple

from social.errors import AddressInvalid

LONGEST = 2000
# A scheme or none, a host, perhaps https' own port, and the rest. No user info, no other port: whatever two readers
# could understand in two ways is refused, and so is the backslash and all that is not printable ASCII.
ADDRESS = re.compile(
    r"(?:(?P<scheme>https?)://)?(?P<host>[a-z0-9-]+(?:\.[a-z0-9-]+)+)(?P<port>:[0-9]*)?"
    r"(?P<path>/[^?#]*)?(?:\?(?P<query>[^#]*))?(?:#.*)?",
    re.ASCII | re.IGNORECASE,
)
CLEAN = re.compile(r"[!-\[\]-~]+", re.ASCII)
HOW = "Paste the address of one post, as https://www.instagram.com/p/..., https://x.com/.../status/... or https://youtu.be/..."


class Address(NamedTuple):
    """The parts of an address that are read further."""

    host: str
    path: str
    query: str


def read(text: object) -> Address:
    if not isinstance(text, str) or not text or text.isspace():
        raise AddressInvalid(f"There is no address here. {HOW}", code="not_an_address")
    if len(text) > LONGEST:
        raise AddressInvalid(f"An address has at most {LONGEST:,} characters. {HOW}", code="too_long")
    text = text.strip(" \t\r\n")
    if not CLEAN.fullmatch(text):
        raise AddressInvalid(
            "The address has a character that no post's address has: copy it anew from your browser.",
            code="odd_characters",
        )
    found = ADDRESS.fullmatch(text)
    if found is None:
        raise AddressInvalid(f"This is not the address of a page on the web. {HOW}", code="not_an_address")
    if found["port"] and (found["port"], (found["scheme"] or "").lower()) != (":443", "https"):
        raise AddressInvalid("The address names a port, which no post's does: leave it out.", code="port")
    return Address(found["host"].lower(), found["path"] or "/", found["query"] or "")


def segments(path: str) -> list[str]:
    """The parts of a path; one slash at its end changes nothing."""
    return path[1:].removesuffix("/").split("/")


def first(query: str, name: str) -> str | None:
    """The first value of that name as it is written: an id needs no decoding."""
    for part in query.split("&"):
        key, _, value = part.partition("=")
        if key == name:
            return value
    return None
