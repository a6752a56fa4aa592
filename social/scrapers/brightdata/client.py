"""BrightData's three calls: trigger a job, ask after it, download what it brought.

https://docs.brightdata.com/api-reference/web-scraper-api/asynchronous-requests
Nothing is tried again within a call: whoever polls comes back anyway, and a second trigger would be paid twice.
"""

import json
import re
import time
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, NamedTuple

import orjson
import structlog
from django.conf import settings

from core import errors, http
from core.vendors import Vendor
from social.errors import JobFailed
from social.scrapers.brightdata.rows import Row, is_good
from social.scrapers.reading import entry, items, seconds, text

VENDOR = Vendor("brightdata")
TRIGGER_SECONDS = 30.0
PROGRESS_SECONDS = 15.0
DOWNLOAD_SECONDS = 60.0
SMALL_BYTES = 100_000
# A hundred videos with transcripts are some 10 MB; the vendor splits downloads only by the thousand rows.
DOWNLOAD_BYTES = 50_000_000
POLL_SECONDS = 10.0
LONGEST_WAIT = 120.0
# 25 answers of 429 in five minutes and our address is banned until their support lifts it.
REST_SECONDS = 60.0
SHORTEST_REST = 30.0  # where they say themselves how long
BROKE_SECONDS = 900.0
REFUSED_SECONDS = 300.0
SNAPSHOT_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
# Ways of saying that there was nothing to be found.
EMPTY = ("no data found", "snapshot is empty")
LOST = ("snapshot is expired", "snapshot does not exist", "snapshot not found")

log = structlog.get_logger(__name__)


class Wait(NamedTuple):
    """It is not ready; ask again after so many seconds."""

    seconds: float


class Client:
    """One call of the scraper: all that is asked through it takes no longer than `seconds` together."""

    def __init__(self, *, seconds: float) -> None:
        self._until = time.monotonic() + seconds

    def trigger(self, dataset: str, inputs: list[dict[str, Any]], **query: str) -> str:
        answer = self._ask(
            "trigger",
            "trigger",
            seconds=TRIGGER_SECONDS,
            method="POST",
            json=inputs,
            params={"dataset_id": settings.BRIGHTDATA_DATASETS[dataset], "include_errors": "true", "format": "json"}
            | query
            | _notify(),
        )
        if answer.status != 200:
            raise errors.VendorRefused(details={"status": answer.status})
        snapshot_id = text(entry(answer.json()).get("snapshot_id"), limit=65)
        if not SNAPSHOT_ID.fullmatch(snapshot_id):
            raise errors.VendorAnswerInvalid(details={"problem": "no snapshot_id"})
        return snapshot_id

    def rows(self, snapshot_id: str, *, billed: bool = True) -> list[Row] | Wait:
        """What a job brought, once it is ready; `billed` the first time it is fetched, for that is when it is paid."""
        ready = self._ready(snapshot_id)
        if ready is not True:
            return [] if ready is None else Wait(POLL_SECONDS)
        answer = self._ask(
            "snapshot",
            f"snapshot/{snapshot_id}",
            seconds=DOWNLOAD_SECONDS,
            params={"format": "json"},
            max_bytes=DOWNLOAD_BYTES,
            units=_billed if billed else _nothing,
        )
        if answer.status == 202:  # what is ready may still be put together
            return Wait(_wait_said(answer))
        if answer.status == 400 and _says(answer, EMPTY):
            return []
        _check_job(answer)
        return read_rows(answer.body)

    def _ready(self, snapshot_id: str) -> bool | None:
        """Whether a job is ready; None where it has ended without finding anything."""
        answer = self._ask("progress", f"progress/{snapshot_id}", seconds=PROGRESS_SECONDS)
        _check_job(answer)
        told = answer.json()
        if not isinstance(told, Mapping):
            raise errors.VendorAnswerInvalid(details={"problem": "no status"})
        status = text(told.get("status"), limit=40).lower()
        if status.startswith(("fail", "cancel")):
            why = text(told.get("error_message") or told.get("message"), limit=200)
            if any(words in why.lower() for words in EMPTY):
                return None
            log.warning("brightdata_job_failed", status=status, said=why)
            raise JobFailed(details={"status": status})
        # Its pages name a dozen other states; all of them mean: not yet.
        return status == "ready"

    def _ask(self, operation: str, path: str, *, seconds: float, **call: Any) -> http.Answer:
        # Judged before the breaker is told how it went: it should know a 429 and a wrong key as what they are.
        with VENDOR.spared(until=self._until):
            left = min(seconds, self._until - time.monotonic())
            call = {"timeout": left, "max_bytes": SMALL_BYTES, "idempotent": False} | call
            try:
                answer = http.request(
                    vendor=VENDOR.name,
                    operation=operation,
                    url=f"{settings.BRIGHTDATA_URL}/datasets/v3/{path}",
                    headers={"authorization": f"Bearer {settings.BRIGHTDATA_API_KEY}"},
                    **call,
                )
            except errors.VendorBusy as busy:
                rest = max(busy.retry_after or REST_SECONDS, SHORTEST_REST)
                raise errors.VendorBusy(details=busy.details, retry_after=rest) from None
            _check_account(answer)
        return answer


def read_rows(body: bytes) -> list[Row]:
    """The rows of a download, whether as one list or one a line."""
    body = body.strip()
    if not body.startswith(b"{"):
        found = _loaded(body)
    else:
        found = [_loaded(line) for line in body.splitlines() if line.strip()]
        if len(found) == 1 and "input" not in entry(found[0]):
            found = None  # one message, not one row
    if not isinstance(found, list):
        raise errors.VendorAnswerInvalid(details={"problem": "no rows"})
    return items(found)


def _loaded(written: bytes) -> Any:
    try:
        return orjson.loads(written)
    except orjson.JSONDecodeError as problem:
        if "surrogate" not in problem.msg:
            raise errors.VendorAnswerInvalid(details={"problem": "not JSON"}) from None
    # Half of an emoji, where a text was cut, is no reason to lose a hundred paid rows.
    try:
        return orjson.loads(json.dumps(json.loads(written), ensure_ascii=False).encode("utf-8", "ignore"))
    except (ValueError, RecursionError):
        raise errors.VendorAnswerInvalid(details={"problem": "not JSON"}) from None


def _check_account(answer: http.Answer) -> None:
    """Raise where the answer is about us or about them, not about what was asked."""
    details = {"status": answer.status}
    if answer.status == 401:
        VENDOR.open(REFUSED_SECONDS, errors.VendorRefused.code)
        raise errors.VendorRefused(details=details)
    if answer.status == 402:
        said = seconds(answer.headers.get("retry-after"))
        raise errors.VendorBusy(details=details, retry_after=max(said or BROKE_SECONDS, SHORTEST_REST))
    if answer.status >= 500:
        raise errors.VendorUnavailable(details=details)


def _check_job(answer: http.Answer) -> None:
    if answer.status == 404 or (answer.status == 400 and _says(answer, LOST)):
        raise JobFailed(details={"status": answer.status})
    answer.require_success()


def _says(answer: http.Answer, words: tuple[str, ...]) -> bool:
    said = answer.body[:1000].decode("utf-8", "replace").lower()
    return any(each in said for each in words)


def _wait_said(answer: http.Answer) -> float:
    """How long to wait: in a header, or at the end of a sentence."""
    said = re.search(rb"again in ([0-9]{1,4}) ?s", answer.body[:1000])
    wait = seconds(answer.headers.get("retry-after")) or (float(said[1]) if said else 0.0)
    return min(max(wait, POLL_SECONDS), LONGEST_WAIT)


def _billed(answer: http.Answer) -> dict[str, int]:
    if answer.status == 200:
        with suppress(errors.VendorAnswerInvalid):
            return {"records": sum(map(is_good, read_rows(answer.body)))}
    return {}


def _nothing(answer: http.Answer) -> dict[str, int]:
    return {}


def _notify() -> dict[str, str]:
    """Where to tell us that a job is over; its pages call the header by two names."""
    token = settings.BRIGHTDATA_WEBHOOK_TOKEN
    if not (token and settings.PUBLIC_URL.startswith("https://")):
        return {}
    address = f"{settings.PUBLIC_URL}/api/social/webhook/brightdata/{token}/"
    return {"notify": address, "auth_header": token, "webhook_header_Authorization": token}
