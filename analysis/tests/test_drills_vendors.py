"""The short form of the drills of troublesome vendors, of a quota that many want, and of records that must survive."""

from typing import Any

import pytest

from analysis.tests.drilling import drill

NAMES = ("storm", "silence", "garbage", "quota", "records")


@pytest.fixture(scope="module")
def seen() -> dict[str, dict[str, Any]]:
    # Which answers the storm spoils, and so how many calls it takes, hangs on the seed alone.
    return drill(NAMES, "--seed", "2")


@pytest.mark.parametrize("name", NAMES)
def test_every_invariant_holds(seen, name):
    assert seen[name]["broken"] == []


def test_every_post_comes_through_a_storm(seen):
    assert (seen["storm"]["completed"], seen["storm"]["failed"]) == (24, 0)


def test_a_vendor_that_never_answers_costs_each_post_one_more_call(seen):
    assert (seen["silence"]["completed"], seen["silence"]["asked"]) == (12, 24)


def test_nonsense_fails_its_post_alone(seen):
    assert (seen["garbage"]["completed"], seen["garbage"]["failed"]) == (10, 40)


def test_no_more_is_granted_than_there_is(seen):
    assert seen["quota"]["most_at_any_moment"] == 100
    assert seen["quota"]["answers"]["refused"] > 0


def test_what_was_answered_and_what_was_paid_for_is_recorded(seen):
    records = seen["records"]
    assert records["rows"] == sum(records["answers"].values()) > 100
    assert records["completed"] == 40
    assert records["cost_rows"] >= records["calls_made"] >= 200
