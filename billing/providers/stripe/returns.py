"""What Stripe lists of an invoice that was given back or disputed; both know only the intent by which it was paid."""

from collections.abc import Callable, Iterator

from billing.providers.contract import Listed, Returns
from billing.providers.stripe import asking
from billing.providers.stripe.reading import DISPUTES, REFUNDS, Row, entry, id_of, payments_of, required, text


def returned(invoice: Row) -> Returns:
    paid = [entry(row.get("payment")) for row in payments_of(invoice) if row.get("status") == "paid"]
    intents = [*filter(None, (id_of(payment.get("payment_intent")) for payment in paid))]
    return Returns(
        refunds=tuple(_listed("refunds", intents, lambda status: REFUNDS.get(status, ""))),
        disputes=tuple(_listed("disputes", intents, lambda status: DISPUTES.get(status, "open"))),
    )


def _listed(what: str, intents: list[str], in_our_words: Callable[[str], str]) -> Iterator[Listed]:
    for intent in intents:
        for row in asking.pages(what, what, payment_intent=intent):
            yield Listed(id=required(row, "id"), status=in_our_words(text(row.get("status"))))
