"""The short form of drill 29: answers on their way, from a real worker through a real server, while everything dies.

`python -m benchmarks.drills leave chat-worker chat-stream chat-redis chat-model` has it at length.
"""

from typing import Any

import pytest

from analysis.tests.drilling import drill

NAMES = ("leave", "chat-worker", "chat-stream", "chat-redis", "chat-model")


@pytest.fixture(scope="module")
def seen() -> dict[str, dict[str, Any]]:
    return drill(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_what_was_shown_is_what_is_kept_and_paid_for(seen, name):
    assert seen[name]["broken"] == []


def test_browsers_that_leave_in_mid_word_show_each_word_once(seen):
    assert (seen["leave"]["complete"], seen["leave"]["disconnects"]) == (12, 120)


def test_an_answer_whose_worker_was_killed_ends_within_a_minute_with_what_was_shown(seen):
    killed = seen["chat-worker"]
    assert killed["interrupted"] == 8
    assert killed["seconds"] < 60


def test_redis_may_die_in_mid_answer_and_be_away_for_those_who_ask(seen):
    assert seen["chat-redis"]["complete"] == 12


def test_the_stream_process_may_be_killed_and_every_browser_hears_the_whole_answer(seen):
    assert seen["chat-stream"]["complete"] == 8


def test_when_the_model_dies_what_was_shown_is_kept_and_who_asks_then_pays_nothing(seen):
    killed = seen["chat-model"]
    assert (killed["interrupted"], killed["failed"]) == (6, 2)
