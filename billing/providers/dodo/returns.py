"""What Dodo lists of a payment that was given back or disputed: https://docs.dodopayments.com/api-reference/payments"""

from collections.abc import Iterator, Mapping
from typing import Any

from billing.providers.contract import Listed, Returns
from billing.providers.dodo.reading import DISPUTES, REFUNDS, identity, record, text


def returned(payment: Mapping[str, Any]) -> Returns:
    return Returns(
        refunds=tuple(_listed(payment.get("refunds"), "refund_id", "status", REFUNDS)),
        disputes=tuple(_listed(payment.get("disputes"), "dispute_id", "dispute_status", DISPUTES)),
    )


def _listed(rows: object, key: str, status: str, words: Mapping[str, str]) -> Iterator[Listed]:
    """One in a state that is new to us has none in our words, and so is looked at."""
    for row in map(record, rows if isinstance(rows, list) else []):
        yield Listed(id=identity(row, key), status=words.get(text(row.get(status)), ""))
