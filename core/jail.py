"""Work that may crash, hang or be led astray, in a process of its own: bounded in time, memory, files and reach.

    found = jail.run("social.media.decode", {"path": str(path)}, seconds=60, memory_mb=1000)

and the module, which imports nothing of Django, ends with

    if __name__ == "__main__":
        jail.serve(decode)

The process starts with an empty environment, so with none of our keys. It cannot open a connection, or with
`reach="public"` none to an address of a private network, whatever a name resolves to at that moment.
"""

import ctypes
import json
import os
import resource
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal

import structlog

from core import errors

ROOT = Path(__file__).resolve().parent.parent
MOST_OUTPUT = 64_000_000
CLONE_NEWNET, CLONE_NEWUSER, PR_SET_PDEATHSIG = 0x40000000, 0x10000000, 1
Reach = Literal["nothing", "public"]

log = structlog.get_logger(__name__)


class JailBroken(errors.Problem):
    """This could not be read: the work on it was stopped."""

    code = "internal"


def run(
    module: str,
    job: Mapping[str, Any],
    *,
    seconds: float,
    memory_mb: int,
    file_mb: int = 0,
    reach: Reach = "nothing",
    environment: Mapping[str, str] | None = None,
) -> Any:
    """What the module's work returned. VendorTimeout, or JailBroken with what ended it; a Refusal is raised as such."""
    bounds = {"seconds": seconds, "memory_mb": memory_mb, "file_mb": file_mb, "reach": reach}
    process = subprocess.Popen(
        [sys.executable, "-m", module],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=ROOT,
        env={"PATH": os.environ.get("PATH", ""), "PYTHONIOENCODING": "utf-8", **(environment or {})},
        start_new_session=True,
    )
    with process:
        output = _converse(process, json.dumps({"bounds": bounds, "job": job}).encode(), seconds)
    return _read(output, module, process.returncode)


class Refusal(Exception):
    """What the work says of its own accord: a code, and details."""

    def __init__(self, code: str, **details: Any) -> None:
        self.code, self.details = code, details
        super().__init__(code)


def _converse(process: subprocess.Popen[bytes], job: bytes, seconds: float) -> bytes:
    late = threading.Timer(seconds, _end, (process,))
    late.start()
    try:
        errors_of = threading.Thread(target=_drain, args=(process,), daemon=True)
        errors_of.start()
        with suppress(BrokenPipeError):
            process.stdin.write(job)  # type: ignore[union-attr]
            process.stdin.close()  # type: ignore[union-attr]
        output = process.stdout.read(MOST_OUTPUT)  # type: ignore[union-attr]
        process.wait()
    finally:
        # A call that hangs in C hears no signal but this one; nor may what it started outlive it.
        late.cancel()
        _end(process)
    if late.finished.is_set() and process.returncode == -signal.SIGKILL and not output:
        raise errors.VendorTimeout(details={"seconds": seconds})
    return output


def _drain(process: subprocess.Popen[bytes]) -> None:
    with suppress(ValueError, OSError):
        for line in process.stderr or ():
            log.debug("jail_said", line=line[:500].decode("utf-8", "replace").rstrip())


def _end(process: subprocess.Popen[bytes]) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)


def _read(output: bytes, module: str, code: int | None) -> Any:
    try:
        said = json.loads(output)
    except ValueError:
        raise JailBroken(details={"module": module, "exit": code}) from None
    if "refused" in said:
        raise Refusal(said["refused"], **said["details"])
    if "broken" in said:
        raise JailBroken(details={"module": module, "problem": said["broken"]})
    return said["result"]


def serve(act: Callable[[Any], Any]) -> None:
    """Inside: take the job, draw the bounds, do it, say what came of it."""
    asked = json.load(sys.stdin)
    # Whatever a library prints must not end up in the answer.
    answers, sys.stdout = os.fdopen(os.dup(1), "w"), sys.stderr
    os.dup2(2, 1)
    _bound(**asked["bounds"])
    json.dump(_attempt(act, asked["job"]), answers)
    answers.flush()


def _attempt(act: Callable[[Any], Any], job: Any) -> dict[str, Any]:
    try:
        return {"result": act(job)}
    except Refusal as refusal:
        return {"refused": refusal.code, "details": refusal.details}
    except Exception as problem:  # noqa: BLE001 - it cannot pass the wall between two processes in any other way
        return {"broken": f"{type(problem).__name__}: {problem}"[:500]}


def _bound(*, seconds: float, memory_mb: int, file_mb: int, reach: Reach) -> None:
    with suppress(AttributeError, OSError):
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    _limit(resource.RLIMIT_AS, memory_mb * 2**20)
    _limit(resource.RLIMIT_FSIZE, file_mb * 2**20)
    _limit(resource.RLIMIT_CPU, int(seconds) + 1)
    _limit(resource.RLIMIT_CORE, 0)
    if reach == "nothing":
        with suppress(AttributeError, OSError):
            # Refused where the machine forbids it; the hook below holds for whatever Python opens.
            ctypes.CDLL(None).unshare(CLONE_NEWUSER | CLONE_NEWNET)
    sys.addaudithook(_refuse_sockets if reach == "nothing" else _refuse_private)


def _limit(which: int, most: int) -> None:
    with suppress(ValueError, OSError):
        resource.setrlimit(which, (most, most))


def _refuse_sockets(event: str, arguments: tuple[Any, ...]) -> None:
    if event in {"socket.connect", "socket.sendto", "socket.getaddrinfo"}:
        raise PermissionError(event)


def _refuse_private(event: str, arguments: tuple[Any, ...]) -> None:
    # To be completed by whoever reaches out: see core/addresses.py.
    if event in {"socket.connect", "socket.sendto"}:
        raise PermissionError(event)
