"""Giving money back: one refund of a payment at a time, settled by a look at it, and not by what was answered."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

from django.db.models import Q
from django.db.models.functions import Now

from billing.models import Payment, Refund
from billing.providers.contract import Provider
from billing.settling import database_now, look_at_refund
from core.errors import UNCLEAR, Conflict, VendorUnavailable

# Longer than a provider may take for all that a refund asks of it, and for what it does after we stopped waiting.
LEASE = timedelta(minutes=5)


class BeingGivenBack(Conflict):
    """This payment is being given back, or was asked to be and nobody knows yet. Look again in five minutes."""

    code = "being_given_back"
    retryable = True


def send_back(provider: Provider, payment: Payment, *, amount: int | None, reason: str, once: str) -> Refund:
    """What the provider answers may be an old answer to the same key, so how the refund stands now is looked up."""
    found = provider.refund(payment.provider_id, amount=amount, reason=reason, once=once)
    refund = look_at_refund(provider, found.id)
    if refund is None:
        raise VendorUnavailable("The provider has taken the refund, and does not show it yet.")
    return refund


@contextmanager
def alone_with(payment: Payment) -> Iterator[None]:
    """Nobody else gives back of it meanwhile. A lease and not a lock: no transaction stays open while a bank thinks.

    Where nobody knows what came of it, it stays held until it can be seen at the provider.
    """
    until = database_now() + LEASE
    free = Payment.objects.filter(Q(refunding_until=None) | Q(refunding_until__lt=Now()), pk=payment.pk)
    if not free.update(refunding_until=until):
        raise BeingGivenBack
    held = Payment.objects.filter(pk=payment.pk, refunding_until=until)
    try:
        yield
    except UNCLEAR:
        raise
    except BaseException:
        held.update(refunding_until=None)
        raise
    held.update(refunding_until=None)
