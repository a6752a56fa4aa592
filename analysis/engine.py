"""A post's way through the stages, as rows: claimed, checked in, given back, ended; one fenced statement each.

Nothing here knows what a stage does, and nothing sends a message: what has to follow is answered to the caller.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import transaction

from accounts.models import UsageKind
from accounts.usage import give_back
from analysis.errors import PostGone
from analysis.models import OPEN, PostAnalysis, PostAnalysisRequest, Status
from core.statements import ask

# The columns that the last stage fills; what it does not name stays as it is.
RESULT = (
    "is_viral", "verdict", "virality_reasoning", "quick_takeaways", "creator_context", "content_observation",
    "replicable_elements", "viral_formula", "improvements", "suggestions_for_future_posts", "confounders", "demand",
    "evidence", "grounding", "metadata_used", "provider", "model", "prompt_version", "tokens",
)  # fmt: skip
NOTHING: Mapping[str, Any] = {}
LONGEST_SENTENCE = 300
Telling = Sequence[tuple[str, str]]  # words of the status history, and a sentence for each


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """A post that is ours to work on, for as long as its fence stands."""

    id: UUID
    request_id: UUID
    user_id: UUID
    http_id: str
    platform: str
    platform_post_id: str
    url: str
    post_id: UUID | None
    stage: str
    fence: int
    tries: int
    progress: int
    stage_since: datetime
    now: datetime
    asked_at: datetime
    told: int | None = None

    @property
    def known_post(self) -> UUID:
        """The stored post, of whatever comes after it was collected."""
        if self.post_id is None:
            raise PostGone
        return self.post_id

    @property
    def waited(self) -> timedelta:
        return self.now - self.stage_since


@dataclass(frozen=True, slots=True, kw_only=True)
class Used:
    """What a run of a stage used, and whether anything had to be fetched at all."""

    reused: bool = False
    calls: int = 0
    tokens: int = 0
    seconds: float = 0.0
    cost: int | None = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Wrong:
    """Why a stage could not do its work."""

    category: str = ""
    code: str = ""
    message: str = ""
    retryable: bool = False
    note: str = ""  # for operators


@dataclass(frozen=True, slots=True, kw_only=True)
class Moved:
    """Whether a step was ours to take, and the newest row of the history that it wrote."""

    ours: bool
    told: int | None = None
    woken: bool = False
    over: bool = False  # the request has ended with it


def unit_of(post_analysis_id: UUID) -> str:
    """What a post's unit was spent on, as the ledger names it."""
    return f"analysis:{post_analysis_id}"


def claim(post_analysis_id: UUID, *, begins: dict[str, tuple[str, str]], alone: Sequence[str] = ()) -> Work | None:
    """Take a post that is at one of these stages, unless it is somebody's, waits or has ended.

    At stages named `alone`, of posts that broke off twice only one is given out at a time.
    """
    values = {
        "alone": _array(alone),
        "id": post_analysis_id,
        "lease": lease(),
        "stages": _array(begins),
        "begins": _array(word for word, _ in begins.values()),
        "messages": _array(sentence for _, sentence in begins.values()),
    }
    rows = _ask("claim", values)
    return Work(**dict(zip(Work.__slots__, rows[0], strict=True))) if rows else None


def holds(work: Work) -> bool:
    """Whether it is still ours."""
    return PostAnalysis.objects.filter(pk=work.id, fence=work.fence, status=Status.PROCESSING).exists()


def checkpoint(
    work: Work, used: Used, *, next_stage: str, keeps: bool, progress: int, post_id: UUID | None, telling: Telling
) -> Moved:
    values = {
        **_held(work),
        **_used(used),
        **_told(telling),
        "next": next_stage,
        "keeps": int(keeps),
        "lease": lease(),
        "progress": progress,
        "points": progress - work.progress,
        "post_id": post_id,
    }
    [(moved, told)] = _ask("checkpoint", values)
    return Moved(ours=bool(moved), told=told)


def pause(
    work: Work, used: Used, *, seconds: float, spent: bool, wrong: Wrong = Wrong(), telling: Telling = ()
) -> Moved:
    """Give it back until later; a try that was not `spent` does not count."""
    values = {
        **_held(work),
        **_used(used),
        **_told(telling),
        "wait": timedelta(seconds=seconds),
        "refund": int(not spent),
        "outcome": "failed" if spent else "not_ready",
        "code": wrong.code,
        "note": wrong.note[:500],
    }
    [(paused, told, woken)] = _ask("pause", values)
    return Moved(ours=bool(paused), told=told, woken=bool(woken))


def complete(work: Work, used: Used, *, result: dict[str, Any]) -> Moved:
    """The last stage is done: its result, what it used and the request's count, together or not at all."""
    if unknown := result.keys() - set(RESULT):
        raise ValueError(f"A result has no {', '.join(sorted(unknown))}.")
    return _over(work, _end(work, used, Wrong(), status=Status.COMPLETED, telling=(), result=result))


def fail(work: Work, used: Used, wrong: Wrong) -> Moved:
    """The post cannot be explained: its unit goes back, its siblings go on."""
    with transaction.atomic():
        ended = _end(work, used, wrong, status=Status.FAILED, telling=[("error", wrong.message)])
        if ended:
            give_back(source=unit_of(work.id), kind=UsageKind.URL_LOOKUPS)
    return _over(work, ended)


def _end(
    work: Work, used: Used, wrong: Wrong, *, status: str, telling: Telling, result: Mapping[str, Any] = NOTHING
) -> list[tuple[Any, ...]]:
    values = {
        **_held(work),
        **_used(used),
        **_told(telling),
        "status": status,
        "outcome": "done" if status == Status.COMPLETED else "failed",
        "error_stage": work.stage if wrong.code else "",
        "error_category": wrong.category,
        "error_code": wrong.code,
        "error_message": wrong.message[:500],
        "error_retryable": wrong.retryable,
        "note": wrong.note[:500],
        "points": 100 - work.progress,
        "result": json.dumps(dict(result)),
    }
    return _ask("end", values)


def _over(work: Work, ended: list[tuple[Any, ...]]) -> Moved:
    """Where its request has ended with it, that is a step of its own: who dies before it leaves it to the sweep."""
    if not ended:
        return Moved(ours=False)
    [(still_open, told)] = ended
    final = finalize(work.request_id) if still_open == 0 else None
    return Moved(ours=True, told=final or told, over=final is not None)


def inherit(work: Work) -> list[tuple[Any, ...]]:
    """Provider, model and tokens of what those answered to whom this stage was lost: ours to count from now on."""
    return _ask("inherit", _held(work))


def finalize(request_id: UUID) -> int | None:
    """End a request whose posts have all ended, once; the row of its history that says so."""
    rows = _ask("finalize", {"id": request_id})
    return rows[0][0] if rows else None


def unfinished(most: int) -> list[UUID]:
    """Requests whose posts have all ended, and that nobody has ended with them."""
    over = PostAnalysisRequest.objects.filter(status__in=OPEN, open_posts=0)
    return [*over.values_list("pk", flat=True)[:most]]


def due(*, stages: Sequence[str], most: int, rest: timedelta, alone: Sequence[str] = ()) -> list[tuple[UUID, str]]:
    """Posts at these stages that a message should be sent for, and the stage of each."""
    values = {"stages": list(stages), "most": most, "rest": rest, "alone": list(alone)}
    return [(row[0], row[1]) for row in _ask("due", values)]


def wake(*, stage: str, platform: str, keys: Sequence[str], authors: bool) -> list[UUID]:
    """What posts at this stage wait for has come: those that should be sent for now. Keys name posts, or authors."""
    values = {"stage": stage, "platform": platform, "keys": list(keys), "authors": authors}
    return [row[0] for row in _ask("wake", values)]


def renew(held: dict[UUID, int]) -> None:
    _ask("renew", {"ids": [*held], "fences": [*held.values()], "lease": lease()})


def lease() -> timedelta:
    return timedelta(seconds=settings.ANALYSIS_LEASE_SECONDS)


def _held(work: Work) -> dict[str, Any]:
    return {"id": work.id, "stage": work.stage, "fence": work.fence}


def _used(used: Used) -> dict[str, Any]:
    return {name: getattr(used, name) for name in Used.__slots__}


def _told(telling: Telling) -> dict[str, Any]:
    sentences = (sentence[:LONGEST_SENTENCE] for _, sentence in telling)
    return {"told": _array(word for word, _ in telling), "messages": _array(sentences)}


def _array(texts: Iterable[str]) -> str:
    """As PostgreSQL writes an array of texts; psycopg would look into each list first, at a tenth of a step's cost."""
    quoted = (text.replace("\\", "\\\\").replace('"', '\\"') for text in texts)
    return "{" + ",".join(f'"{each}"' for each in quoted) + "}"


def _ask(name: str, values: dict[str, Any]) -> list[tuple[Any, ...]]:
    return ask(_statement(name), values)


@cache
def _statement(name: str) -> str:
    text = _read(name)
    return text.replace("{result}", ", ".join(RESULT)).replace("{suspect}", _read("suspect"))


def _read(name: str) -> str:
    return (Path(__file__).parent / "sql" / f"{name}.sql").read_text()
