"""The short form of the drills about webhooks: real servers, real workers, and both providers.

`python -m benchmarks.drills copies forged event-crash events` has them at length.
"""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
NAMES = ("copies", "forged", "event-crash", "events")


@pytest.fixture(scope="module")
def seen() -> dict[str, dict[str, Any]]:
    """What each drill saw, by its name."""
    command = [sys.executable, "-m", "benchmarks.drills", *NAMES, "--short"]
    ran = subprocess.run(command, cwd=ROOT, env=os.environ.copy(), capture_output=True, text=True, check=False)
    outcomes = [json.loads(line) for line in ran.stdout.splitlines() if line.startswith("{")]
    assert [outcome["drill"] for outcome in outcomes] == list(NAMES), ran.stdout[-3000:] + ran.stderr[-3000:]
    return {outcome["drill"]: outcome for outcome in outcomes}


@pytest.mark.parametrize("name", NAMES)
def test_everything_holds(seen, name):
    assert seen[name]["broken"] == []


def test_each_event_takes_effect_once_however_many_send_it_at_the_same_moment(seen):
    copies = seen["copies"]
    assert copies["answers"] == {"200": copies["events"] * copies["copies"]}
    assert copies["kept"] == copies["events"]
    assert copies["charges"] == copies["people"]


def test_what_is_forged_leaves_a_count_and_nothing_else(seen):
    forged = seen["forged"]
    # 0 is for those who talked for too long to hear the 413.
    assert {*forged["answers"]} - {"0", "413"} == {"200", "400", "401", "503"}
    assert forged["stored"] == forged["answers"]["200"] == 2
    assert forged["counted"] > 100
    # One for each provider and reason; and twice as many where the hour ends just then.
    assert forged["rows_of_refused"] <= 2 * 8


def test_an_event_that_is_stored_takes_effect_though_everybody_dies_of_it(seen):
    crash = seen["event-crash"]
    assert crash["untold"] >= crash["fatal"] == crash["crashes"] == 2


def test_no_event_is_lost_with_a_worker_that_is_killed(seen):
    events = seen["events"]
    assert events["answers"] == {"200": events["sent"]}
    assert events["kept"] == events["events"]
    assert min(events["left_at_kills"]) > 0
