"""A worker that carries posts through stages which only take time, beside the least that a Celery task can be.

Started by `benchmarks.pipeline`, with the seconds of each stage as JSON in CARRIER, and with Celery as it comes where
AS_IT_COMES is set.
"""

import json
import os
import sys
import time
from typing import Any
from uuid import UUID

from celery.app.defaults import SETTING_KEYS
from django.db import connection
from kombu.transport import TRANSPORT_ALIASES

from analysis import pipeline
from analysis.engine import Work
from analysis.stages.contract import Later, Product
from config.celery import app
from core.queue import enqueue

NOOP, QUERY, RELAY = "benchmarks.noop", "benchmarks.query", "benchmarks.relay"


class Timed:
    """Everything as the real stage has it, but for what is done."""

    def __init__(self, name: str, seconds: float) -> None:
        self.real, self.seconds = pipeline.STAGES[name], seconds

    def __getattr__(self, name: str) -> Any:
        return getattr(self.real, name)

    def run(self, work: Work) -> Product | Later:
        if self.seconds:
            time.sleep(self.seconds)
        return Product(result={"provider": "bench"} if self.real.name == "analyse" else {})


def stages() -> dict[str, Any]:
    return {name: Timed(name, seconds) for name, seconds in json.loads(os.environ["CARRIER"]).items()}


def prepare() -> None:
    app.loader.import_default_modules()
    app.tasks.unregister(pipeline.TASK)
    carried = stages()

    @app.task(name=pipeline.TASK)
    def advance(post_analysis_id: str, queue: str) -> None:
        pipeline.advance(UUID(post_analysis_id), queue, stages=carried)

    @app.task(name=NOOP)
    def noop() -> None:
        """The least there is."""

    @app.task(name=RELAY)
    def relay(*queues: str) -> None:
        """No more than the way itself: on to the next of these queues."""
        if queues:
            enqueue(RELAY, *queues[1:], queue=queues[0])

    @app.task(name=QUERY)
    def query() -> None:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
            cursor.fetchone()


def take_celery_as_it_comes() -> None:
    """Undo what config.celery and core.broker do for a message to be cheaper."""
    TRANSPORT_ALIASES["redis"] = "kombu.transport.redis:Transport"
    for name in SETTING_KEYS:
        app.conf.changes.pop(name, None)


def main() -> None:
    prepare()
    if os.environ.get("AS_IT_COMES"):
        take_celery_as_it_comes()
    app.worker_main(sys.argv[1:])
