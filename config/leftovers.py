"""What a run writes down about itself, so that the next one can name it or clear up after it."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

STOP_SECONDS = 8.0


def write_record(home: Path, record: dict[str, Any]) -> None:
    fresh = home / "run.json.new"
    fresh.write_text(json.dumps(record))
    fresh.rename(home / "run.json")


def read_record(home: Path) -> dict[str, Any]:
    try:
        record = json.loads((home / "run.json").read_text())
    except (OSError, ValueError):
        return {}
    return record if isinstance(record, dict) else {}


def end_leftovers(home: Path) -> int:
    """End what a killed run left behind, and say how many processes that were."""
    groups = set(read_record(home).get("children", {}).values())
    found = _members(groups)
    for number in (signal.SIGTERM, signal.SIGKILL):
        for pid in _members(groups):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)
        _wait_for_end(groups)
    return len(found)


def _wait_for_end(groups: set[int]) -> None:
    deadline = time.monotonic() + STOP_SECONDS
    while _members(groups) and time.monotonic() < deadline:
        time.sleep(0.1)


def _members(groups: set[int]) -> list[int]:
    # The number of a process group can come round again; the interpreter of this checkout tells ours from strangers.
    return [pid for pid, group, command in processes() if group in groups and command.startswith(sys.executable)]


def processes() -> Iterator[tuple[int, int, str]]:
    if not Path("/proc/self/stat").exists():
        answer = subprocess.run(["ps", "-axo", "pid=,pgid=,command="], capture_output=True, text=True, check=False)
        for line in answer.stdout.splitlines():
            pid, group, command = line.split(maxsplit=2)
            yield int(pid), int(group), command
        return
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            # It may end while we look at it.
            with contextlib.suppress(OSError):
                # The second field is a name in brackets that may hold anything; the group is the third after it.
                group = (folder / "stat").read_text().rpartition(")")[2].split()[2]
                yield int(folder.name), int(group), (folder / "cmdline").read_text(errors="replace").replace("\0", " ")
