"""Drills 14 to 16: a vendor that is busy, broken, silent, slow or talks nonsense, asked through the one door out."""

import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

from analysis.models import PostAnalysis
from benchmarks.drills import ground
from benchmarks.drills.drill import Outcome, Scene, conclude, quiet, workers
from benchmarks.drills.fleet import ALL_IN_PROCESSES, THREADS
from benchmarks.drills.invariants import Step, read_trace
from benchmarks.drills.simulated import Plan
from sandbox.control import Asked, Fault, Reply, Route, Sandbox

RETRY_AFTER, DEADLINE, NEVER = 2, 2.0, 600.0
# Bodies of answers that say 200; as text where they are text.
NONSENSE = (
    "", " ", "<html><body>200</body></html>", "{", '{"made": ', "[1,2", "NaN", '{"made": NaN}', "null", "[]", "0",
    '"text"', "[" * 90_000, '{"a":' * 18_000, '{"other": 1}', "1e999999", "9" * 5000, "```json\n{}\n```", "-", "+1",
    '{"made": true} trailing', "true false", "\0", '{"\0": 1}', "{'made': 1}", "undefined", "01", '{"made"}', "{,}",
    "[,]", '"\\ud800', '"\n"', "data: {}\n\n", "HTTP/1.1 200 OK", "null null", "{" * 10, "\ufeff{}",
)  # fmt: skip
GARBAGE = (*(text.encode() for text in NONSENSE), b"\xff\xfe{\x00}\x00", b'"\xc3\x28"', b"\x1f\x8b\x08\x00")
Trouble = Callable[[int, int], Fault | None]  # of which post, by its place, and how often it was asked for before


@dataclass(frozen=True)
class Question:
    """One call, as the vendor saw it."""

    at: float
    post: str
    status: int


class Vendor(Sandbox):
    """Does any work it is asked for, but for the trouble it makes; it remembers who asked when."""

    routes: ClassVar[list[Route]] = [
        Route("work", "POST", "/work/(.+)", lambda self, asked, post: Reply(body={"made": True}))
    ]

    def __init__(self, trouble: Trouble, *, port: int) -> None:
        super().__init__(port=port)
        self.trouble, self.questions = trouble, list[Question]()
        self._times: Counter[str] = Counter()
        self._turn = threading.local()

    @property
    def asked(self) -> int:
        """Counted as they come: what hangs is among the questions only when it is let go."""
        return sum(self._times.values())

    def answer(self, asked: Asked) -> Reply | None:
        self._turn.post, at = asked.path, time.time()
        reply = super().answer(asked)
        self.questions.append(Question(at, asked.path, reply.status if reply else 0))
        return reply

    def _next_fault(self, operation: str) -> Fault | None:
        # Under the sandbox's own lock.
        before = self._times[self._turn.post]
        self._times[self._turn.post] += 1
        return self.trouble([*self._times].index(self._turn.post), before)


def _ask(
    scene: Scene, name: str, trouble: Trouble, *, posts: int, failed: int = 0, tries: int | None = None
) -> tuple[Outcome, Vendor, list[Step]]:
    """Half of the posts are carried by threads, the other half by processes."""
    with ground.fresh(scene.home, name) as folder, Vendor(trouble, port=scene.vendor_port) as vendor:
        plan = Plan(by_default=0.01, vendor=vendor.url, deadline=DEADLINE, most_tries=tries)
        with workers(scene, folder, plan, threads=THREADS, processes=ALL_IN_PROCESSES) as crew:
            ground.publish(ground.make_user(), posts)
            quiet(crew, seconds=120 + posts)
            outcome = conclude(crew, failed=failed)
    outcome.facts |= {"asked": vendor.asked, "calls_a_post": round(vendor.asked / posts, 2)}
    return outcome, vendor, read_trace(folder)


def storm(scene: Scene) -> Outcome:
    """14: of all answers 30 % are 429 with Retry-After, 10 % are 500, and 5 % of connections are reset."""
    chance = scene.chance()

    def trouble(post: int, before: int) -> Fault | None:
        dice = chance.random()
        if dice < 0.30:
            return Fault(operation="*", status=429, headers={"Retry-After": str(RETRY_AFTER)})
        if dice < 0.40:
            return Fault(operation="*", status=500)
        return Fault(operation="*", reset=True) if dice < 0.45 else None

    posts = scene.size(full=200, short=24)
    outcome, vendor, _ = _ask(scene, "storm", trouble, posts=posts, tries=15)
    hasty = _count_hasty(vendor.questions)
    outcome.require(hasty == 0, f"{hasty} times a post came back before the vendor wanted it")
    # 45 % of the answers are of no use: a post needs 1 / 0.55 of them, and with luck as it is a few more.
    outcome.require(outcome.facts["calls_a_post"] <= 2.2, "more calls than the storm explains")
    return outcome


def _count_hasty(questions: list[Question]) -> int:
    last: dict[str, Question] = {}
    hasty = 0
    for question in sorted(questions, key=lambda each: each.at):
        before = last.get(question.post)
        hasty += bool(before and before.status == 429 and question.at < before.at + RETRY_AFTER)
        last[question.post] = question
    return hasty


def silence(scene: Scene) -> Outcome:
    """15: a vendor that never answers, one that sends a byte a second, and one that is gone in the middle."""

    def trouble(post: int, before: int) -> Fault | None:
        kinds = (Fault(operation="*", delay=NEVER), Fault(operation="*", drip=1.0), Fault(operation="*", truncate=3))
        return kinds[post % 3] if before == 0 else None

    posts = scene.size(full=120, short=12)
    outcome, _, trace = _ask(scene, "silence", trouble, posts=posts)
    waits = _seconds_called(trace)
    outcome.facts |= {"longest_call": round(max(waits), 2), "processes": len({step.process for step in trace})}
    # In short a machine that has other things to do is told from a call without an end.
    late = 3.0 if scene.short else 1.0
    outcome.require(max(waits) <= DEADLINE + late, f"a call went on for longer than its deadline and {late:.0f} s")
    return outcome


def _seconds_called(trace: list[Step]) -> list[float]:
    begun = {(step.post, step.fence): step.at for step in trace if (step.point, step.stage) == ("calling", "collect")}
    return [
        step.at - begun[step.post, step.fence] for step in trace if (step.point, step.stage) == ("paused", "collect")
    ]


def garbage(scene: Scene) -> Outcome:
    """16: forty answers of 200 that hold nothing: each fails its post alone, with a reason, and gives its unit back."""

    def trouble(post: int, before: int) -> Fault | None:
        return Fault(operation="*", status=200, body=GARBAGE[post]) if post < len(GARBAGE) else None

    good = 10
    outcome, _, _ = _ask(scene, "garbage", trouble, posts=len(GARBAGE) + good, failed=len(GARBAGE))
    codes = Counter(PostAnalysis.objects.filter(status="FAILED").values_list("error_code", flat=True))
    outcome.facts["codes"] = dict(codes)
    outcome.require(set(codes) == {"vendor_answer_invalid"}, "an answer was not known for what it is")
    return outcome
