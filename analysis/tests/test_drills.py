"""The short form of the drills: real workers, with PostgreSQL and Redis of their own, and everything that breaks.

`python -m benchmarks.drills` has all of them, at length.
"""

import sys
from typing import Any

import pytest

from analysis.tests.drilling import drill

# What processes hold is found in /proc.
LINUX = ("memory",) if sys.platform == "linux" else ()
NAMES = ("points", "load", "poison", *LINUX, "wiped", "restarted", "commit")


@pytest.fixture(scope="module")
def seen() -> dict[str, dict[str, Any]]:
    return drill(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_every_invariant_holds(seen, name):
    assert seen[name]["broken"] == []


def test_a_process_that_is_killed_at_any_point_of_any_stage_costs_one_call_at_most(seen):
    points = seen["points"]
    assert points["crashes"] == points["completed"] == 20
    assert points["extra_calls"] == 10


def test_workers_that_are_killed_under_load_lose_nothing(seen):
    load = seen["load"]
    assert (load["faults"], load["completed"], load["failed"]) == (5, 120, 0)
    assert load["extra_calls"] <= load["in_flight_at_faults"]


def test_a_post_that_takes_its_workers_down_fails_alone(seen):
    poison = seen["poison"]
    assert (poison["completed"], poison["failed"]) == (38, 2)
    assert poison["attempts"] == {"transcribe": 3, "media": 3}


@pytest.mark.skipif(not LINUX, reason="Processes are looked at in /proc.")
def test_posts_that_take_all_the_memory_fail_alone_and_leave_nothing_behind(seen):
    memory = seen["memory"]
    assert (memory["completed"], memory["failed"]) == (28, 2)
    assert memory["codes"] == ["internal", "gave_up"]
    assert memory["attempts"] == [3, 3]
    assert memory["connections_left"] == 0


def test_redis_may_be_wiped_in_the_middle(seen):
    assert seen["wiped"]["completed"] == 300
    assert min(seen["wiped"]["open_when_wiped"]) > 0


def test_postgresql_may_be_restarted_in_the_middle(seen):
    assert seen["restarted"]["completed"] == 350
    assert min(seen["restarted"]["open_when_restarted"]) > 0


def test_requests_whose_taker_died_before_any_message_was_sent_are_worked_off(seen):
    assert seen["commit"]["completed"] == 50
