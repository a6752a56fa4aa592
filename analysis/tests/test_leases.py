"""The thread that says for all of a process that it still holds what it holds."""

import threading
from uuid import UUID

import pytest

from analysis.leases import Leases
from core.ids import uuid7

pytestmark = pytest.mark.django_db(transaction=True, serialized_rollback=True)


def test_it_goes_on_whatever_goes_wrong_at_one_turn():
    turns, went_on = [], threading.Event()

    def renew(held):
        turns.append(held)
        if len(turns) == 1:
            raise ValueError("not of the database")
        went_on.set()

    post = uuid7()
    with Leases(renew=renew, seconds=lambda: 0.06).kept(post, 3, patience=60):
        assert went_on.wait(5)
    assert turns[:2] == [{post: 3}] * 2


def test_whoever_takes_longer_than_it_may_is_not_spoken_for_any_more():
    turns: list[dict[UUID, int]] = []
    with Leases(renew=turns.append, seconds=lambda: 0.06).kept(uuid7(), 1, patience=0):
        threading.Event().wait(0.3)
    assert turns == []
