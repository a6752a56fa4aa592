"""What is left of a delivery that was refused: one more in the count of its hour.

Whoever sends forged ones can send as many as they like, so a row for each would be theirs to fill the disk with. The
access log has the request itself, as it has any other.
"""

from contextlib import suppress
from datetime import timedelta

import structlog
from django.db import DatabaseError
from django.db.models.functions import Now

from billing.models import RefusedDelivery
from core.errors import Problem
from core.ids import uuid7
from core.models import delete_in_batches
from core.statements import ask

KEPT = timedelta(days=90)
# Whoever is next waits for the row as long as it is being written; a count need not outlive a power cut, so the disk is
# not waited for.
COUNT = """
WITH quick AS MATERIALIZED (SELECT set_config('synchronous_commit', 'off', true))
INSERT INTO billing_refuseddelivery AS counted
    (id, created_at, provider, code, hour, count, last_at, address, bytes, request_id)
SELECT %(id)s, now(), %(provider)s, %(code)s, date_trunc('hour', now(), 'UTC'), 1, now(), %(address)s, %(bytes)s,
    %(request_id)s FROM quick
ON CONFLICT (provider, code, hour) DO UPDATE SET count = counted.count + 1, last_at = excluded.last_at,
    address = excluded.address, bytes = excluded.bytes, request_id = excluded.request_id
RETURNING count
"""

log = structlog.get_logger(__name__)


def count_refused(provider: str, problem: Problem, *, size: int, address: str, request_id: str) -> None:
    """Count it, and say so where it is the first of its hour. It stays refused where nobody can count."""
    said = {"provider": provider, "code": problem.code, "bytes": size}
    with suppress(DatabaseError):
        rows = ask(COUNT, {"id": uuid7(), "address": address, "request_id": request_id, **said})
        if rows == [(1,)]:
            log.warning("webhook_refused", **said)


def forget_refused() -> int:
    return delete_in_batches(RefusedDelivery.objects.filter(created_at__lt=Now() - KEPT))
