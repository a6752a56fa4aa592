"""What providers send: verified, stored once, answered at once; thought about later, from the row, as often as need be.

An event is a hint. Whatever it names is looked at where it is now, so copies, late ones and any order end the same.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import timedelta
from functools import partial
from uuid import UUID

import orjson
import structlog
from django.conf import settings
from django.db import connection, transaction
from django.db.models import DurationField, F, Q, QuerySet, Value
from django.db.models.functions import Least, Now, Power

from accounts.subscriptions import Settled
from billing import bell
from billing.cards import look_at_cards_named, look_at_cards_of
from billing.leaving import FORGOTTEN, is_somebodys
from billing.models import BillingEvent
from billing.news import look_and_tell
from billing.providers import PROVIDERS
from billing.providers.contract import Decision, Hint, Provider
from billing.settling import NotShownYet, look_at_dispute, look_at_payment, look_at_refund
from billing.storing import insert, revive, store
from core.errors import NotConfigured, Problem
from core.ids import uuid7
from core.queue import count_waiting, enqueue
from core.webhooks import ForgedWebhook

TASK, QUEUE = bell.ONE, "default"
State = BillingEvent.State
Observer = Callable[[str, BillingEvent], None]
# Doubled each time, up to the longest: a provider that is away for a day costs nothing but patience.
FIRST_WAIT, LONGEST_WAIT = timedelta(seconds=10), timedelta(hours=1)
MOST_ATTEMPTS = 40
# So often what an event names has to be there, five minutes in all: after that the provider is believed that it is not.
INSISTS = 5
AT_ONCE = 1_000

log = structlog.get_logger(__name__)


def receive(provider_name: str, body: bytes, headers: Mapping[str, str]) -> bool:
    """Store what is signed, under its id; False where it is there already. What is not signed is not stored.

    The headers are kept as they are given: whoever hands them on leaves out cookies and tokens.
    """
    provider = PROVIDERS[provider_name]()
    hint = _read(provider, body, headers)
    kept = {name: value[:500] for name, value in headers.items()}
    row = (uuid7(), provider.name, hint.id, hint.type[:100], body, _json(kept), _json(_ids(hint)))
    # Nobody else can write into a transaction that is somebody's own, or may be told of what is in it before it ends.
    is_theirs = connection.in_atomic_block
    is_new = bool(insert([row])) if is_theirs else store(row)
    # Given up here, and sent anew by somebody there, who has read that it was not heeded.
    due = row[0] if is_new else revive(provider.name, hint.id)
    if due and is_theirs:
        transaction.on_commit(partial(bell.ring, due))
    elif due:
        bell.ring(due)
    return is_new


def _read(provider: Provider, body: bytes, headers: Mapping[str, str]) -> Hint:
    """By its secret alone: while the key to ask with is missing, what is sent is kept for when it is there again."""
    try:
        return provider.read_webhook(body, headers)
    except NotConfigured:
        if provider.is_configured():
            raise
        raise ForgedWebhook("This provider is not in use here, so nothing is signed by it.") from None


def _json(value: object) -> str:
    return orjson.dumps(value).decode()


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
    if event.attempts > MOST_ATTEMPTS:
        # It never came to an end, not even a bad one: those who took it died of it, or with it.
        _fail(event, "worker_lost")
        return False
    try:
        state = _act_on(event)
    except Problem as problem:
        _fail(event, problem.code, problem.message)
        return False
    except Exception as fault:  # a fault of ours: kept for whoever mends it, and tried again
        log.exception("billing_event_failed", event_id=str(event.pk), type=event.type)
        _fail(event, type(fault).__name__)
        return False
    observe("settled", event)
    return _close(event, state)


def _close(event: BillingEvent, state: str) -> bool:
    """What nothing follows from, or nobody here can be found by when they leave, need not be kept word for word."""
    is_kept = state == State.PROCESSED and is_somebodys(event)
    said = {} if is_kept else FORGOTTEN
    return bool(_of(event).update(state=state, processed_at=Now(), run_after=None, error="", **said))


def _of(event: BillingEvent) -> QuerySet[BillingEvent]:
    """The row, as long as nobody else has taken it or asked for it anew: a lease may run out.

    A replay counts the attempts anew, so it is the end of the lease that tells one holder from another.
    """
    held = BillingEvent.objects.filter(pk=event.pk, state=State.RECEIVED)
    return held.filter(attempts=event.attempts, run_after=event.run_after)


def _act_on(event: BillingEvent) -> str:
    provider = PROVIDERS[event.provider]()
    decision = provider.decisions.get(event.type, Decision.IGNORED)
    if decision != Decision.HANDLED:
        return State.RECORDED if decision == Decision.RECORDED else State.IGNORED
    found = [*_look_at_all(provider, event)]
    # Cards last: nothing waits for them.
    look_at_cards_of(provider, *(each for each in found if isinstance(each, Settled)))
    look_at_cards_named(provider, event.about.get("card_owners", ()))
    if hidden := [each for each in found if isinstance(each, NotShownYet)]:
        raise hidden[0]
    return State.PROCESSED


def _look_at_all(provider: Provider, event: BillingEvent) -> Iterator[object]:
    """What is not shown is looked for again some minutes long; what is, does not wait for that."""
    for kind, look in LOOKS.items():
        for each in event.about.get(kind, ()):
            try:
                yield look(provider, each, insists=event.attempts <= INSISTS)
            except NotShownYet as problem:
                yield problem


# Subscriptions first: a payment's row then finds the one it is for.
LOOKS: dict[str, Callable[..., object]] = {
    "subscriptions": look_and_tell, "payments": look_at_payment, "refunds": look_at_refund, "disputes": look_at_dispute,
}  # fmt: skip


def _ids(hint: Hint) -> dict[str, list[str]]:
    named = {
        "subscriptions": hint.subscription_ids, "payments": hint.payment_ids, "refunds": hint.refund_ids,
        "disputes": hint.dispute_ids, "card_owners": hint.card_owner_ids,
    }  # fmt: skip
    return {kind: [*ids] for kind, ids in named.items() if ids}


def _fail(event: BillingEvent, code: str, message: str = "") -> None:
    """Whatever it was may pass, a wrong key or a proxy's page as well: the provider was told that we have it."""
    gives_up = event.attempts >= MOST_ATTEMPTS
    wait = Least(Value(FIRST_WAIT, DurationField()) * Power(2, F("attempts") - 1), Value(LONGEST_WAIT, DurationField()))
    held = _of(event).update(
        error=f"{code}: {message}"[:300] if message else code,
        state=State.FAILED if gives_up else State.RECEIVED,
        run_after=None if gives_up else Now() + wait,
    )
    if held and gives_up:
        said = {"provider": event.provider, "type": event.type, "attempts": event.attempts, "code": code}
        log.error("billing_event_given_up", event_id=str(event.pk), **said)


def count_given_up() -> int:
    return BillingEvent.objects.filter(state=State.FAILED).count()


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
        forgotten += BillingEvent.objects.filter(pk__in=batch).update(**FORGOTTEN)
    return forgotten
