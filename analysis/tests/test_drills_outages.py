"""The short form of the drills in which Redis or PostgreSQL is away for a while, and of a deployment."""

from typing import Any

import pytest

from analysis.tests.drilling import drill

NAMES = ("deploy", "hung", "hung-api", "half-open", "locked", "exhausted")


@pytest.fixture(scope="module")
def seen() -> dict[str, dict[str, Any]]:
    return drill(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_every_invariant_holds(seen, name):
    assert seen[name]["broken"] == []


def test_a_deployment_loses_nothing(seen):
    assert (seen["deploy"]["completed"], seen["deploy"]["failed"]) == (2, 0)


def test_requests_are_taken_while_redis_hangs(seen):
    assert (seen["hung"]["requests"], seen["hung"]["completed"]) == (20, 80)
    assert sum(seen["hung-api"]["answers"].values()) == 16


def test_every_worker_hears_again_after_its_way_to_redis_was_a_hole(seen):
    assert len(seen["half-open"]["heard_again_after"]) == 4


@pytest.mark.parametrize("name", ["locked", "exhausted"])
def test_all_is_worked_off_once_postgresql_can_be_used_again(seen, name):
    assert (seen[name]["completed"], seen[name]["failed"]) == (40, 0)
