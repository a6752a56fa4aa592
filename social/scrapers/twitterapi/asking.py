"""What is asked of TwitterAPI.io, and what its answers mean: https://docs.twitterapi.io"""

import re
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any

from django.conf import settings

from core import redaction
from core.errors import VendorAnswerInvalid, VendorBusy, VendorProblem, VendorRefused, VendorTimeout
from core.http import Answer
from core.vendors import Vendor
from social.facts import AuthorAddress, LostState
from social.scrapers.reading import entry, flag, items, text
from social.scrapers.twitterapi.tweets import id_of

Row = Mapping[str, Any]

REQUEST_SECONDS = 20.0
MOST_PAGES = 8
CREDITS_A_TWEET = LEAST_CREDITS = 15
# What costs nothing: it was refused at the door. Of other refusals it is not known, so they count.
FREE = {401, 402, 403, 429}
# Somebody has to act first; until then every call would be in vain.
RESTS = {401: (60, "key refused"), 402: (300, "out of credit")}
MEANINGS: list[tuple[re.Pattern[str], LostState]] = [
    (re.compile(r"protected|private", re.IGNORECASE), "private"),
    (re.compile(r"not found|not exist|suspended|deactivated|deleted", re.IGNORECASE), "not_found"),
]
NO_CREDIT = re.compile(r"credits? (is|are) not enough|recharge", re.IGNORECASE)
TOO_OFTEN = re.compile(r"too many requests|rate limit", re.IGNORECASE)

vendor = Vendor("twitterapi")


class Absent(VendorRefused):
    """What was asked for is gone, or is not shown to everybody."""

    @property
    def state(self) -> LostState:
        state: LostState = self.details["state"]
        return state

    @property
    def said(self) -> str:
        return str(self.details["said"])


class Client:
    """One call of the scraper: all that is asked through it takes no longer than `seconds` together."""

    def __init__(self, *, seconds: float) -> None:
        self._until = time.monotonic() + seconds

    def tweets(self, ids: Sequence[str]) -> list[Row]:
        return _rows(self._ask("tweets", "/twitter/tweets", {"tweet_ids": ",".join(dict.fromkeys(ids))}))

    def latest(self, author: AuthorAddress, *, limit: int) -> Iterator[Row]:
        """An author's tweets, page by page, until there are enough."""
        # The number stays with somebody who changes the name.
        whose = {"userId": author.author_id} if author.author_id.isdecimal() else {"userName": author.handle}
        pages = self._pages("last_tweets", "/twitter/user/last_tweets", whose | {"includeReplies": "false"})
        return _enough((row for row in pages if not _is_retweet(row)), limit)

    def replies(self, post_id: str, *, ranked: bool, limit: int) -> Iterator[Row]:
        """The replies to a tweet and to those: as X ranks them, or the newest first."""
        if ranked:
            how = {"tweetId": post_id, "queryType": "Relevance"}
            return _enough(self._pages("replies.v2", "/twitter/tweet/replies/v2", how), limit)
        return _enough(self._pages("replies", "/twitter/tweet/replies", {"tweetId": post_id}), limit)

    def _pages(self, operation: str, path: str, params: Mapping[str, str]) -> Iterator[Row]:
        """Each row once. Another page may be promised and be empty, repeat its cursor, or repeat its rows."""
        cursor, cursors, seen = "", {""}, set[str]()
        while len(cursors) <= MOST_PAGES:
            try:
                body = self._ask(operation, path, {**params, "cursor": cursor})
                rows = _rows(body)
            except VendorProblem:
                if not seen:
                    raise
                return  # What came before is paid for, and of use without the rest.
            cursor = text(body.get("next_cursor"), limit=2000) if flag(body.get("has_next_page")) else ""
            fresh = list(_fresh(rows, seen))
            yield from fresh
            if not fresh or cursor in cursors:
                return
            cursors.add(cursor)

    def _ask(self, operation: str, path: str, params: Mapping[str, str]) -> Row:
        left = self._until - time.monotonic()
        if left <= 0:
            raise VendorTimeout
        answer = vendor.request(
            operation=operation,
            url=f"{settings.TWITTERAPI_URL}{path}",
            params=params,
            headers={"x-api-key": settings.TWITTERAPI_KEY},
            timeout=min(left, REQUEST_SECONDS),
            units=credits_of,
        )
        body = entry(answer.json()) if answer.status == 200 else _read(answer)
        if answer.status != 200 or text(body.get("status")).lower() == "error":
            raise _refusal(answer.status, _message(body))
        return body


def _enough(rows: Iterator[Row], limit: int) -> Iterator[Row]:
    for number, row in enumerate(rows, start=1):
        yield row
        if number >= limit:
            return


def _is_retweet(row: Row) -> bool:
    return bool(entry(row.get("retweeted_tweet"))) or text(row.get("text"), limit=4) == "RT @"


def _fresh(rows: list[Row], seen: set[str]) -> Iterator[Row]:
    for row in rows:
        if (each := id_of(row)) and each not in seen:
            seen.add(each)
            yield row


def _refusal(status: int, said: str) -> VendorProblem:
    if rest := RESTS.get(402 if status == 200 and NO_CREDIT.search(said) else status):
        seconds, problem = rest
        vendor.open(seconds, problem)
        return VendorRefused(details={"status": status, "problem": problem})
    if status == 200 and TOO_OFTEN.search(said):
        return VendorBusy(details={"status": status})
    # In a real 404 "not found" is said of the path.
    for words, state in MEANINGS if status == 200 else []:
        if words.search(said):
            return Absent(details={"state": state, "said": said})
    return VendorRefused(details={"status": status, "said": said})


def _message(body: Row) -> str:
    said = (text(body.get(name), limit=200) for name in ("detail", "msg", "message", "error"))
    return redaction.without([settings.TWITTERAPI_KEY], next(filter(None, said), ""))


def _read(answer: Answer) -> Row:
    with suppress(VendorAnswerInvalid):
        return entry(answer.json())
    return {}


def _rows(body: Row) -> list[Row]:
    found = [each for each in _lists(body) if isinstance(each, list)]
    if not found:
        raise VendorAnswerInvalid(details={"problem": "no_list"})
    # A row that is no object is kept as one that says nothing, so that it is known there was one.
    return [entry(row) for row in next(filter(None, found), [])]


def _lists(body: Row) -> list[Any]:
    """Where the list of an answer may be: at its root or under `data`, called `tweets` or `replies`."""
    return [place.get(name) for place in (body, entry(body.get("data"))) for name in ("tweets", "replies")]


def credits_of(answer: Answer) -> Mapping[str, int]:
    """15 credits for a tweet, and at least as many for a request that finds none: https://twitterapi.io/pricing"""
    if answer.status in FREE:
        return {}
    tweets = max(len(items(each)) for each in _lists(_read(answer)))
    return {"credits": max(LEAST_CREDITS, CREDITS_A_TWEET * tweets)}
