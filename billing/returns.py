"""What came back of a payment at its provider: found even where the event that told of it was lost."""

from billing.models import Payment, Refund
from billing.providers.contract import Provider
from billing.settling import look_at_dispute, look_at_refund


def look_at_returns(provider: Provider, payment: Payment) -> None:
    """At each refund and dispute of which the provider's list says something else than we do."""
    found = provider.returns(payment.provider_id)
    refunds = dict(Refund.objects.filter(payment=payment).values_list("provider_id", "status"))
    for listed in found.refunds:
        if refunds.get(listed.id, "").lower() != listed.status:
            look_at_refund(provider, listed.id)
    for listed in found.disputes:
        if payment.disputes.get(listed.id, [""])[0] != listed.status:
            look_at_dispute(provider, listed.id)
