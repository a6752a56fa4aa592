"""Bells: one thread rings for all of a process, and the newest row of a request is enough."""

import time
from uuid import uuid4

from analysis import live
from analysis.tests.listening import until
from core import streams


def rung(request_id):
    return [event.event_id for event in streams.read(live.stream_of(request_id))]


def test_a_request_with_many_new_rows_is_rung_for_up_to_the_newest():
    first, second = uuid4(), uuid4()
    for told in range(1, 200):
        live.ring(first, told)
    live.ring(second, 7)
    until(lambda: rung(first)[-1:] == ["199"] and rung(second) == ["7"])
    assert len(rung(first)) < 20


def test_a_step_that_wrote_no_row_rings_nothing():
    live.ring(silent := uuid4(), None)
    live.ring(other := uuid4(), 1)
    until(lambda: rung(other) == ["1"])
    assert rung(silent) == []


def test_bells_ring_again_once_redis_is_back(settings):
    real, settings.REDIS_URL = settings.REDIS_URL, "redis://127.0.0.1:1/0"
    lost, later = uuid4(), uuid4()
    live.ring(lost, 1)
    time.sleep(5 * live.MOMENT_SECONDS)
    settings.REDIS_URL = real
    live.ring(later, 2)
    until(lambda: rung(later) == ["2"])
    assert rung(lost) == []
