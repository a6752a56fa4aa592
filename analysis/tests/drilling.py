"""Runs drills in their short form, in a process of their own with PostgreSQL and Redis of its own."""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]


def drill(names: Sequence[str], *options: str) -> dict[str, dict[str, Any]]:
    """What each drill saw, by its name."""
    command = [sys.executable, "-m", "benchmarks.drills", *names, "--short", *options]
    ran = subprocess.run(command, cwd=ROOT, env=os.environ.copy(), capture_output=True, text=True, check=False)
    outcomes = [json.loads(line) for line in ran.stdout.splitlines() if line.startswith("{")]
    assert [outcome["drill"] for outcome in outcomes] == list(names), ran.stderr[-3000:]
    return {outcome["drill"]: outcome for outcome in outcomes}
