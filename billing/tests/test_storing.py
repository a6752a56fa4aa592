"""Deliveries that come at once are stored at once, and are nobody else's trouble."""

import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pytest
from django.db import Error as DatabaseProblem
from django.db import connection, transaction

from billing.models import BillingEvent
from billing.storing import MOST, Storing
from core.ids import uuid7
from core.streams import close_connections

pytestmark = pytest.mark.django_db(transaction=True, serialized_rollback=True)
Row = tuple[Any, ...]


def row(delivery: str = "", kind: str = "payment.succeeded") -> Row:
    event_id = uuid7()
    return (event_id, "dodo", delivery or str(event_id), kind, b"{}", "{}", '{"payments": ["pay_1"]}')


def until(true: Callable[[], bool]) -> None:
    end = time.monotonic() + 10
    while not true():
        assert time.monotonic() < end, "it never came to it"
        time.sleep(0.01)


def store_at_once(rows: list[Row]) -> list[Future[bool]]:
    """All of them while the table is shut: the first waits for it, the others for the first."""
    storing = Storing()

    def store(each: Row) -> bool:
        try:
            return storing.store(each)
        finally:
            close_connections()

    with ThreadPoolExecutor(len(rows)) as threads:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("LOCK TABLE billing_billingevent IN EXCLUSIVE MODE")
            first = threads.submit(store, rows[0])
            until(lambda: storing._turn.locked() and not storing._waiting)
            others = [threads.submit(store, each) for each in rows[1:]]
            until(lambda: len(storing._waiting) == len(others))
        return [first, *others]


def commits() -> list[int]:
    """How many rows each transaction wrote, the first first."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM billing_billingevent GROUP BY xmin::text ORDER BY min(created_at)")
        return [count for (count,) in cursor.fetchall()]


def test_one_is_stored_with_what_it_said():
    given = row("msg_1")
    assert Storing().store(given)
    event = BillingEvent.objects.get()
    assert (event.pk, event.provider, event.delivery_id, event.type) == given[:4]
    assert (bytes(event.body), event.about, event.state) == (b"{}", {"payments": ["pay_1"]}, "received")


def test_those_that_come_while_one_is_written_are_written_together():
    assert all(each.result() for each in store_at_once([row() for _ in range(6)]))
    assert commits() == [1, 5]


def test_more_than_one_statement_holds_are_written_in_several():
    assert all(each.result() for each in store_at_once([row() for _ in range(MOST + 3)]))
    assert commits() == [1, MOST, 2]


def test_of_copies_that_come_together_one_is_new():
    together = store_at_once([row("msg_1"), row("msg_2"), row("msg_2"), row("msg_1"), row("msg_3")])
    assert sorted(each.result() for each in together) == [False, False, True, True, True]
    assert BillingEvent.objects.count() == 3


def test_those_that_come_together_are_written_in_one_order_everywhere():
    """Two processes that write the same copies in two orders would each wait for what the other has."""
    for each in store_at_once([row("msg_0"), *(row(f"msg_{number}") for number in (3, 1, 4, 2))]):
        assert each.result()
    with connection.cursor() as cursor:
        cursor.execute("SELECT delivery_id FROM billing_billingevent ORDER BY ctid")
        assert [name for (name,) in cursor.fetchall()] == ["msg_0", "msg_1", "msg_2", "msg_3", "msg_4"]


def test_one_that_cannot_be_stored_is_nobody_elses_trouble():
    first, bad, good, other = store_at_once([row(), row(kind="nu\x00l"), row("msg_1"), row("msg_2")])
    assert [each.result() for each in (first, good, other)] == [True] * 3
    with pytest.raises(DatabaseProblem):
        bad.result()
    assert set(BillingEvent.objects.values_list("delivery_id", flat=True)) > {"msg_1", "msg_2"}
