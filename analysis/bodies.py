"""What goes out of the analysis endpoints, drawn straight from columns."""

from collections.abc import Iterable
from typing import Any
from uuid import UUID

from django.db.models import F

from accounts.models import UsageEntry
from analysis.engine import unit_of
from analysis.models import PostAnalysis, PostAnalysisRequest, StageRun
from core.errors import Missing

OF_REQUEST = (
    "id", "created_at", "platform", "post_urls", "display_name", "status", "stage", "progress", "partial_success",
    "total_posts", "posts_processed", "error_stage", "error_category", "error_details", "retry_count", "max_retries",
    "total_api_calls", "duration_seconds", "finished_at",
)  # fmt: skip
OF_POST = (
    "id", "request_id", "url", "platform", "status", "stage", "progress", "post_id", "error_stage", "error_category",
    "error_code", "error_message", "error_retryable", "is_viral", "verdict", "virality_reasoning", "quick_takeaways",
    "creator_context", "content_observation", "replicable_elements", "viral_formula", "improvements",
    "suggestions_for_future_posts", "confounders", "demand", "evidence", "grounding", "metadata_used", "provider",
    "model", "prompt_version", "tokens", "created_at", "finished_at",
)  # fmt: skip
# Of these nothing is known before the end: null says so, where an empty object would be a puzzle.
NULL_UNTIL_KNOWN = ("verdict", "viral_formula", "grounding", "content_observation", "metadata_used", "tokens")
PROGRESS = F("progress_points") / F("total_posts")


def request_body(request_id: UUID, *, user_id: UUID) -> dict[str, Any]:
    """A request, its posts and its receipt; Missing where it is not this user's."""
    rows = PostAnalysisRequest.objects.filter(pk=request_id, user=user_id).annotate(progress=PROGRESS)
    row = rows.values(*OF_REQUEST).first()
    if row is None:
        raise Missing
    posts = PostAnalysis.objects.filter(request=request_id).order_by("position")
    bodies = [_post_body(post) for post in _columns(posts)]
    return {**row, "posts": bodies, "receipt": receipt([post["id"] for post in bodies])}


def post_body(post_analysis_id: UUID, *, user_id: UUID) -> dict[str, Any]:
    found = PostAnalysis.objects.filter(pk=post_analysis_id, request__user=user_id)
    for row in _columns(found):
        return _post_body(row)
    raise Missing


def receipt(post_ids: Iterable[UUID]) -> dict[str, Any]:
    """What each stage of each post used, and what of the user's plan was spent and given back."""
    ids = [*post_ids]
    stages: dict[UUID, dict[str, dict[str, Any]]] = {post_id: {} for post_id in ids}
    for run in StageRun.objects.filter(post_analysis__in=ids).order_by("id"):
        _add(stages[run.post_analysis_id], run)
    units = {entry.source: entry for entry in UsageEntry.objects.filter(source__in=[unit_of(each) for each in ids])}
    posts = [
        {"post_analysis_id": post_id, "stages": [*stages[post_id].values()], **_units(units.get(unit_of(post_id)))}
        for post_id in ids
    ]
    return {"posts": posts, **_totals(posts)}


def _columns(posts: Any) -> Iterable[dict[str, Any]]:
    rows: Iterable[dict[str, Any]] = posts.annotate(cost=F("cost_micros")).values(*OF_POST, "cost")
    return rows


def _post_body(row: dict[str, Any]) -> dict[str, Any]:
    return {**row, **{name: row[name] or None for name in NULL_UNTIL_KNOWN}}


def _add(stages: dict[str, dict[str, Any]], run: StageRun) -> None:
    nothing = {
        "stage": run.stage, "outcome": run.outcome, "reused": run.reused, "vendor_calls": 0,
        "seconds_transcribed": 0.0, "tokens": 0, "cost": 0, "runs": 0,
    }  # fmt: skip
    sofar = stages.setdefault(run.stage, nothing)
    cost = None if sofar["cost"] is None or (run.cost_micros is None and run.calls) else sofar["cost"]
    stages[run.stage] = {
        "stage": run.stage,
        "outcome": run.outcome,
        "reused": run.reused,
        "vendor_calls": sofar["vendor_calls"] + run.calls,
        "seconds_transcribed": sofar["seconds_transcribed"] + run.seconds_transcribed,
        "tokens": sofar["tokens"] + run.tokens,
        "cost": None if cost is None else cost + (run.cost_micros or 0),
        "runs": sofar["runs"] + 1,
    }


def _units(entry: UsageEntry | None) -> dict[str, int]:
    spent = entry.amount if entry else 0
    return {"units_spent": spent, "units_given_back": spent if entry and entry.given_back_at else 0}


def _totals(posts: list[dict[str, Any]]) -> dict[str, Any]:
    stages = [stage for post in posts for stage in post["stages"]]
    costs = [stage["cost"] for stage in stages]
    return {
        "vendor_calls": sum(stage["vendor_calls"] for stage in stages),
        "tokens": sum(stage["tokens"] for stage in stages),
        "seconds_transcribed": sum(stage["seconds_transcribed"] for stage in stages),
        "cost": None if None in costs else sum(costs),
        "units_spent": sum(post["units_spent"] for post in posts),
        "units_given_back": sum(post["units_given_back"] for post in posts),
    }
