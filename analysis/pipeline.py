"""A post's way from an address to an explanation: the stages in order, and who carries it from one to the next.

One task carries a post as far as its queue reaches. Each step is a row first (`engine`); the message that follows is
only a hint, and a sweep sends what was lost. See docs/decisions/0023.
"""

import random
from collections.abc import Callable, Mapping, Sequence
from uuid import UUID

import structlog
from celery.worker import state as celery_state

from analysis import engine, kept, live
from analysis.engine import Moved, Used, Work, Wrong
from analysis.errors import GaveUp, category_of
from analysis.leases import leases
from analysis.stages.analyse import Analyse
from analysis.stages.captions import ReadCaptions
from analysis.stages.collect import Collect
from analysis.stages.contract import Later, Product, Stage
from analysis.stages.media import KeepMedia
from analysis.stages.resolve import Resolve
from analysis.stages.transcribe import Transcribe
from core.calls import VendorCall, cost_of, heard, on_behalf_of
from core.errors import Problem, VendorBusy, VendorTimeout
from core.queue import enqueue

STAGES: dict[str, Stage] = {
    stage.name: stage for stage in (Resolve(), Collect(), KeepMedia(), ReadCaptions(), Transcribe(), Analyse())
}
TASK = "analysis.advance"
# Queues whose workers are processes: there the death of one harms no other post.
IN_PROCESSES = {"cpu"}
# Seconds before another try: doubled each time up to the longest, never less than the vendor asked for, and spread out.
FIRST_PAUSE, LONGEST_PAUSE = 2.0, 300.0
Observer = Callable[[str, Work], None]

log = structlog.get_logger(__name__)


def unwatched(point: str, work: Work) -> None:
    """Nobody looks on."""


def advance(
    post_analysis_id: UUID, queue: str, *, stages: Mapping[str, Stage] = STAGES, observe: Observer = unwatched
) -> None:
    """Carry a post through the stages of this queue; nothing where it is somebody's, waits or has ended."""
    begins = {name: stage.begins for name, stage in stages.items() if stage.queue == queue}
    work = engine.claim(post_analysis_id, begins=begins, alone=[name for name in begins if queue not in IN_PROCESSES])
    if not work:
        return
    with (
        structlog.contextvars.bound_contextvars(request_id=work.http_id),
        on_behalf_of(user_id=work.user_id, analysis_id=work.id),
    ):
        while work:
            live.ring(work.request_id, work.told)
            observe("claimed", work)
            work = Step(work, stages, observe).take()


def first_stage(*, is_link: bool) -> str:
    return Resolve.name if is_link else Collect.name


class Step:
    """One stage of one post."""

    def __init__(self, work: Work, stages: Mapping[str, Stage], observe: Observer) -> None:
        self.work, self.stages, self.observe = work, stages, observe
        self.stage = stages[work.stage]
        self.calls: list[VendorCall] = []

    def take(self) -> Work | None:
        """Run it and write down what came of it; the work that follows at once, if any does."""
        if self.work.tries > self.stage.most_tries:
            # Whoever began it before us never came to an end: it takes its workers down with it.
            self._fail(GaveUp())
            return None
        try:
            made = self._run()
        except Problem as problem:
            self._settle(problem)
            return None
        except Exception as fault:  # noqa: BLE001  # a fault of ours: recorded, and tried again like a vendor's
            self._report(fault)
            self._settle(_internal(fault))
            return None
        self.observe("made", self.work)
        if isinstance(made, Later):
            self._wait(made)
            return None
        return self._done(made)

    def _run(self) -> Product | Later:
        with leases.kept(self.work.id, self.work.fence, patience=self.stage.patience), heard() as self.calls:
            return self.stage.run(self.work)

    def _done(self, made: Product) -> Work | None:
        following = self._following(made)
        if following is None:
            self._over(engine.complete(self.work, self._used(made), result=dict(made.result)))
            return None
        keeps = following.queue == self.stage.queue and not _is_leaving()
        # What is skipped counts as done.
        progress = max(self.stage.progress, self._before(following))
        telling = [self.stage.ends] if self.stage.ends else []
        telling += [following.begins] if keeps else []
        moved = engine.checkpoint(
            self.work, self._used(made), next_stage=following.name, keeps=keeps, progress=progress,
            post_id=made.post_id, telling=telling,
        )  # fmt: skip
        self.observe("checked", self.work)
        live.ring(self.work.request_id, moved.told)
        if moved.ours and not keeps:
            enqueue(TASK, self.work.id, following.queue, queue=following.queue)
        return _go_on(self.work, following, made, progress) if moved.ours and keeps else None

    def _following(self, made: Product) -> Stage | None:
        names = [*self.stages]
        later = names[names.index(self.stage.name) + 1 :]
        return next((self.stages[name] for name in later if name not in made.needless), None)

    def _before(self, stage: Stage) -> int:
        names = [*self.stages]
        return self.stages[names[names.index(stage.name) - 1]].progress

    def _wait(self, later: Later) -> None:
        if self.work.waited.total_seconds() > self.stage.waits:
            self._fail(VendorTimeout("What the post needs did not come in time."))
            return
        self._pause(later.seconds, spent=False)

    def _settle(self, problem: Problem) -> None:
        """Decide about another try: here, and nowhere else."""
        busy = isinstance(problem, VendorBusy)
        late = self.work.waited.total_seconds() > self.stage.waits
        if problem.retryable and not late and (busy or self.work.tries < self.stage.most_tries):
            # A vendor that says when to come again has done no work: it costs no try, only patience.
            self._pause(self._pause_seconds(problem), spent=not busy, problem=problem)
        else:
            self._fail(problem)

    def _report(self, fault: Exception) -> None:
        told = {"stage": self.stage.name, "post_analysis": str(self.work.id)}
        if engine.holds(self.work):
            log.exception("stage_failed", **told)
        else:  # called off, removed or somebody else's by now: what it stumbled over was probably that
            log.info("stage_abandoned", error=type(fault).__name__, **told)

    def _pause_seconds(self, problem: Problem) -> float:
        doubled = FIRST_PAUSE * 2.0 ** max(self.work.tries - 1, 0)
        # What the vendor asks for, as far as the stage would wait at all.
        left = self.stage.waits - self.work.waited.total_seconds()
        asked = min(problem.retry_after or 0.0, max(left, 0.0))
        return max(asked, min(doubled, LONGEST_PAUSE)) * random.uniform(1.0, 1.3)  # noqa: S311

    def _pause(self, seconds: float, *, spent: bool, problem: Problem | None = None) -> None:
        telling = [("retrying", f"{problem.message} It is tried again.")] if problem and spent else []
        wrong = _wrong(problem) if problem else Wrong()
        moved = engine.pause(self.work, self._used(), seconds=seconds, spent=spent, wrong=wrong, telling=telling)
        self.observe("paused", self.work)
        live.ring(self.work.request_id, moved.told)
        if moved.woken:
            enqueue(TASK, self.work.id, self.stage.queue, queue=self.stage.queue)

    def _fail(self, problem: Problem) -> None:
        self._over(engine.fail(self.work, self._used(), _wrong(problem)))

    def _over(self, moved: Moved) -> None:
        self.observe("ended", self.work)
        live.ring(self.work.request_id, moved.told)

    def _used(self, made: Product | None = None) -> Used:
        made = made or Product()
        # Whoever was given up at this stage spent a try on it.
        calls = [*self.calls, *(kept.calls_left_behind(self.work) if self.work.tries > 1 else ())]
        return Used(
            reused=made.reused, calls=len(calls), tokens=_tokens_of(calls), seconds=made.seconds_transcribed,
            cost=cost_of(calls),
        )  # fmt: skip


def _tokens_of(calls: Sequence[VendorCall]) -> int:
    """By what was counted with each call: answers of no use are among them."""
    return sum(count for call in calls for unit, count in call.units.items() if unit.endswith("_tokens"))


def _is_leaving() -> bool:
    """Whether this worker was asked to go: it finishes the stages it is at, and begins no others."""
    asked = (celery_state.should_stop, celery_state.should_terminate)
    # An exit code, once it was; and 0 is one.
    return any(code is not None and code is not False for code in asked)


def _go_on(work: Work, following: Stage, made: Product, progress: int) -> Work:
    """The same holder, under the same fence, at the next stage."""
    values = {name: getattr(work, name) for name in Work.__slots__}
    changed = {"stage": following.name, "tries": 1, "progress": progress, "told": None, "stage_since": work.now}
    if made.address:
        address = made.address
        changed |= {"platform": address.platform, "platform_post_id": address.post_id, "url": address.url}
    return Work(**{**values, **changed, "post_id": made.post_id or work.post_id})


def _wrong(problem: Problem) -> Wrong:
    return Wrong(
        category=category_of(problem), code=problem.code, message=problem.message, retryable=problem.retryable,
        note=str(problem.details or ""),
    )  # fmt: skip


def _internal(fault: Exception) -> Problem:
    problem = Problem(details={"fault": type(fault).__name__})
    problem.retryable = True
    return problem
