"""Writing down what other parts announce."""

import json
import time
from datetime import UTC, datetime

import structlog
from django.db import IntegrityError, OperationalError

from accounts.events import AuthenticationEvent
from analytics.models import AuthenticationLog
from core.calls import VendorCall
from core.ids import uuid7
from core.redaction import redacted
from core.spool import Spool, SpoolFull

CALL_COLUMNS = (
    "id", "created_at", "vendor", "operation", "model", "status", "outcome", "duration_ms", "attempts", "units",
    "error", "request_id", "user_id", "analysis_id", "chat_id",
)  # fmt: skip
# A cost must not get lost, so the caller waits for room; for a while, since it holds a worker.
WAIT_FOR_ROOM_SECONDS = 5.0
LONGEST_ERROR = 500

logger = structlog.get_logger(__name__)
calls = Spool("analytics_externalapicalllog", CALL_COLUMNS)


def record_authentication(fact: AuthenticationEvent) -> None:
    try:
        _keep(fact)
    except (IntegrityError, OperationalError):
        # Its month was being made under it, or the table was locked for that: by now it is there.
        _keep(fact)


def _keep(fact: AuthenticationEvent) -> None:
    AuthenticationLog.objects.create(
        user=fact.user,
        event=fact.event,
        success=fact.success,
        reason=fact.reason,
        ip=fact.ip or None,
        user_agent=fact.user_agent.replace("\x00", ""),
        request_id=fact.request_id,
    )


def record_call(call: VendorCall, *, patience: float = WAIT_FOR_ROOM_SECONDS) -> None:
    """Write a finished call down, beside whatever transaction is under way: a cost outlives its rollback."""
    row, deadline = _row(call), time.monotonic() + patience
    while not _written(row):
        if time.monotonic() > deadline:
            # The log is the last place left: from there the row can still be written by hand.
            logger.error("vendor_call_not_recorded", row=dict(zip(CALL_COLUMNS, row, strict=True)))
            return
        time.sleep(0.1)


def _written(row: tuple[object, ...]) -> bool:
    try:
        calls.append(row)
    except SpoolFull:
        return False
    return True


def _row(call: VendorCall) -> tuple[object, ...]:
    return (
        uuid7(),
        datetime.now(UTC),
        call.vendor,
        call.operation,
        call.model,
        call.status,
        call.outcome,
        call.duration_ms,
        call.attempts,
        json.dumps(redacted(call.units), ensure_ascii=False),
        redacted(call.error)[:LONGEST_ERROR],
        call.request_id or "",
        call.behalf.user_id,
        call.behalf.analysis_id,
        call.behalf.chat_id,
    )
