"""What finished calls cost, at the prices of this moment: for whoever must know before the record arrives."""

import json
from collections.abc import Sequence

from django.db import connection

from core.calls import VendorCall

COST = """
SELECT CASE WHEN bool_and(cost IS NOT NULL) THEN sum(cost)::bigint END
FROM unnest(%s::text[], %s::text[], %s::text[], %s::text[]) AS made (vendor, operation, model, units),
    LATERAL vendor_cost(made.vendor, made.operation, made.model, made.units::jsonb, now()) AS cost
"""


def price_of(calls: Sequence[VendorCall]) -> int | None:
    """In micro-dollars; None where the price of any is not known."""
    columns = [
        [call.vendor for call in calls],
        [call.operation for call in calls],
        [call.model for call in calls],
        [json.dumps(dict(call.units)) for call in calls],
    ]
    with connection.cursor() as cursor:
        cursor.execute(COST, columns)
        row = cursor.fetchone()
    return row[0] if row else None
