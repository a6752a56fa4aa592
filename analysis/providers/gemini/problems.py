"""What Gemini says when it does not answer, and what that means: https://ai.google.dev/gemini-api/docs/troubleshooting

A bad key is 400, not 401. How long to wait may stand in the details, or in the words only, or nowhere. The body may
be a list of one, hold another body as text, or be HTML.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from core import redaction
from core.errors import (
    NotConfigured,
    Problem,
    VendorAnswerInvalid,
    VendorBusy,
    VendorRefused,
    VendorTimeout,
    VendorUnavailable,
)
from social.scrapers.reading import count, entry, items, text

DEEPEST = 3
LONGEST_SAID = 300
# A day's quota is new at midnight there: https://ai.google.dev/gemini-api/docs/rate-limits
PACIFIC = ZoneInfo("America/Los_Angeles")
UNSAID_SECONDS = 30.0
LONGEST_SECONDS = 86_400.0
OF_THE_KEY = ("API_KEY_", "SERVICE_DISABLED", "CONSUMER_", "BILLING_")
# A picture that may not be read is 403 too, and says nothing of the key.
KEY_WORDS = re.compile(r"api key (not valid|expired|not found|was reported)|reported as leaked", re.IGNORECASE)
DAILY = re.compile(r"PerDay|limit: 0\b")
IN_WORDS = re.compile(r"retry in (\d+(?:\.\d+)?ms|(?:\d+h)?(?:\d+m(?!s))?(?:\d+(?:\.\d+)?s)?)", re.IGNORECASE)
LENGTHS = re.compile(r"(\d+(?:\.\d+)?)(ms|h|m|s)")
SECONDS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}
TOO_MUCH_SHAPE = re.compile(r"invalid argument|schema|too many states", re.IGNORECASE)


class KeyTired(VendorBusy):
    """The quota of this key is used up for now."""


class KeyRefused(VendorRefused):
    """This key is not taken."""


class ShapeRefused(VendorRefused):
    """The request is refused, and the schema in it may be why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What of a request its refusal depends on."""

    model: str = ""
    key: str = ""


def problem_of(status: int, body: object, asked: Asked, *, retry_after: str = "") -> Problem:
    """`body` as bytes, or read already."""
    error = _error(body)
    status = status if status >= 400 else count(error.get("code")) or status
    said = text(redaction.without([asked.key], text(error.get("message"))), limit=LONGEST_SAID)
    details = {"status": status, "said": said}
    if status == 429:
        return KeyTired(details=details, retry_after=_wait(error, retry_after))
    if status in {400, 401, 403} and _is_of_the_key(error):
        return KeyRefused(details=details)
    if status == 404 and asked.model:
        return NotConfigured(f"Gemini does not offer the model {asked.model}.", details=details)
    return _other(status, details, _delay(error) or _seconds(f"{retry_after}s"))


def _other(status: int, details: dict[str, Any], wait: float | None) -> Problem:
    if status in {408, 504}:
        return VendorTimeout(details=details, retry_after=wait)
    if status == 499 or status >= 500:
        return VendorUnavailable(details=details, retry_after=wait)
    if status == 400 and TOO_MUCH_SHAPE.search(details["said"]):
        return ShapeRefused(details=details)
    return VendorRefused(details=details) if status >= 400 else VendorAnswerInvalid(details=details)


def until_midnight(now: datetime) -> float:
    """Seconds until the next day begins in California."""
    tomorrow = now.astimezone(PACIFIC).date() + timedelta(days=1)
    return (datetime.combine(tomorrow, time(), PACIFIC).astimezone(UTC) - now).total_seconds()


def _error(body: object, depth: int = DEEPEST) -> Mapping[str, Any]:
    """The innermost thing that is an error: in a list of one, or as text within another's message."""
    if isinstance(body, (bytes, str)):
        body = _read(body)
    if isinstance(body, list):
        body = body[0] if body else None
    error = entry(entry(body).get("error")) or entry(body)
    inner = _read(error.get("message")) if depth else None
    return _error(inner, depth - 1) if isinstance(inner, (dict, list)) and inner else error


def _read(body: object) -> object:
    try:
        return json.loads(body) if isinstance(body, (bytes, str)) else None
    except (ValueError, RecursionError):
        return None


def _details(error: Mapping[str, Any], kind: str) -> Iterator[Mapping[str, Any]]:
    return (each for each in items(error.get("details")) if text(each.get("@type")).endswith(kind))


def _is_of_the_key(error: Mapping[str, Any]) -> bool:
    reasons = [text(each.get("reason")) for each in _details(error, ".ErrorInfo")]
    return any(reason.startswith(OF_THE_KEY) for reason in reasons) or bool(
        KEY_WORDS.search(text(error.get("message")))
    )


def _wait(error: Mapping[str, Any], retry_after: str) -> float:
    quotas = [
        text(each.get("quotaId")) for one in _details(error, ".QuotaFailure") for each in items(one.get("violations"))
    ]
    if any(DAILY.search(said) for said in (*quotas, text(error.get("message")))):
        return until_midnight(datetime.now(UTC))
    return _delay(error) or _seconds(f"{retry_after}s") or UNSAID_SECONDS


def _delay(error: Mapping[str, Any]) -> float | None:
    said = [text(each.get("retryDelay")) for each in _details(error, ".RetryInfo")]
    words = IN_WORDS.search(text(error.get("message")))
    return next(filter(None, map(_seconds, [*said, words[1] if words else ""])), None)


def _seconds(length: str) -> float | None:
    """Of "34s", "20.04466179s" or "1h2m3s"."""
    parts = LENGTHS.findall(length[:60])
    total = sum(float(number) * SECONDS[unit] for number, unit in parts)
    return min(total, LONGEST_SECONDS) if parts else None
