"""The shipper and the months: a row on its way while its month is made."""

import threading
import time
from datetime import UTC, datetime
from threading import Event

import pytest
from django.db import IntegrityError, connection, transaction

from core.ids import uuid7
from logs.models import AppLog, RejectedLine
from logs.partitions import drop_old_partitions, ensure_partitions
from logs.shipper import Shipper

MONTH = datetime(2041, 1, 5, tzinfo=UTC)


def make_month(held):
    with transaction.atomic():
        ensure_partitions(MONTH)
        held.set()
        time.sleep(0.5)
    connection.close()


@pytest.mark.django_db(transaction=True, serialized_rollback=True)
def test_a_row_whose_month_is_made_under_it_is_sent_again(settings, tmp_path):
    settings.SPOOL_DIR = tmp_path
    values = (uuid7(), MONTH, "INFO", "SYSTEM", "logs", "a", "{}", "", "")
    header = "logs_applog\tid,created_at,level,category,logger,message,metadata,request_id,task_id\n"
    (tmp_path / f"{uuid7()}.rows").write_text(header + "\t".join(map(str, values)) + "\n")
    shipper = Shipper(tmp_path)
    held = Event()
    maker = threading.Thread(target=make_month, args=(held,))
    maker.start()
    held.wait()
    with pytest.raises(IntegrityError):
        shipper.ship()
    maker.join()
    shipper.positions = None
    shipper.ship()
    assert AppLog.objects.get().message == "a"
    assert RejectedLine.objects.count() == 0
    with connection.cursor() as cursor:
        cursor.execute("SELECT tableoid::regclass::text FROM logs_applog")
        assert cursor.fetchone() == ("logs_applog_2041_01",)
    drop_old_partitions(datetime(2051, 1, 5, tzinfo=UTC))
    ensure_partitions()
