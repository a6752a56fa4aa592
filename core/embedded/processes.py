"""Starting, watching and stopping the servers' processes."""

import contextlib
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from core.embedded.places import EmbeddedServerProblem

START_SECONDS = 30.0
STOP_SECONDS = 15.0
# The servers outlive the code that started them; Python warns about a process that nobody holds any more.
_started: dict[int, subprocess.Popen[bytes]] = {}


def spawn(command: list[str], *, log: Path) -> subprocess.Popen[bytes]:
    with open(log, "ab") as output:
        # A session of its own: Ctrl-C in the terminal reaches us, and we stop the servers last.
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True, cwd="/"
        )
    _started[process.pid] = process
    return process


def wait_until(ready: Callable[[], bool], process: subprocess.Popen[bytes], name: str, log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while not ready():
        if process.poll() is not None:
            raise EmbeddedServerProblem(f"{name} stopped while starting: {last_line(log)}")
        if time.monotonic() > deadline:
            raise EmbeddedServerProblem(f"{name} did not answer within {START_SECONDS:.0f} s; see {log}.")
        time.sleep(0.03)


def stop(pid: int, how: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, FileNotFoundError):
        os.kill(pid, how)
        deadline = time.monotonic() + STOP_SECONDS
        while time.monotonic() < deadline:
            if pid in _started:
                # A child of ours stays visible until it is waited for.
                _started[pid].poll()
            if _has_ended(pid):
                return
            time.sleep(0.03)
        os.kill(pid, signal.SIGKILL)


def _has_ended(pid: int) -> bool:
    """Gone, or a zombie: one that nobody waits for, as in many containers, is there for ever and does nothing."""
    os.kill(pid, 0)
    status = Path(f"/proc/{pid}/stat")
    return status.exists() and status.read_text().rpartition(")")[2].split()[0] == "Z"


def program_of(pid: int) -> str:
    kernel_file = Path(f"/proc/{pid}/comm")
    if kernel_file.parent.parent.joinpath("self").exists():
        return kernel_file.read_text().strip() if kernel_file.exists() else ""
    answer = subprocess.run(["ps", "-o", "comm=", "-p", str(pid)], capture_output=True, text=True, check=False)
    return Path(answer.stdout.strip()).name


def last_line(log: Path) -> str:
    lines = log.read_text(errors="replace").strip().splitlines()
    return lines[-1] if lines else f"see {log}"


def remove_folder(folder: Path) -> None:
    if folder.exists():
        shutil.rmtree(folder)
