"""Stages that take time and call nobody, in the places of the real ones; and a trace of what workers did and when.

A worker reads its plan once. It may tell a stage to bring the process down at a point, once for a post or always.
"""

import json
import os
import signal
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from functools import cache
from pathlib import Path
from typing import Any
from uuid import UUID

from analysis import pipeline
from analysis.engine import Work
from analysis.stages.contract import Later, Product
from billing.models import BillingEvent
from core import http
from core.calls import VendorCall, announce
from core.errors import VendorAnswerInvalid

# A link is only followed where there is one: every post here begins at the stage behind it.
NAMES = [name for name in pipeline.STAGES if name != "resolve"]
POINTS = ("claimed", "calling", "made", "checked")
# Of a provider's event, which stands in a plan under its delivery's id: somebody's, and looked at but not ticked off.
EVENT, EVENT_POINTS = "event", ("claimed", "settled")
# The key that a vendor is asked with: it stands in no log, no table and no message.
CANARY = "canary-5b1f0c77d2e94a3f"
# As much as a greedy stage uses, before it waits for its end.
BITE_BYTES, MOST_BITES = 64 * 2**20, 12


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What the stages of a drill do."""

    seconds: Mapping[str, float] = field(default_factory=dict)
    by_default: float = 0.05
    most_tries: int | None = None  # where the deaths of workers are no fault of a post
    crashes: Mapping[str, tuple[str, str]] = field(default_factory=dict)  # the stage and the point, once for each post
    poison: Mapping[str, str] = field(default_factory=dict)  # the stage that always takes its worker down
    hungry: Mapping[str, tuple[str, bool]] = field(default_factory=dict)  # the stage, and whether it uses what it takes
    vendor: str = ""  # an address that the stage called "collect" asks
    deadline: float = 2.0

    def keep(self, folder: Path) -> None:
        (folder / "plan.json").write_text(json.dumps(asdict(self)))


@cache
def plan() -> Plan:
    return Plan(**json.loads((folder() / "plan.json").read_text()))


def folder() -> Path:
    return Path(os.environ["DRILL_FOLDER"])


@cache
def _trace(process: int) -> int:
    return os.open(folder() / "trace", os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)


def note(point: str, work: Work) -> None:
    """One write: a line is there whole or not at all, whoever dies next."""
    line = f"{time.time():.4f} {os.getpid()} {point} {work.id} {work.stage} {work.fence}\n"
    os.write(_trace(os.getpid()), line.encode())


def observe(point: str, work: Work) -> None:
    note(point, work)
    # The last stage is not checked in, it ends.
    _crash_at("checked" if point == "ended" else point, work)


def _crash_at(point: str, work: Work) -> None:
    if plan().crashes.get(str(work.id)) == [work.stage, point] and _is_first(work.id):
        os.kill(os.getpid(), signal.SIGKILL)


def observe_event(point: str, event: BillingEvent) -> None:
    if plan().crashes.get(event.delivery_id) == [EVENT, point] and _is_first(event.pk):
        os.kill(os.getpid(), signal.SIGKILL)


def _is_first(post: UUID) -> bool:
    try:
        os.close(os.open(folder() / f"crashed-{post}", os.O_CREAT | os.O_EXCL))
    except FileExistsError:
        return False
    return True


def _devour(*, uses: bool) -> None:
    """Take memory until there is a limit: of address space, or the patience of whoever watches over the machine."""
    taken: list[bytes] = []
    while not uses or len(taken) < MOST_BITES:
        taken.append(b"x" * BITE_BYTES if uses else bytes(4 * BITE_BYTES))
    time.sleep(60.0)


class Simulated:
    """Everything as the real stage has it, but for what is done."""

    def __init__(self, name: str) -> None:
        self.real = pipeline.STAGES[name]

    def __getattr__(self, name: str) -> Any:
        return getattr(self.real, name)

    @property
    def most_tries(self) -> int:
        return plan().most_tries or self.real.most_tries

    def run(self, work: Work) -> Product | Later:
        note("calling", work)
        _crash_at("calling", work)
        if plan().poison.get(str(work.id)) == work.stage:
            os.kill(os.getpid(), signal.SIGKILL)
        if plan().hungry.get(str(work.id), [""])[0] == work.stage:
            _devour(uses=plan().hungry[str(work.id)][1])
        if plan().vendor and work.stage == "collect":
            return self._ask(work)
        time.sleep(plan().seconds.get(work.stage, plan().by_default))
        announce(VendorCall(vendor="gemini", operation="drill", outcome="ok", duration_ms=1))
        return self._product(work)

    def _ask(self, work: Work) -> Product:
        # Not harmless to repeat, as most calls that cost money: the door tries once, the engine decides about more.
        answer = http.request(
            vendor="gemini", operation="drill", method="POST", url=f"{plan().vendor}/work/{work.id}",
            headers={"x-api-key": CANARY}, timeout=plan().deadline, read_timeout=plan().deadline, max_bytes=100_000,
        )  # fmt: skip
        said = answer.require_success().json()
        if not isinstance(said, dict) or said.get("made") is not True:
            raise VendorAnswerInvalid
        return self._product(work)

    def _product(self, work: Work) -> Product:
        # Whose result it is: that of the attempt which held the post to the end.
        return Product(result={"model": f"attempt {work.fence}"} if work.stage == NAMES[-1] else {})


STAGES: dict[str, Any] = {name: Simulated(name) for name in NAMES}
