"""What the workers do for analyses: ids come in, rows say whether there is anything to do."""

from collections.abc import Sequence
from datetime import timedelta
from uuid import UUID

from celery import shared_task

from analysis import engine, pipeline
from core.queue import enqueue

# A post that was sent for is sent for again after this: the broker may have lost the message.
REST = timedelta(seconds=10)
AT_ONCE = 500
# Of processes; threads know no limit, and each call there has a deadline of its own. Longer than any stage's patience.
SOFT_SECONDS, HARD_SECONDS = 1750, 1800


@shared_task(name=pipeline.TASK, soft_time_limit=SOFT_SECONDS, time_limit=HARD_SECONDS)
def advance(post_analysis_id: str, queue: str) -> None:
    pipeline.advance(UUID(post_analysis_id), queue)


@shared_task(name="analysis.sweep")
def sweep() -> None:
    """Send for what is due and may have been forgotten: a worker died, a message was lost, a wait is over."""
    for post_id, stage in engine.due(most=AT_ONCE, rest=REST):
        queue = pipeline.STAGES[stage].queue
        if not enqueue(pipeline.TASK, post_id, queue, queue=queue):
            return


def wake(kind: str, platform: str, keys: Sequence[str]) -> None:
    """An errand has ended: whoever waits for it need not wait for the next sweep."""
    stage = pipeline.STAGES[pipeline.first_stage(is_link=False)]
    for post_id in engine.wake(stage=stage.name, platform=platform, keys=keys, authors=kind == "recent"):
        enqueue(pipeline.TASK, post_id, stage.queue, queue=stage.queue)
