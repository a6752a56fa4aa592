"""One process as the workers of one request, for whoever waits for it: claims make that safe beside running ones."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID

import structlog
from django.db import DatabaseError, connection
from django.db.models import Q
from django.db.models.functions import Now

from analysis import engine, pipeline
from analysis.models import OPEN, PostAnalysis

THREADS = 4
PAUSE_SECONDS = 0.2
# A stage that somebody else has taken over since may hold a thread of ours: it is not waited for.
LAST_SECONDS = 5.0

log = structlog.get_logger(__name__)


@contextmanager
def carried(request_id: UUID) -> Iterator[None]:
    """Its posts go through every queue while the block lasts. Whoever breaks off leaves them to the workers."""
    over = threading.Event()
    threads = [
        threading.Thread(target=_carry, args=(request_id, over), name="carrier", daemon=True) for _ in range(THREADS)
    ]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        over.set()
    # Not after a Ctrl-C, which is not to wait.
    for thread in threads:
        thread.join(LAST_SECONDS)


def _carry(request_id: UUID, over: threading.Event) -> None:
    try:
        while not over.is_set():
            _take(request_id, over)
            over.wait(PAUSE_SECONDS)
    finally:
        connection.close()


def _take(request_id: UUID, over: threading.Event) -> None:
    try:
        for post_id, stage in _due(request_id):
            pipeline.advance(post_id, pipeline.STAGES[stage].queue)
        # Where nobody sweeps: its last post may have ended just before the database went away.
        engine.finalize(request_id)
    except DatabaseError as problem:
        # The rows are there: whoever comes next finds them as they are. After a Ctrl-C an embedded server may be gone.
        if not over.is_set():
            log.warning("post_not_carried", error=type(problem).__name__)
        connection.close()


def _due(request_id: UUID) -> list[tuple[UUID, str]]:
    """What nobody holds and nothing is waited for; also what a worker held that is gone."""
    free = Q(lease_until=None) | Q(lease_until__lt=Now())
    ready = Q(run_after=None) | Q(run_after__lte=Now())
    posts = PostAnalysis.objects.filter(free, ready, request=request_id, status__in=OPEN)
    return list(posts.order_by("position").values_list("pk", "stage"))
