"""Which row of an answer is about which address, and what it says of it.

Rows come in any order and number: some twice, some not at all, some that nobody asked for. Only the echoed input tells.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import structlog

from social.facts import AuthorAddress, Found, Lost, LostState, Outcome, PostAddress, ScrapedPost
from social.scrapers.reading import entry, text

Row = Mapping[str, Any]

IDENTITIES = ("post_id", "comment_id", "video_id", "id", "shortcode", "url")
ALARMING = 5  # rows that all fail for the vendor's own reasons
NOTE_LENGTH = 300

log = structlog.get_logger(__name__)


class Meaning(NamedTuple):
    """What a code of a failed row comes to."""

    state: LostState
    code: str = ""
    retryable: bool = False


# They say dead_page of what is deleted, private or misspelt alike.
MEANINGS = {
    "dead_page": Meaning("not_found"),
    "bad_input": Meaning("failed", "vendor_refused"),
    "parse_error": Meaning("failed", "vendor_answer_invalid", True),
    "timeout": Meaning("failed", "vendor_timeout", True),
}
TROUBLE = Meaning("failed", "vendor_unavailable", True)  # no_peers, crawl_error, blocked, and what is yet to come
UNREADABLE = Meaning("failed", "vendor_answer_invalid", True)


class Reader(NamedTuple):
    """How the rows of a dataset are read: which post one is of, where it says so, and what it tells."""

    post_id: Callable[[Row], str]
    post: Callable[[Row, PostAddress], ScrapedPost]


def is_failed(row: Row) -> bool:
    return bool(row.get("error") or row.get("error_code") or row.get("warning_code"))


def is_good(row: Row) -> bool:
    return not is_failed(row) and any(text(row.get(name)) for name in IDENTITIES)


def lost(row: Row, address: PostAddress | AuthorAddress) -> Lost:
    """What a row that is no post says of its address."""
    code = text(row.get("error_code") or row.get("warning_code"), limit=60).lower()
    said = text(row.get("error") or row.get("warning"), limit=NOTE_LENGTH)
    meaning = _meaning(code) if is_failed(row) else UNREADABLE
    return Lost(
        state=meaning.state,
        address=address,
        code=meaning.code,
        retryable=meaning.retryable,
        note=": ".join(filter(None, [code, said])),
    )


def missing(address: PostAddress) -> Lost:
    return Lost(state="failed", address=address, code=UNREADABLE.code, retryable=True, note="no row")


def by_address(rows: Iterable[Row], addresses: Sequence[PostAddress]) -> Iterable[tuple[PostAddress, Row]]:
    """Each row that is about one of the addresses."""
    asked = {address.post_id: address for address in addresses}
    for row in rows:
        echoed = text(entry(row.get("input")).get("url") or row.get("url"), limit=500)
        named = [part for part in re.split(r"[/?=&#]", echoed) if part in asked]
        if named:
            yield asked[named[-1]], row


def outcomes(rows: Iterable[Row], addresses: Sequence[PostAddress], reader: Reader) -> list[Outcome]:
    """One for each address: the first good row of it, else what a bad one says, else that there was none."""
    found: dict[str, Outcome] = {}
    failed: dict[str, Outcome] = {}
    for address, row in by_address(rows, addresses):
        if not is_good(row):
            failed.setdefault(address.post_id, lost(row, address))
        elif reader.post_id(row) in {"", address.post_id}:  # an answer to one question with another's post is none
            found.setdefault(address.post_id, Found(address=address, post=reader.post(row, address)))
    ended = [found.get(each.post_id) or failed.get(each.post_id) or missing(each) for each in addresses]
    _raise_alarm(ended)
    return ended


def _meaning(code: str) -> Meaning:
    if "private" in code:
        return Meaning("private")
    return MEANINGS["timeout"] if "timeout" in code else MEANINGS.get(code, TROUBLE)


def _raise_alarm(ended: list[Outcome]) -> None:
    """Once they answered every question with an error row for two weeks, while jobs seemed to go well."""
    notes = [each.note for each in ended if isinstance(each, Lost) and each.retryable]
    if len(notes) == len(ended) >= ALARMING:
        log.warning("brightdata_all_rows_failed", rows=len(notes), codes=sorted({note.split(":")[0] for note in notes}))
