"""Work that may crash, hang or be led astray, in a process of its own: bounded in time, memory, files and reach.

    found = jail.run("social.jailed.decode", {"path": str(path)}, seconds=60, memory_mb=1500)

and the module, which imports nothing of Django, ends with

    if __name__ == "__main__":
        jail.serve(decode)

The process starts with an empty environment, so with none of our keys. It opens no connection, or with
`reach="public"` none to an address of a private network, whatever a name resolves to at that moment: the rule is asked
when a socket connects. What it starts itself (yt-dlp's JavaScript runtime) is outside that rule, inside all the others.
"""

import ctypes
import json
import os
import resource
import signal
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from ipaddress import ip_address
from pathlib import Path
from typing import IO, Any, Literal

import structlog

from core import errors
from core.networks import is_public

ROOT = Path(__file__).resolve().parent.parent
MOST_OUTPUT, LINES_KEPT, LONGEST_LINE = 32_000_000, 20, 500
MOST_FILES = 256
CLONE_NEWNET, CLONE_NEWUSER, PR_SET_PDEATHSIG = 0x40000000, 0x10000000, 1
Reach = Literal["nothing", "public"]

log = structlog.get_logger(__name__)


class JailBroken(errors.Problem):
    """This could not be read: the work on it was stopped."""


class Refusal(Exception):
    """What the work says of its own accord: a code, and details."""

    def __init__(self, code: str, **details: Any) -> None:
        self.code, self.details = code, details
        super().__init__(code)


def run(
    module: str,
    job: Mapping[str, Any],
    *,
    seconds: float,
    memory_mb: int,
    file_mb: int = 0,
    reach: Reach = "nothing",
    allowed: Collection[str] = (),
) -> Any:
    """What the module's work returned. VendorTimeout, or JailBroken with what ended it; a Refusal is raised as such.

    No file may grow beyond `file_mb`; `allowed` are "address:port" pairs that may be reached although they are private.
    """
    bounds = {"seconds": seconds, "memory_mb": memory_mb, "file_mb": file_mb, "reach": reach, "allowed": [*allowed]}
    process = subprocess.Popen(
        [sys.executable, "-m", module],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=ROOT,
        env={"PATH": os.environ.get("PATH", ""), "PYTHONIOENCODING": "utf-8"},
        start_new_session=True,
    )
    with process:
        output, late, said = _converse(process, json.dumps({"bounds": bounds, "job": job}).encode(), seconds)
    if late:
        raise errors.VendorTimeout(details={"seconds": seconds})
    return _read(output, module, process.returncode, said)


def _converse(process: subprocess.Popen[bytes], job: bytes, seconds: float) -> tuple[bytes, bool, list[str]]:
    """Its answer, whether it was ended for being late, and the last lines it complained with."""
    late = threading.Event()
    clock = threading.Timer(seconds, _end_late, (process, late))
    lines: deque[str] = deque(maxlen=LINES_KEPT)
    # Both at the same time: a pipe that nobody empties stops whoever writes to it.
    listener = threading.Thread(target=_listen, args=(process.stderr, lines), daemon=True)
    clock.start()
    listener.start()
    try:
        _tell(process, job)
        output = process.stdout.read(MOST_OUTPUT)  # type: ignore[union-attr]
    finally:
        # Nothing that it started may outlive it, and a call that hangs in C hears no other signal.
        _end(process)
        process.wait()
        clock.cancel()
        listener.join(1.0)
    return output, late.is_set(), [*lines]


def _tell(process: subprocess.Popen[bytes], job: bytes) -> None:
    with suppress(BrokenPipeError):
        process.stdin.write(job)  # type: ignore[union-attr]
        process.stdin.close()  # type: ignore[union-attr]


def _end_late(process: subprocess.Popen[bytes], late: threading.Event) -> None:
    late.set()
    _end(process)


def _listen(pipe: IO[bytes] | None, lines: deque[str]) -> None:
    with suppress(ValueError, OSError):
        while pipe and (line := pipe.readline(LONGEST_LINE)):
            lines.append(line.decode("utf-8", "replace").rstrip())


def _end(process: subprocess.Popen[bytes]) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)


def _read(output: bytes, module: str, code: int | None, said: list[str]) -> Any:
    try:
        told = json.loads(output)
    except ValueError:
        log.warning("jail_broken", module=module, exit=code, said=said)
        raise JailBroken(details={"module": module, "exit": code}) from None
    if "refused" in told:
        raise Refusal(told["refused"], **told["details"])
    if "broken" in told:
        log.warning("jail_broken", module=module, problem=told["broken"], said=said)
        raise JailBroken(details={"module": module})
    return told["result"]


# Inside


def serve(act: Callable[[Any], Any]) -> None:
    """Take the job, draw the bounds, do it, say what came of it."""
    asked = json.load(sys.stdin)
    # Whatever a library prints must not end up in the answer.
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    _bound(**asked["bounds"])
    json.dump(_attempt(act, asked["job"]), answers)
    answers.flush()
    # The parent ends the whole group once it has read this; threads of a library need not be waited for.
    os._exit(0)


def _attempt(act: Callable[[Any], Any], job: Any) -> dict[str, Any]:
    try:
        return {"result": act(job)}
    except Refusal as refusal:
        return {"refused": refusal.code, "details": refusal.details}
    except Exception as problem:  # noqa: BLE001 - it cannot pass the wall between two processes in any other way
        return {"broken": f"{type(problem).__name__}: {problem}"[:LONGEST_LINE]}


def _bound(*, seconds: float, memory_mb: int, file_mb: int, reach: Reach, allowed: Collection[str]) -> None:
    libc = ctypes.CDLL(None) if sys.platform == "linux" else None
    if libc:
        libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    _limit(resource.RLIMIT_AS, memory_mb * 2**20)
    _limit(resource.RLIMIT_FSIZE, file_mb * 2**20)
    _limit(resource.RLIMIT_CPU, int(seconds) + 1)
    _limit(resource.RLIMIT_NOFILE, MOST_FILES)
    _limit(resource.RLIMIT_CORE, 0)
    # A file that grows too large is an error to be told, not the end.
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    if libc and reach == "nothing":
        # For what is not Python. Where the machine forbids it, the rule below still holds for what is.
        libc.unshare(CLONE_NEWUSER | CLONE_NEWNET)
    sys.addaudithook(_Rule(reach, frozenset(allowed)))


def _limit(which: int, most: int) -> None:
    _, hard = resource.getrlimit(which)
    with suppress(ValueError, OSError):
        resource.setrlimit(which, (most, most if hard == resource.RLIM_INFINITY else min(most, hard)))


class _Rule:
    """Asked by Python itself before anything is connected to; it cannot be taken away again."""

    def __init__(self, reach: Reach, allowed: frozenset[str]) -> None:
        self.reach, self.allowed = reach, allowed

    def __call__(self, event: str, arguments: tuple[Any, ...]) -> None:
        if event in {"socket.bind", "socket.sendmsg"} or (self.reach == "nothing" and event == "socket.getaddrinfo"):
            raise PermissionError(event)
        if event in {"socket.connect", "socket.sendto"} and not self._may_reach(arguments[1]):
            raise PermissionError(event)

    def _may_reach(self, address: Any) -> bool:
        # A path is a socket of this machine; a name would be resolved after it was looked at.
        if not isinstance(address, tuple):
            return False
        if f"{address[0]}:{address[1]}" in self.allowed:
            return True
        try:
            return self.reach == "public" and is_public(ip_address(address[0]))
        except ValueError:
            return False
