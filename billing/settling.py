"""Looking at what a provider has, and making our rows say the same. Events and sweeps only say where to look.

No look is taken inside a transaction. What is found is written under the lock of its user, unless a look that began
later has been written already: whatever changed since then sends an event of its own.
"""

from contextlib import suppress
from datetime import datetime, timedelta
from uuid import UUID

import structlog
from django.conf import settings
from django.db import connection, transaction
from django.db.models import Q, QuerySet

from accounts.models import Plan, Subscription, User
from accounts.subscriptions import Paid, Settled, settle
from billing.aftermath import LOST, follow_dispute, follow_refund
from billing.customers import prefer_customer, remember_customer
from billing.letters import owe_letter, owe_refund_letter
from billing.models import Customer, Invoice, Payment, Refund
from billing.providers.contract import Charged, Disputed, Provider, Refunded, Standing, Subscribed
from core.errors import Missing, NotConfigured

Status = Subscription.Status
STATES = {
    "pending": Payment.Status.PENDING,
    "processing": Payment.Status.PROCESSING,
    "succeeded": Payment.Status.SUCCEEDED,
    "failed": Payment.Status.FAILED,
    "cancelled": Payment.Status.CANCELED,
}
# How a dispute stands, by what it costs.
WORST_FIRST = (LOST, "open", "closed", "won")

log = structlog.get_logger(__name__)


class OwnerUnknown(Missing):
    """Nobody here is known to have bought this."""

    code = "owner_unknown"


class NotShownYet(Missing):
    """The provider tells of this, and does not show it yet as it says."""

    code = "not_shown_yet"
    retryable = True


def look_at_subscription(provider: Provider, subscription_id: str, *, insists: bool = False) -> Settled | None:
    """None where the provider has none, one that nobody has paid for yet, or one of somebody who was erased.

    Who insists has been told of it by the provider, whose own servers may not all have heard: the first two raise.
    """
    begun = database_now()
    found = provider.subscription(subscription_id)
    if found is None or found.standing == Standing.PENDING:
        if insists:
            raise NotShownYet
        return None
    user_id = _owner(provider.name, found)
    if user_id is None:
        log.warning("subscription_of_nobody", provider=provider.name, id=found.id, standing=found.standing)
        return None
    remember_customer(user_id, provider.name, found.customer_id)
    paid = _paid(provider.name, found, begun)
    settled = settle(user_id, ref=_uuid(found.ref), paid=paid, with_it=owe_letter)
    if settled.is_news and settled.subscription.status in Subscription.LIVE:
        prefer_customer(user_id, provider.name, found.customer_id)
    return settled


def look_at_payment(provider: Provider, payment_id: str, *, insists: bool = False) -> Payment | None:
    begun = database_now()
    found = provider.payment(payment_id)
    if found is None and insists:
        raise NotShownYet
    return _keep_payment(provider.name, found, begun) if found else None


def look_at_refund(provider: Provider, refund_id: str, *, insists: bool = False) -> Refund | None:
    begun = database_now()
    found = provider.refund_state(refund_id)
    if found is None:
        if insists:
            raise NotShownYet
        return None
    is_known = Payment.objects.filter(provider=provider.name, provider_id=found.payment_id).exists()
    # What was given back may have been paid for something that is not ours.
    if not (is_known or (found.payment_id and look_at_payment(provider, found.payment_id))):
        return None
    refund = keep_refund(provider.name, found, begun)
    follow_refund(provider, refund)
    return refund


def look_at_dispute(provider: Provider, dispute_id: str, *, insists: bool = False) -> Payment | None:
    begun = database_now()
    found = provider.dispute(dispute_id)
    if found is None:
        if insists:
            raise NotShownYet
        return None
    if look_at_payment(provider, found.payment_id) is None:
        return None
    payment = keep_dispute(provider.name, found, begun)
    follow_dispute(provider, payment)
    return payment


def database_now() -> datetime:
    """One clock for all who look."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        return cursor.fetchone()[0]  # type: ignore[no-any-return]


def plan_of(provider: str, product_id: str) -> Plan:
    """By the name it is sold under, or by one that it had: a price is never changed there, but given a new name."""
    named = Q(products__contains={provider: product_id}) | Q(products__contains={provider: [product_id]})
    plan = Plan.objects.filter(named).first()
    if plan is None:
        raise NotConfigured(f"No plan is called {product_id} by {provider}.", details={"product": product_id})
    return plan


def _plan(provider: str, found: Subscribed) -> Plan:
    """Whoever has one and is charged for it keeps it, whatever it is called by now."""
    try:
        return plan_of(provider, found.product_id)
    except NotConfigured:
        if not (known := _bought(provider, found.id).select_related("plan").first()):
            raise
        log.error("product_of_no_plan", provider=provider, product=found.product_id, kept=known.plan.slug)
        return known.plan


def _next_plan(provider: str, found: Subscribed) -> Plan | None:
    with suppress(NotConfigured):
        return plan_of(provider, found.scheduled_product_id) if found.scheduled_product_id else None
    log.error("product_of_no_plan", provider=provider, product=found.scheduled_product_id)
    return None


def _paid(provider: str, found: Subscribed, begun: datetime) -> Paid:
    return Paid(
        provider=provider, provider_id=found.id, status=_status(found, begun), plan=_plan(provider, found),
        period_start=found.period_start, period_end=found.period_end,
        cancel_at_period_end=found.cancels_at_end or found.standing == Standing.ENDED,
        grace_until=_grace(found) if found.standing == Standing.PAST_DUE else None,
        downgrade_to=_next_plan(provider, found), seen_at=begun, is_over=found.standing == Standing.ENDED,
    )  # fmt: skip


def _status(found: Subscribed, now: datetime) -> str:
    if found.standing == Standing.PAST_DUE:
        return Status.PAST_DUE if (_grace(found) or now) > now else Status.EXPIRED
    if found.standing in (Standing.ENDED, Standing.PAUSED):
        # What is paid for is given, even where the provider's own page ended or paused it at once.
        if found.was_paid and found.period_end and found.period_end > now:
            return Status.CANCELING
        return Status.CANCELLED if found.standing == Standing.ENDED else Status.EXPIRED
    if found.cancels_at_end:
        return Status.CANCELING
    return Status.TRIAL if found.standing == Standing.TRIAL else Status.ACTIVE


def _grace(found: Subscribed) -> datetime | None:
    days = timedelta(days=settings.BILLING_GRACE_DAYS)
    # The period that was not paid for begins when the last one ended.
    return found.grace_until or (found.unpaid_since + days if found.unpaid_since else None)


def _owner(provider: str, found: Subscribed | Charged) -> UUID | None:
    """None where whoever bought it was erased: a row is written before its checkout opens, and goes with its user."""
    subscription_id = found.id if isinstance(found, Subscribed) else found.subscription_id
    ref = _uuid(found.ref)
    known = (
        _bought(provider, subscription_id).values_list("user_id")
        or Subscription.objects.filter(pk__in=[ref] if ref else []).values_list("user_id")
        or Customer.objects.filter(provider=provider, customer_id=found.customer_id).values_list("user_id")
    )
    if known:
        return UUID(str(known[0][0]))
    if ref or Payment.objects.filter(provider=provider, provider_id=found.id).exists():
        return None
    raise OwnerUnknown(details={"subscription": subscription_id})


def _bought(provider: str, subscription_id: str) -> QuerySet[Subscription]:
    """Of a payment that is for no subscription it is none, and not one that has no id yet."""
    named = Subscription.objects.filter(provider=provider, provider_id=subscription_id)
    return named if subscription_id else named.none()


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None


def _keep_payment(provider: str, found: Charged, begun: datetime) -> Payment:
    user_id = _owner(provider, found)
    if user_id:
        remember_customer(user_id, provider, found.customer_id)
    with transaction.atomic():
        if user_id:
            User.objects.select_for_update(no_key=True).only("pk").get(pk=user_id)
        # Whoever counts its refunds waits, or is waited for: neither writes over what the other wrote.
        row = Payment.objects.select_for_update().filter(provider=provider, provider_id=found.id).first()
        row = row or Payment(provider=provider, provider_id=found.id, user_id=user_id, seen_at=begun)
        if row.seen_at <= begun:
            _fill(row, found, begun)
            row.save()
            _keep_invoice(row, found)
        return row


def _fill(row: Payment, found: Charged, begun: datetime) -> None:
    row.subscription = _bought(row.provider, found.subscription_id).first() or row.subscription
    row.amount, row.tax, row.currency = found.amount, found.tax, found.currency.upper()
    row.reason, row.failure, row.seen_at = found.reason, found.failure[:60], begun
    # The first that was told: Dodo only knows when a payment was last touched.
    row.paid_at = row.paid_at or found.paid_at
    is_refunded = row.amount > 0 and row.refunded >= row.amount
    row.status = Payment.Status.REFUNDED if is_refunded else STATES[found.status]


def _keep_invoice(row: Payment, found: Charged) -> None:
    if found.invoice_id and row.status in (Payment.Status.SUCCEEDED, Payment.Status.REFUNDED):
        values = {
            "user_id": row.user_id, "provider_id": found.invoice_id, "number": found.invoice_number or found.invoice_id,
            "amount": row.amount, "tax": row.tax, "currency": row.currency, "issued_at": row.paid_at or row.seen_at,
        }  # fmt: skip
        Invoice.objects.update_or_create(payment=row, defaults=values)


def keep_refund(provider: str, found: Refunded, begun: datetime) -> Refund:
    with transaction.atomic():
        payment = Payment.objects.select_for_update().get(provider=provider, provider_id=found.payment_id)
        row = Refund.objects.filter(provider=provider, provider_id=found.id).first()
        before = row.status if row else ""
        row = row or Refund(provider=provider, provider_id=found.id, payment=payment, seen_at=begun)
        if row.seen_at <= begun:
            row.user_id, row.amount, row.seen_at = payment.user_id, found.amount, begun
            row.status, row.currency = Refund.Status[found.status.upper()], found.currency.upper()
            row.partial, row.reason = found.partial, found.reason[:300]
            row.save()
            if not before and row.status != Refund.Status.FAILED:
                owe_refund_letter(row)
        _count_refunds(payment)
    _tell_staff(row, before)
    return row


def _tell_staff(refund: Refund, before: str) -> None:
    """Of what only they can put right: its owner may have read that it went back, or the books do not add up."""
    said = {"refund": str(refund.pk), "payment": str(refund.payment_id), "provider": refund.provider}
    if refund.status == Refund.Status.FAILED and before != Refund.Status.FAILED:
        log.error("refund_failed", **said)
    if not before and refund.partial and refund.currency != refund.payment.currency:
        log.error("refund_in_another_currency", currency=refund.currency, **said)


def keep_dispute(provider: str, found: Disputed, begun: datetime) -> Payment:
    """What an earlier look found is older, and of several disputes of one payment the worst stands."""
    with transaction.atomic():
        payment = Payment.objects.select_for_update().get(provider=provider, provider_id=found.payment_id)
        _, seen_at, _ = payment.disputes.get(found.id, ("", "", 0))
        if not seen_at or datetime.fromisoformat(seen_at) <= begun:
            payment.disputes[found.id] = [found.status, begun.isoformat(), _lost(payment, found)]
            payment.disputed = min((status for status, *_ in payment.disputes.values()), key=WORST_FIRST.index)
            payment.lost = min(sum(lost for *_, lost in payment.disputes.values()), payment.amount)
            payment.lost_at = (payment.lost_at or begun) if payment.lost else None
            payment.save(update_fields=["disputes", "disputed", "lost", "lost_at"])
        return payment


def _lost(payment: Payment, found: Disputed) -> int:
    """In the payment's currency: what is told in another one is taken for all of it, for rates are the provider's."""
    if found.status != LOST:
        return 0
    return found.amount if found.currency.upper() == payment.currency else payment.amount


def _count_refunds(payment: Payment) -> None:
    done = payment.share_of(payment.refunds.filter(status=Refund.Status.SUCCEEDED))
    payment.refunded = min(done, payment.amount)
    if payment.refunded and payment.refunded == payment.amount:
        payment.status = Payment.Status.REFUNDED
    elif payment.status == Payment.Status.REFUNDED:
        # A refund may fail after it had succeeded.
        payment.status = Payment.Status.SUCCEEDED
    payment.save(update_fields=["refunded", "status"])
