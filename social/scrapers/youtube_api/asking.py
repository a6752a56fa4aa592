"""What is asked of YouTube's Data API, and what its refusals mean: https://developers.google.com/youtube/v3/docs"""

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any

from django.conf import settings

from core.errors import VendorAnswerInvalid, VendorBusy, VendorProblem, VendorRefused, VendorTimeout, VendorUnavailable
from core.http import Answer
from core.vendors import Vendor
from social.platforms.youtube import ID as VIDEO_ID
from social.scrapers.reading import entry, items, text
from social.scrapers.youtube_api import quota

Row = Mapping[str, Any]

PAGE = 50
COMMENTS_PAGE = 100
MOST_PAGES = 10
REQUEST_SECONDS = 15.0
UNITS_A_CALL = 1  # of any list but a search: https://developers.google.com/youtube/v3/determine_quota_cost
QUOTA_USED_UP = {"quotaExceeded", "dailyLimitExceeded"}
TOO_FAST = {"rateLimitExceeded", "userRateLimitExceeded"}
THEIR_TROUBLE = {"processingFailure", "backendError", "internalError"}

vendor = Vendor("youtube_api")


class Refused(VendorRefused):
    """YouTube's API refused, and said for which reason."""

    @property
    def reason(self) -> str:
        return str(self.details["reason"])


class Client:
    """One call of the scraper: all that is asked through it takes no longer than `seconds` together."""

    def __init__(self, *, seconds: float) -> None:
        self._until = time.monotonic() + seconds

    def videos(self, ids: Sequence[str]) -> list[Row]:
        body = self._ask("videos", {"part": "snippet,statistics,contentDetails", "id": ",".join(dict.fromkeys(ids))})
        if not isinstance(body.get("items"), list):
            raise VendorAnswerInvalid(details={"problem": "no_list"})
        # A row that is no object is kept as one that says nothing, so that it is known there was one.
        return [entry(row) for row in body["items"]]

    def channels(self, ids: Sequence[str]) -> list[Row]:
        found = self._ask("channels", {"part": "snippet,statistics", "id": ",".join(ids), "maxResults": str(PAGE)})
        return items(found.get("items"))

    def channel_of(self, handle: str) -> str:
        """The id of the channel with this handle; empty where there is none."""
        if not handle:
            return ""
        found = items(self._ask("channels", {"part": "id", "forHandle": f"@{handle}"}).get("items"))
        return text(found[0].get("id"), limit=100) if found else ""

    def uploads(self, channel_id: str, *, limit: int) -> list[str]:
        """The ids of a channel's videos, the newest first, from the playlist that each channel has of them."""
        params = {"part": "contentDetails", "playlistId": f"UU{channel_id[2:]}"}
        rows = self._pages("playlistItems", params, size=min(limit, PAGE), limit=limit)
        ids = (text(entry(row.get("contentDetails")).get("videoId"), limit=100) for row in rows)
        return list(dict.fromkeys(filter(VIDEO_ID.fullmatch, ids)))[:limit]

    def threads(self, video_id: str, *, limit: int) -> list[Row]:
        """Comments without the replies to them, the most relevant first."""
        params = {"part": "snippet", "videoId": video_id, "order": "relevance", "textFormat": "plainText"}
        return list(self._pages("commentThreads", params, size=min(limit, COMMENTS_PAGE), limit=limit))

    def _pages(self, operation: str, params: Mapping[str, str], *, size: int, limit: int) -> Iterator[Row]:
        token, tokens, given = "", {""}, 0
        while len(tokens) <= MOST_PAGES:
            paging = {"maxResults": str(size)} | ({"pageToken": token} if token else {})
            try:
                body = self._ask(operation, {**params, **paging})
            except VendorProblem:
                if not given:
                    raise
                return  # What came before is paid for, and of use without the rest.
            rows, token = items(body.get("items")), text(body.get("nextPageToken"), limit=2000)
            yield from rows
            given += len(rows)
            if not rows or given >= limit or token in tokens:
                return
            tokens.add(token)

    def _ask(self, operation: str, params: Mapping[str, str]) -> Row:
        left = self._until - time.monotonic()
        if left <= 0:
            raise VendorTimeout
        # The quota is all it costs: of money nothing, so no units are told.
        quota.spend(UNITS_A_CALL)
        answer = vendor.request(
            operation=operation,
            url=f"{settings.YOUTUBE_API_URL}/{operation}",
            params={**params, "key": settings.YOUTUBE_API_KEY},
            timeout=min(left, REQUEST_SECONDS),
        )
        if answer.status != 200:
            raise _refusal(answer.status, _reason(answer))
        return entry(answer.json())


def _reason(answer: Answer) -> str:
    with suppress(VendorAnswerInvalid):
        error = entry(entry(answer.json()).get("error"))
        first = next(iter(items(error.get("errors"))), {})
        return text(first.get("reason"), limit=100) or text(error.get("status"), limit=100)
    return ""


def _refusal(status: int, reason: str) -> VendorProblem:
    if reason in QUOTA_USED_UP:
        return quota.note_used_up()
    if reason in TOO_FAST:
        return VendorBusy(details={"status": status, "reason": reason})
    if reason in THEIR_TROUBLE:
        return VendorUnavailable(details={"status": status, "reason": reason})
    return Refused(details={"status": status, "reason": reason})
