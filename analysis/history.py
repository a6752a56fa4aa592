"""A word of a request's history, by whoever is no stage: under the request's lock, like the stages' own."""

from uuid import UUID

from django.db import transaction

from analysis import live
from analysis.models import PostAnalysisRequest
from core.statements import ask

TELL = """
WITH asked AS (
    UPDATE analysis_postanalysisrequest SET stage = %(stage)s::text WHERE id = %(id)s::uuid
    RETURNING id, status, progress_points / total_posts AS progress, cost_micros
)
INSERT INTO analysis_analysisstatushistory (
    request_id, post_analysis_id, created_at, stage, status, progress, message, cost_micros
)
SELECT id, %(post)s::uuid, now(), %(stage)s::text, status, progress, %(message)s::text, cost_micros FROM asked
RETURNING id
"""


def tell(request: PostAnalysisRequest, post_id: UUID | None, stage: str, message: str) -> None:
    request.stage = stage
    [(told,)] = ask(TELL, {"id": request.pk, "post": post_id, "stage": stage, "message": message})
    ring_after_commit(request.pk, told)


def ring_after_commit(request_id: UUID, told: int | None) -> None:
    transaction.on_commit(lambda: live.ring(request_id, told))
