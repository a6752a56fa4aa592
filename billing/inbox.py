"""What providers send: verified, stored once, answered at once; thought about later, from the row, as often as need be.

An event is a hint. Whatever it names is looked at where it is now, so copies, late ones and any order end the same.
"""

from collections.abc import Callable, Iterable, Mapping
from datetime import timedelta
from functools import partial
from uuid import UUID

import orjson
import structlog
from django.conf import settings
from django.db import connection, transaction
from django.db.models import DurationField, F, Q, QuerySet, Value
from django.db.models.functions import Least, Now, Power

from billing import bell
from billing.cards import look_at_cards, look_at_cards_of
from billing.models import BillingEvent
from billing.news import tell
from billing.providers import PROVIDERS
from billing.providers.contract import Decision, Hint, Provider
from billing.settling import look_at_dispute, look_at_payment, look_at_refund, look_at_subscription
from core.errors import Problem
from core.ids import uuid7
from core.queue import count_waiting, enqueue
from core.statements import ask
from core.webhooks import ForgedWebhook

TASK, QUEUE = bell.ONE, "default"
State = BillingEvent.State
Observer = Callable[[str, BillingEvent], None]
# Doubled each time, up to the longest: a provider that is away for a day costs nothing but patience.
FIRST_WAIT, LONGEST_WAIT = timedelta(seconds=10), timedelta(hours=1)
MOST_ATTEMPTS = 40
AT_ONCE = 1_000
# Of the headers, those that say what was signed and when; never a cookie or a token.
KEPT_HEADERS = ("webhook-id", "webhook-timestamp", "webhook-signature", "stripe-signature", "user-agent")

# One statement, and so one trip and one commit. It answers the id where the delivery is new.
STORE = """
INSERT INTO billing_billingevent
    (id, created_at, provider, delivery_id, type, body, headers, about, state, attempts, run_after, error)
VALUES
    (%(id)s, now(), %(provider)s, %(delivery_id)s, %(type)s, %(body)s, %(headers)s, %(about)s, 'received', 0, now(), '')
ON CONFLICT DO NOTHING RETURNING id
"""

log = structlog.get_logger(__name__)


def receive(provider_name: str, body: bytes, headers: Mapping[str, str]) -> bool:
    """Store what is signed, under its id; False where it is there already. What is not signed is not stored."""
    provider = PROVIDERS[provider_name]()
    if not provider.is_configured():
        raise ForgedWebhook("This provider is not in use here, so nothing is signed by it.")
    hint = provider.read_webhook(body, headers)
    kept = {name: value[:500] for name, value in headers.items() if name.lower() in KEPT_HEADERS}
    stored = ask(STORE, {
        "id": uuid7(), "provider": provider.name, "delivery_id": hint.id, "type": hint.type[:100], "body": body,
        "headers": orjson.dumps(kept).decode(), "about": orjson.dumps(_ids(hint)).decode(),
    })  # fmt: skip
    for (event_id,) in stored:
        _ring(event_id)
    return bool(stored)


def _ring(event_id: UUID) -> None:
    # Nearly always it is committed by now, and then that is cheaper than to ask for it.
    if connection.in_atomic_block:
        transaction.on_commit(partial(bell.ring, event_id))
    else:
        bell.ring(event_id)


def unwatched(point: str, event: BillingEvent) -> None:
    """Nobody looks on."""


def process(event_id: UUID, *, observe: Observer = unwatched) -> bool:
    """Do what follows from one event; False where somebody is at it, or it is done."""
    due = BillingEvent.objects.filter(pk=event_id, state=State.RECEIVED, run_after__lte=Now())
    lease = timedelta(seconds=settings.BILLING_LEASE_SECONDS)
    if not due.update(attempts=F("attempts") + 1, run_after=Now() + lease):
        return False
    event = BillingEvent.objects.defer("body", "headers").get(pk=event_id)
    observe("claimed", event)
    try:
        state = _act_on(event)
    except Problem as problem:
        _fail(event, f"{problem.code}: {problem.message}", retryable=problem.retryable or problem.code in PASSING)
        return False
    except Exception as fault:  # a fault of ours: kept for whoever mends it, and tried again
        log.exception("billing_event_failed", event_id=str(event.pk), type=event.type)
        _fail(event, type(fault).__name__, retryable=True)
        return False
    observe("settled", event)
    held = _of(event).update(state=state, processed_at=Now(), run_after=None, error="")
    return bool(held)


def _of(event: BillingEvent) -> QuerySet[BillingEvent]:
    """The row, as long as nobody else has taken it or asked for it anew: a lease may run out."""
    return BillingEvent.objects.filter(pk=event.pk, state=State.RECEIVED, attempts=event.attempts)


# Not errors of a vendor's, and yet they pass: a checkout that is still being written down, a plan that staff will name.
PASSING = {"owner_unknown", "not_configured"}


def _act_on(event: BillingEvent) -> str:
    provider = PROVIDERS[event.provider]()
    decision = provider.decisions.get(event.type, Decision.IGNORED)
    if decision != Decision.HANDLED:
        return State.RECORDED if decision == Decision.RECORDED else State.IGNORED
    # Subscriptions first: a payment's row then finds the one it is for.
    for kind, look in LOOKS.items():
        for each in event.about.get(kind, ()):
            look(provider, each)
    return State.PROCESSED


def _look_and_tell(provider: Provider, subscription_id: str) -> None:
    if settled := look_at_subscription(provider, subscription_id):
        tell(provider, settled)
        look_at_cards_of(provider, settled)


LOOKS: dict[str, Callable[[Provider, str], object]] = {
    "subscriptions": _look_and_tell,
    "payments": look_at_payment,
    "refunds": look_at_refund,
    "disputes": look_at_dispute,
    "card_owners": look_at_cards,
}


def _ids(hint: Hint) -> dict[str, list[str]]:
    named = {
        "subscriptions": hint.subscription_ids, "payments": hint.payment_ids, "refunds": hint.refund_ids,
        "disputes": hint.dispute_ids, "card_owners": hint.card_owner_ids,
    }  # fmt: skip
    return {kind: [*ids] for kind, ids in named.items() if ids}


def _fail(event: BillingEvent, why: str, *, retryable: bool) -> None:
    gives_up = not retryable or event.attempts >= MOST_ATTEMPTS
    wait = Least(Value(FIRST_WAIT, DurationField()) * Power(2, F("attempts") - 1), Value(LONGEST_WAIT, DurationField()))
    _of(event).update(
        error=why[:300],
        state=State.FAILED if gives_up else State.RECEIVED,
        run_after=None if gives_up else Now() + wait,
    )


def waiting() -> QuerySet[BillingEvent]:
    return BillingEvent.objects.filter(Q(run_after__lte=Now()), state=State.RECEIVED).order_by("run_after")


def sweep() -> None:
    """Send for what is due: a message was lost, a worker died, a wait is over. Not where so many wait already."""
    if (count_waiting(QUEUE) or 0) < AT_ONCE:
        hand_out(waiting().values_list("pk", flat=True)[:AT_ONCE])


def hand_out(event_ids: Iterable[UUID]) -> None:
    """A message for each, so that many workers may be at them."""
    for event_id in event_ids:
        if not enqueue(TASK, event_id):
            return


def replay(events: QuerySet[BillingEvent]) -> int:
    """Have events processed again, whatever became of them; doing it twice does no harm."""
    again = [*events.values_list("pk", flat=True)]
    BillingEvent.objects.filter(pk__in=again).update(state=State.RECEIVED, run_after=Now(), attempts=0, error="")
    for event_id in again:
        enqueue(TASK, event_id)
    return len(again)


def forget_bodies() -> int:
    """Empty what was sent long ago of all that is said in it; what it was about stays, and can be looked at again."""
    past = Now() - timedelta(days=settings.WEBHOOK_BODY_DAYS)
    old = BillingEvent.objects.filter(~Q(body=b""), created_at__lt=past)
    forgotten = 0
    while batch := [*old.values_list("pk", flat=True)[:AT_ONCE]]:
        forgotten += BillingEvent.objects.filter(pk__in=batch).update(body=b"", headers={})
    return forgotten
