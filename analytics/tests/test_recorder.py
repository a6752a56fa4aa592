"""A finished call to a vendor is written down at once, whatever becomes of the transaction around it."""

from pathlib import Path
from typing import Any

import pytest
from django.db import connection, transaction
from structlog.testing import capture_logs

from accounts.models import User
from analytics import recorder
from analytics.models import ExternalAPICallLog
from core.calls import VendorCall, announce, on_behalf_of
from core.ids import uuid7


@pytest.fixture(autouse=True)
def spool(settings, tmp_path) -> Any:
    settings.SPOOL_DIR = tmp_path
    recorder.calls.close()
    yield tmp_path
    recorder.calls.close()


def ship(spool: Path) -> list[ExternalAPICallLog]:
    """What the shipper does, without its care."""
    (segment,) = spool.glob("*.rows")
    header, _, rows = segment.read_bytes().rstrip(b"\x00").partition(b"\n")
    table, columns = header.decode().split("\t")
    with connection.cursor() as cursor, cursor.copy(f"COPY {table} ({columns}) FROM STDIN") as into:
        into.write(rows)
    return list(ExternalAPICallLog.objects.all())


def call(**fields: Any) -> VendorCall:
    return VendorCall(**{"vendor": "acme", "operation": "posts", "outcome": "ok", "duration_ms": 12, **fields})


@pytest.mark.django_db
def test_a_call_becomes_a_row(spool):
    user, analysis = uuid7(), uuid7()
    with on_behalf_of(user_id=user, analysis_id=analysis):
        announce(call(model="m-1", units={"records": 3}, status=200, attempts=2, request_id="a-request"))
    (row,) = ship(spool)
    assert (row.vendor, row.operation, row.model, row.status, row.attempts) == ("acme", "posts", "m-1", 200, 2)
    assert (row.user_id, row.analysis_id, row.chat_id, row.request_id) == (user, analysis, None, "a-request")
    assert (row.units, row.cost_micros) == ({"records": 3}, None)


@pytest.mark.django_db(transaction=True, serialized_rollback=True)
def test_a_rollback_does_not_hide_a_cost(spool):
    with transaction.atomic():
        User.objects.create_user("gone@example.com", "a long password")
        announce(call())
        transaction.set_rollback(True)
    assert User.objects.count() == 0
    assert len(ship(spool)) == 1


@pytest.mark.django_db
def test_no_text_of_a_vendor_spoils_a_row(spool):
    units: Any = {"odd\x00\n\t\\": 1, "\ud800": 10**30}
    announce(call(error="a\x00b\n\\N\ttoken=abcdefgh12345678 " + "x" * 5000, units=units))
    (row,) = ship(spool)
    assert "abcdefgh12345678" not in row.error
    assert len(row.error) <= 500


def test_a_full_spool_is_waited_for_and_then_the_log_holds_the_row(settings):
    settings.SPOOL_MAX_BYTES = 0
    with capture_logs() as logs:
        recorder.record_call(call(units={"records": 3}), patience=0.2)
    (event,) = [line for line in logs if line["event"] == "vendor_call_not_recorded"]
    assert (event["log_level"], event["row"]["vendor"], event["row"]["units"]) == ("error", "acme", '{"records": 3}')
