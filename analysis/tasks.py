"""What the workers do for analyses: ids come in, rows say whether there is anything to do."""

from collections.abc import Sequence
from uuid import UUID

from celery import shared_task

from analysis import engine, live, pipeline
from analysis.chat import answering, sweeping
from core.queue import count_waiting, enqueue

# Where more than this wait in a queue, its workers have enough to do: sent for again and again, a long backlog would
# fill the broker with copies.
AT_ONCE = 500
# Of processes; threads know no limit, and each call there has a deadline of its own. Longer than any stage's patience.
SOFT_SECONDS, HARD_SECONDS = 1750, 1800


@shared_task(name=pipeline.TASK, soft_time_limit=SOFT_SECONDS, time_limit=HARD_SECONDS)
def advance(post_analysis_id: str, queue: str) -> None:
    pipeline.advance(UUID(post_analysis_id), queue)


@shared_task(name="analysis.sweep")
def sweep() -> None:
    """Send for what is due and may have been forgotten: a worker died, a message was lost, a wait is over."""
    _send_for_posts()
    for request_id in engine.unfinished(AT_ONCE):
        live.ring(request_id, engine.finalize(request_id))


def _send_for_posts() -> None:
    waiting = {queue: count_waiting(queue) for queue in {stage.queue for stage in pipeline.STAGES.values()}}
    idle = {queue for queue, messages in waiting.items() if messages is not None and messages < AT_ONCE}
    stages = [name for name, stage in pipeline.STAGES.items() if stage.queue in idle]
    alone = [name for name, stage in pipeline.STAGES.items() if stage.queue not in pipeline.IN_PROCESSES]
    # A post that was sent for is sent for again after this: the broker may have lost the message.
    rest = engine.lease() / 3
    for post_id, stage in engine.due(stages=stages, most=AT_ONCE, rest=rest, alone=alone):
        queue = pipeline.STAGES[stage].queue
        if not enqueue(pipeline.TASK, post_id, queue, queue=queue):
            return


@shared_task(name=answering.TASK)
def answer(message_id: str) -> None:
    answering.answer(UUID(message_id))


@shared_task(name="analysis.sweep_answers")
def sweep_answers() -> None:
    sweeping.sweep()


def wake(kind: str, platform: str, keys: Sequence[str]) -> None:
    """An errand has ended: whoever waits for it need not wait for the next sweep."""
    stage = pipeline.STAGES[pipeline.first_stage(is_link=False)]
    for post_id in engine.wake(stage=stage.name, platform=platform, keys=keys, authors=kind == "recent"):
        enqueue(pipeline.TASK, post_id, stage.queue, queue=stage.queue)
