"""The processes that `make run` holds: started together, mirrored line by line, started again when they die."""

import contextlib
import ctypes
import os
import selectors
import signal
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

STOP_SECONDS = 8.0
STARTING_SECONDS = 10.0
RESTARTS_PER_MINUTE = 5
LINES_TO_REMEMBER = 15
PR_SET_PDEATHSIG = 1
libc = ctypes.CDLL(None) if sys.platform == "linux" else None


class ChildDied(Exception):
    """A process that has to run does not."""


@dataclass(slots=True)
class Child:
    """One process, with whatever it starts itself in a session of its own."""

    name: str
    command: list[str]
    environment: dict[str, str] = field(default_factory=dict)
    # Asked to stop when all others have ended: it finishes what they leave behind.
    ends_last: bool = False
    process: subprocess.Popen[bytes] | None = None
    unfinished_line: bytes = b""
    lines: deque[str] = field(default_factory=lambda: deque(maxlen=LINES_TO_REMEMBER))
    deaths: deque[float] = field(default_factory=lambda: deque(maxlen=RESTARTS_PER_MINUTE + 1))
    started_at: float = 0.0
    settled: bool = False
    start_again_at: float = 0.0

    def start(self) -> None:
        self.started_at = time.monotonic()
        # Ctrl-C in the terminal then reaches only us, and we stop the children in order.
        self.process = subprocess.Popen(
            self.command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=os.environ | {"PYTHONUNBUFFERED": "1"} | self.environment,
            start_new_session=True,
            # Safe because this process has one thread only.
            preexec_fn=_die_with(os.getpid()),
        )

    def read(self) -> list[str] | None:
        """The lines it has said since the last time; None once its output is closed."""
        if self.process is None or self.process.stdout is None:
            return None
        data = os.read(self.process.stdout.fileno(), 65536)
        *whole, self.unfinished_line = (self.unfinished_line + data).split(b"\n")
        lines = [line.decode(errors="replace").rstrip() for line in whole]
        self.lines.extend(lines)
        return lines if data else None

    def is_starting(self, now: float) -> bool:
        return not self.settled and not self.deaths and now - self.started_at < STARTING_SECONDS

    def has_died(self) -> bool:
        if self.process is None:
            return False
        # Only looked at, not collected: as long as it is not, nobody else can have its process group's number.
        seen = os.waitid(os.P_PID, self.process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        return seen is not None

    def signal(self, number: int) -> None:
        # macOS forbids what Linux allows, to signal a group of which only its ended leader is left.
        with contextlib.suppress(ProcessLookupError, PermissionError):
            if self.process:
                os.killpg(self.process.pid, number)

    def collect(self) -> int:
        """End what it left running and take note of its end."""
        if self.process is None:
            return 0
        self.signal(signal.SIGKILL)
        code = self.process.wait()
        if self.process.stdout:
            self.process.stdout.close()
        self.process, self.unfinished_line = None, b""
        return code


def _die_with(parent: int) -> Callable[[], None] | None:
    """On Linux the kernel asks a child to stop when its parent is killed."""
    if libc is None:
        return None

    def ask_kernel() -> None:
        libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != parent:
            os._exit(1)

    return ask_kernel


class Children:
    """All of them, and the one loop that listens to them."""

    def __init__(self, *, say: Callable[[str], None], changed: Callable[[dict[str, int]], None]) -> None:
        self.say = say
        self.changed = changed
        self.held: list[Child] = []
        self.selector = selectors.DefaultSelector()

    def start(self, *children: Child) -> None:
        for child in children:
            self.held.append(child)
            self._start(child)

    def _start(self, child: Child) -> None:
        child.start()
        if child.process and child.process.stdout:
            self.selector.register(child.process.stdout, selectors.EVENT_READ, child)
        self.changed({child.name: child.process.pid for child in self.held if child.process})

    def mirror(self, *, seconds: float) -> None:
        """Repeat what they say, each line under its speaker's name, for at most so long."""
        for key, _ in self.selector.select(seconds):
            lines = key.data.read()
            if lines is None:
                self.selector.unregister(key.fileobj)
            for line in filter(None, lines or []):
                self.say(f"{key.data.name:<8} | {line}")

    def restart_dead(self) -> None:
        now = time.monotonic()
        for child in self.held:
            if child.has_died():
                self._plan_restart(child, now)
            elif child.process is None and now >= child.start_again_at:
                self._start(child)

    def _plan_restart(self, child: Child, now: float) -> None:
        self.mirror(seconds=0.1)
        code = self._collect(child)
        if code > 0 and child.is_starting(now):
            # It gave up by itself: the cause is in its last lines, and trying again rarely helps.
            last = "\n".join(f"    {line}" for line in child.lines) or "    (it said nothing)"
            raise ChildDied(f"{child.name} stopped while starting (exit code {code}). Its last lines:\n{last}")
        child.deaths.append(now)
        lately = sum(1 for death in child.deaths if now - death < 60)
        end = f"signal {-code}" if code < 0 else f"exit code {code}"
        if lately > RESTARTS_PER_MINUTE:
            raise ChildDied(f"{child.name} died {lately} times within a minute, at last with {end}; its lines say why.")
        child.start_again_at = now + lately
        self.say(f"whyral: {child.name} died ({end}) and is started again in {lately} s")

    def stop(self, *, hurry: Callable[[], bool]) -> None:
        """Ask all to stop, and end those that have not after a while, or at once when somebody is in a hurry."""
        self._stop([child for child in self.held if not child.ends_last], hurry)
        self._stop([child for child in self.held if child.ends_last], hurry)

    def _stop(self, children: list[Child], hurry: Callable[[], bool]) -> None:
        for child in children:
            child.signal(signal.SIGTERM)
        deadline = time.monotonic() + STOP_SECONDS
        while any(child.process for child in children):
            self.mirror(seconds=0.05)
            late = hurry() or time.monotonic() > deadline
            for child in children:
                if child.process and (late or child.has_died()):
                    self._collect(child)

    def _collect(self, child: Child) -> int:
        output = child.process.stdout if child.process else None
        if output and output in self.selector.get_map():
            self.selector.unregister(output)
        return child.collect()
