"""What Dodo tells by webhook, and what is done about it.

A delivery holds what is now, under the name of what was then, in any order and more than once; so it is only a hint
at what to read again. The SDK takes an event it does not know for another, so the raw body is read here.
"""

from collections.abc import Mapping
from typing import Any

import orjson
from django.conf import settings

from billing.providers.contract import Decision, Hint
from billing.providers.dodo.reading import entry, optional_identity, text
from core.webhooks import Delivery, MalformedWebhook, verify

HANDLED, RECORDED, IGNORED = Decision.HANDLED, Decision.RECORDED, Decision.IGNORED
LONGEST_TYPE = 100
ABOUT_CARDS = "subscription.update_payment_method"

# https://docs.dodopayments.com/developer-resources/webhooks/intents/webhook-events-guide
DECISIONS: Mapping[str, Decision] = {
    "payment.succeeded": HANDLED,
    "payment.failed": HANDLED,
    "payment.processing": HANDLED,
    "payment.cancelled": HANDLED,
    "refund.succeeded": HANDLED,
    "refund.failed": HANDLED,
    "dispute.opened": HANDLED,
    "dispute.expired": HANDLED,
    "dispute.accepted": HANDLED,
    "dispute.cancelled": HANDLED,
    "dispute.challenged": HANDLED,
    "dispute.won": HANDLED,
    "dispute.lost": HANDLED,
    "subscription.active": HANDLED,
    "subscription.renewed": HANDLED,  # for the first charge as well
    "subscription.on_hold": HANDLED,
    "subscription.past_due": HANDLED,
    "subscription.paused": HANDLED,
    "subscription.unpaused": HANDLED,
    "subscription.cancelled": HANDLED,
    "subscription.failed": HANDLED,
    "subscription.expired": HANDLED,
    "subscription.plan_changed": HANDLED,  # also where only its cancellation was scheduled
    "subscription.updated": HANDLED,
    ABOUT_CARDS: HANDLED,
    # They name a subscription: one more chance to see what was missed.
    "dunning.started": HANDLED,
    "dunning.recovered": HANDLED,
    # The customer's balance at Dodo, which credits of a cheaper plan go into: for whoever is asked about a bill.
    "credit.added": RECORDED,
    "credit.deducted": RECORDED,
    "credit.expired": RECORDED,
    "credit.rolled_over": RECORDED,
    "credit.rollover_forfeited": RECORDED,
    "credit.overage_charged": RECORDED,
    "credit.overage_reset": RECORDED,
    "credit.manual_adjustment": RECORDED,
    "credit.balance_low": RECORDED,
    # Nothing of ours is sold by licence or entitlement, and what Dodo pays out is between it and the accountant.
    "license_key.created": IGNORED,
    "payout.created": IGNORED,
    "payout.on_hold": IGNORED,
    "payout.in_progress": IGNORED,
    "payout.failed": IGNORED,
    "payout.success": IGNORED,
    "abandoned_checkout.detected": IGNORED,
    "abandoned_checkout.recovered": IGNORED,
    "entitlement_grant.created": IGNORED,
    "entitlement_grant.delivered": IGNORED,
    "entitlement_grant.failed": IGNORED,
    "entitlement_grant.revoked": IGNORED,
}


def read_event(body: bytes, headers: Mapping[str, str]) -> Hint:
    delivery = verify(body, headers, secrets=settings.DODO_WEBHOOK_SECRET)
    try:
        event = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise MalformedWebhook from error
    kind = text(entry(event).get("type"), limit=LONGEST_TYPE)
    if not kind:
        raise MalformedWebhook
    return _hint(delivery, kind, event)


def _hint(delivery: Delivery, kind: str, event: Mapping[str, Any]) -> Hint:
    data = entry(event.get("data"))
    return Hint(
        id=delivery.id,
        type=kind,
        subscription_ids=_ids(data, "subscription_id", "subscription_ids"),
        payment_ids=_ids(data, "payment_id"),
        refund_ids=_ids(data, "refund_id"),
        dispute_ids=_ids(data, "dispute_id"),
        card_owner_ids=_ids(entry(data.get("customer")), "customer_id") if kind == ABOUT_CARDS else (),
    )


def _ids(data: Mapping[str, Any], *names: str) -> tuple[str, ...]:
    said = [data[name] for name in names if name in data]
    found = [each for one in said for each in (one if isinstance(one, list) else [one])]
    return tuple(dict.fromkeys(filter(None, map(optional_identity, found))))
