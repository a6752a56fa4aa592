"""How Stripe is spoken to: forms with brackets, errors, expansion, and keys that make a request happen once."""

import copy
import re
import threading
from collections.abc import Callable, Iterable, Mapping
from typing import Any
from urllib.parse import parse_qsl

from sandbox.control import Asked, Reply

Row = dict[str, Any]
DEEPEST = 4
LONGEST_KEY = 255
# What is answered by its id, and where.
COLLECTIONS = {
    "checkout/sessions": "checkout.session",
    "subscriptions": "subscription",
    "subscription_schedules": "subscription_schedule",
    "invoices": "invoice",
    "customers": "customer",
    "payment_intents": "payment_intent",
    "payment_methods": "payment_method",
    "refunds": "refund",
    "disputes": "dispute",
}
# What each call takes, as far as anybody here might send it; the rest is unknown to it.
KNOWN: dict[str, str] = {
    "checkout": (
        "mode line_items success_url cancel_url customer customer_email client_reference_id metadata subscription_data "
        "ui_mode allow_promotion_codes automatic_tax tax_id_collection expires_at"
    ),
    "subscriptions.update": (
        "items proration_behavior proration_date payment_behavior billing_cycle_anchor cancel_at_period_end cancel_at "
        "trial_end pause_collection metadata off_session default_payment_method cancellation_details"
    ),
    "schedules.create": "from_subscription customer phases start_date end_behavior metadata",
    "schedules.update": "phases end_behavior default_settings metadata proration_behavior",
    "invoices.preview": "subscription subscription_details customer schedule schedule_details",
    "refunds.create": "payment_intent charge amount reason metadata reverse_transfer refund_application_fee",
    "portal": "customer return_url configuration flow_data locale",
    "customers.update": "email name invoice_settings metadata description",
}


class Refused(Exception):
    """What Stripe says no to, in its own words."""

    def __init__(self, status: int, code: str | None, message: str, *, kind: str = "", **more: Any) -> None:
        kind = kind or ("card_error" if status == 402 else "invalid_request_error")
        error = {"type": kind, "message": message, **({"code": code} if code else {}), **more}
        self.reply = Reply(status=status, body={"error": error})
        super().__init__(message)


def missing(kind: str, name: str) -> Refused:
    return Refused(404, "resource_missing", f"No such {kind}: '{name}'", param="id")


def declined(reason: str) -> Refused:
    return Refused(402, "card_declined", "Your card was declined.", decline_code=reason)


def unpaid(reason: str) -> Refused:
    """A change that was to be paid for at once: declined, or its owner has to confirm it to the bank."""
    if reason != "authentication_required":
        return declined(reason)
    return Refused(402, "subscription_payment_intent_requires_action", "Payment requires additional user action.")


def fields_of(text: str) -> Row:
    """`items[0][price]=p&expand[]=x` as `{"items": [{"price": "p"}], "expand": ["x"]}`."""
    found: Row = {}
    for name, value in parse_qsl(text, keep_blank_values=True):
        place, *steps = re.findall(r"[^\[\]]+|(?<=\[)(?=\])", name)
        _put(found, [place, *steps], value)
    return {name: _listed(value) for name, value in found.items()}


def _put(place: Row, steps: list[str], value: str) -> None:
    head, *rest = steps
    head = head or str(len(place))
    if rest:
        _put(place.setdefault(head, {}), rest, value)
    else:
        place[head] = value


def _listed(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    inner = {name: _listed(each) for name, each in value.items()}
    return list(inner.values()) if inner and all(name.isdigit() for name in inner) else inner


def check_known(operation: str, fields: Mapping[str, Any]) -> None:
    known = KNOWN.get(operation)
    for name in fields if known else ():
        if name not in {*str(known).split(), "expand"}:
            raise Refused(400, "parameter_unknown", f"Received unknown parameter: {name}", param=name)


def expanded(row: Row, paths: Iterable[str], *, find: Callable[[Row, str], Any]) -> Row:
    """A copy of a row in which these names are objects instead of ids."""
    row = copy.deepcopy(row)
    for path in paths:
        steps = path.split(".")
        if len(steps) > DEEPEST:
            raise Refused(400, "property_expansion_max_depth", f"You cannot expand more than {DEEPEST} levels.")
        _expand(row, steps, find)
    return row


def _expand(row: Any, steps: list[str], find: Callable[[Row, str], Any]) -> None:
    if isinstance(row, list):
        for each in row:
            _expand(each, steps, find)
    elif isinstance(row, dict) and steps:
        row[steps[0]] = copy.deepcopy(find(row, steps[0]))
        _expand(row[steps[0]], steps[1:], find)


def page(rows: list[Row], asked: Row, *, url: str) -> Row:
    """One page of rows that stand in the order of their making: the newest comes first."""
    rows, after, limit = rows[::-1], asked.get("starting_after"), int(asked.get("limit", 10))
    if after:
        ids = [row["id"] for row in rows]
        rows = rows[ids.index(after) + 1 :] if after in ids else []
    return {"object": "list", "data": rows[:limit], "has_more": len(rows) > limit, "url": url}


class Keys:
    """What was answered to which Idempotency-Key: https://docs.stripe.com/api/idempotent_requests"""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: dict[str, tuple[tuple[str, bytes], Reply | None]] = {}
        self.replays = 0

    def answer(self, asked: Asked, act: Callable[[], Reply]) -> Reply:
        key = asked.headers.get("idempotency-key", "")
        if not key or asked.method != "POST":
            return act()
        what, reply = (asked.path, asked.body), Reply(status=500, body={"error": {"type": "api_error"}})
        if early := self._begin(key, what):
            return early
        try:
            reply = act()
        finally:
            self._end(key, what, reply)
        return reply

    def _begin(self, key: str, what: tuple[str, bytes]) -> Reply | None:
        with self._lock:
            if len(key) > LONGEST_KEY:
                return _misused(400, "Idempotency keys are at most 255 characters long.")
            if key not in self._known:
                self._known[key] = (what, None)
                return None
            before, reply = self._known[key]
            if before != what:
                return _misused(400, "Keys for idempotent requests can only be used with the same parameters.")
            if reply is None:
                return _misused(409, "Another request with this key is under way.", code="idempotency_key_in_use")
            self.replays += 1
            return Reply(status=reply.status, body=reply.body, headers={"Idempotent-Replayed": "true"})

    def _end(self, key: str, what: tuple[str, bytes], reply: Reply) -> None:
        with self._lock:
            # What was never begun, for being wrong, is not kept; a failure of the server is.
            if reply.status in {400, 404}:
                del self._known[key]
            else:
                self._known[key] = (what, reply)


def _misused(status: int, message: str, **more: str) -> Reply:
    return Reply(status=status, body={"error": {"type": "idempotency_error", "message": message, **more}})
