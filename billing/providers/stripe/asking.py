"""What is asked of Stripe, and what its refusals mean: https://docs.stripe.com/api"""

import hashlib
import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any
from urllib.parse import urlencode

from django.conf import settings

from billing.providers.stripe.reading import Row, entry, items, text
from core import http
from core.errors import NotConfigured, Problem, VendorAnswerInvalid, VendorBusy, VendorRefused, VendorUnavailable
from core.http import Answer

NAME = "stripe"
# The shapes that `reading` reads. Without it they are those of whatever version the account was opened under.
VERSION = "2026-10-28.endive"
MOST_PAGES, PAGE = 50, 100
# Never of a status alone: a proxy's 404 would otherwise make every payment we know of vanish.
GONE = "resource_missing"
# What leads elsewhere than to one object, an empty id above all, is never asked for.
PATH = re.compile(r"(checkout/)?[a-z_]+(/[A-Za-z0-9_]{1,255}(/(release|payment_methods|expire))?)?")
# Which of its own words for a refusal are kept, anywhere: its sentences may quote what a customer typed, and beside
# them stands whose card it was, with name, address and last digits.
KEPT = ("type", "code", "decline_code", "param")


def look_up(operation: str, path: str, **params: Any) -> Row | None:
    """What is there, or None where Stripe says that there is nothing."""
    try:
        return read(operation, path, **params)
    except VendorRefused as refused:
        if refused.details.get("code") == GONE:
            return None
        raise


def read(operation: str, path: str, **params: Any) -> Row:
    return _ask(operation, "GET", path, params=dict(_flat(params)))


def send(operation: str, path: str, fields: Mapping[str, Any], *, once: str = "") -> Row:
    """One try only: whoever sends it again, with the same `once`, is given the first answer."""
    headers = {"content-type": "application/x-www-form-urlencoded"}
    if once:
        headers["idempotency-key"] = key_of(operation, once)
    return _ask(operation, "POST", path, headers=headers, content=form(fields))


def remove(operation: str, path: str) -> Row:
    return _ask(operation, "DELETE", path)


def pages(operation: str, path: str, **params: Any) -> Iterator[Row]:
    """Each row of a list, and never the same page twice."""
    after: dict[str, str] = {}
    for _ in range(MOST_PAGES):
        body = read(operation, path, limit=PAGE, **params, **after)
        rows = items(body.get("data"))
        yield from rows
        last = text(rows[-1].get("id")) if rows else ""
        if not body.get("has_more") or not last or after == {"starting_after": last}:
            return
        after = {"starting_after": last}


def key_of(operation: str, once: str) -> str:
    """One key for one request of one deed: a deed of two requests has two, and any `once` becomes a sane header."""
    return f"whyral-{hashlib.sha256(f'{operation}:{once}'.encode()).hexdigest()}"


def form(fields: Mapping[str, Any]) -> bytes:
    """As Stripe wants it: `items[0][price]=...`; what is None is left out, what is empty is emptied."""
    return urlencode(list(_flat(fields))).encode()


def _flat(value: Any, name: str = "") -> Iterator[tuple[str, str]]:
    if isinstance(value, Mapping):
        for key, each in value.items():
            yield from _flat(each, f"{name}[{key}]" if name else str(key))
    elif isinstance(value, list | tuple):
        for number, each in enumerate(value):
            yield from _flat(each, f"{name}[{number}]")
    elif value is not None:
        yield name, str(value).lower() if isinstance(value, bool) else str(value)


def _ask(operation: str, method: str, path: str, *, headers: Mapping[str, str] | None = None, **call: Any) -> Row:
    if not settings.STRIPE_SECRET_KEY:
        raise NotConfigured("STRIPE_SECRET_KEY is not set.")
    if not PATH.fullmatch(path):
        raise VendorRefused(details={"code": GONE})
    answer = http.request(
        vendor=NAME,
        operation=operation,
        method=method,
        url=f"{settings.STRIPE_URL}/v1/{path}",
        headers={
            "authorization": f"Bearer {settings.STRIPE_SECRET_KEY}",
            "stripe-version": VERSION,
            **(headers or {}),
        },
        timeout=settings.STRIPE_SECONDS,
        read_timeout=settings.STRIPE_SECONDS,
        reason=lambda answer: " ".join(f"{name}={said}" for name, said in _kept(_error(answer)).items()),
        **call,
    )
    return _body(answer)


def _body(answer: Answer) -> Row:
    if answer.status >= 400:
        raise _refusal(answer.status, _error(answer))
    body = answer.json() if 200 <= answer.status < 300 else None
    if not isinstance(body, dict) or not isinstance(body.get("object"), str):
        raise VendorAnswerInvalid(details={"status": answer.status, "problem": "no_object"})
    return body


def _error(answer: Answer) -> Row:
    with suppress(VendorAnswerInvalid):
        return entry(entry(answer.json()).get("error"))
    return {}


def _kept(error: Row) -> dict[str, str]:
    return {name: said for name in KEPT if (said := text(error.get(name), limit=100))}


def _refusal(status: int, error: Row) -> Problem:
    """https://docs.stripe.com/error-codes; 429 and most of 5xx are raised before."""
    details = {"status": status} | _kept(error)
    if status == 401:
        return NotConfigured("Stripe does not accept STRIPE_SECRET_KEY.", details=details)
    # The same request is under way elsewhere, or the object is locked.
    if status == 409 or details.get("code") in {"rate_limit", "lock_timeout"}:
        return VendorBusy(details=details)
    return (VendorUnavailable if status >= 500 else VendorRefused)(details=details)
