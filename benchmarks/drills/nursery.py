"""Starts workers quickly: everything is loaded once here, and each of them is forked from it.

An order is a line of JSON on stdin: the arguments of `celery`, and what its environment has besides; the answer is the
process, which leads a group of its own. Besides workers there is whoever sends for what is due, as beat has it done,
and whoever takes a request and dies of it.
"""

import json
import os
import resource
import signal
import sys
import time
from pathlib import Path
from typing import Any
from uuid import UUID

import structlog
from django.conf import settings
from django.db import DatabaseError, close_old_connections, transaction

from accounts.models import User
from analysis import pipeline, tasks
from benchmarks.drills import ground
from benchmarks.drills.simulated import STAGES, observe, observe_event
from billing import inbox
from config.celery import app

log = structlog.get_logger(__name__)


def main() -> None:
    # Whoever is killed needs nobody to wait for it.
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    prepare()
    print("ready", flush=True)
    for line in sys.stdin:
        order = json.loads(line)
        child = os.fork()
        if not child:
            live(order)
        print(child, flush=True)


def prepare() -> None:
    app.loader.import_default_modules()
    app.tasks.unregister(pipeline.TASK)

    @app.task(name=pipeline.TASK, soft_time_limit=tasks.SOFT_SECONDS, time_limit=tasks.HARD_SECONDS)
    def advance(post_analysis_id: str, queue: str) -> None:
        pipeline.advance(UUID(post_analysis_id), queue, stages=STAGES, observe=observe)

    app.tasks.unregister(inbox.TASK)

    @app.task(name=inbox.TASK)
    def process_event(event_id: str) -> None:
        inbox.process(UUID(event_id), observe=observe_event)


def live(order: dict[str, Any]) -> None:
    os.setsid()
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    log_file = os.open(order["log"], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    for number, file in ((0, os.open(os.devnull, os.O_RDONLY)), (1, log_file), (2, log_file)):
        os.dup2(file, number)
    os.environ |= order["environment"]
    app.conf.worker_soft_shutdown_timeout = order.get("soft", app.conf.worker_soft_shutdown_timeout)
    # Settings were read before there was a worker; the broker's address Celery itself reads anew.
    settings.REDIS_URL = os.environ["REDIS_URL"]
    if room := order.get("room_mb"):
        limit_memory(room)
    acts = {"sweep": sweep_for_ever, "die": die_after_commit, "words": app.worker_main}
    try:
        for name, act in acts.items():
            if name in order:
                act(order[name])
    finally:
        # Never back into the loop above.
        os._exit(0)


def limit_memory(room_mb: int) -> None:
    """So much address space more than is taken now, for the worker and all its children."""
    taken = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (taken + room_mb * 2**20,) * 2)


def sweep_for_ever(pause: float) -> None:
    while True:
        try:
            close_old_connections()
            tasks.sweep()
            inbox.sweep()
        except DatabaseError as problem:
            log.warning("sweep_failed", error=type(problem).__name__)
        time.sleep(pause)


def die_after_commit(user_id: str) -> None:
    user = User.objects.get(pk=user_id)
    with transaction.atomic():
        # First in the row of what follows the commit: the request is there, and nothing is sent.
        transaction.on_commit(lambda: os.kill(os.getpid(), signal.SIGKILL))
        ground.ask_for(user, ground.POSTS_EACH)
