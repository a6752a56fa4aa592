"""What is wanted and who fetches it: rows, leases and fences, by the database's clock. Nothing here calls a vendor."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from random import uniform
from typing import Any
from uuid import UUID

from django.db import connection, transaction
from django.db.models import F, Q, QuerySet
from django.db.models.functions import Now
from django.utils import timezone

from core.errors import Problem, VendorBusy
from core.ids import uuid7
from social.models import Errand, Wanted
from social.scrapers import next_scraper
from social.scrapers.contract import Kind, Scraper

# Longer than any call of a scraper, so that a lease that ran out means that its holder is gone.
LEASE = timedelta(seconds=200)
RETRY_REST, REFUSAL_REST = timedelta(seconds=30), timedelta(minutes=10)
# An errand that was begun so often and never came to an end takes its holders down with it.
MOST_ATTEMPTS = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """How a collection ended for one wanted row: done, failed for good, or to be tried elsewhere."""

    state: str
    code: str = ""
    retryable: bool = False
    note: str = ""
    retry_after: float | None = None  # seconds, where a busy vendor said when to come again


DONE = Ending(state="done")


def elsewhere(problem: Problem) -> Ending:
    """A scraper failed as a whole: others may know it."""
    said = problem.retry_after if isinstance(problem, VendorBusy) else None
    return Ending(state="elsewhere", code=problem.code, retryable=problem.retryable, retry_after=said)


Listener = Callable[[str, str, Sequence[str]], None]
_listeners: list[Listener] = []


def on_finished(listener: Listener) -> None:
    """Let somebody above hear of each errand that has come to an end: its kind, its platform, its keys."""
    _listeners.append(listener)


def _tell(errand: Errand, keys: Sequence[str]) -> None:
    for listener in _listeners:
        listener(errand.kind, errand.platform_id, keys)


def want(kind: Kind, platform: str, keys: Sequence[str], *, newer_than: datetime) -> None:
    scraper = next_scraper(platform, kind, tried=())
    values: dict[str, Any] = {
        "kind": kind,
        "platform": platform,
        "ids": [uuid7() for _ in keys],
        "keys": list(keys),
        "gathers": timedelta(seconds=scraper.gathers if scraper else 0),
        "newer_than": newer_than,
        "retry_rest": RETRY_REST,
        "refusal_rest": REFUSAL_REST,
    }
    with connection.cursor() as cursor:
        cursor.execute(_statement("want"), values)


def wanted(kind: Kind, platform: str, keys: Sequence[str]) -> QuerySet[Wanted]:
    return Wanted.objects.filter(kind=kind, platform_id=platform, key__in=keys)


def take(kind: Kind, platform: str, keys: Sequence[str] | None) -> Errand | None:
    """An errand to run now, leased to us: one that was left, or a new one for what waits. None where nothing is due."""
    return _claim(kind, platform, keys) or _form(kind, platform, keys)


def _claim(kind: Kind, platform: str, keys: Sequence[str] | None) -> Errand | None:
    values: dict[str, Any] = {
        "kind": kind,
        "platform": platform,
        "keys": None if keys is None else list(keys),
        "lease": LEASE,
    }
    with connection.cursor() as cursor:
        cursor.execute(_statement("claim"), values)
        found = cursor.fetchone()
    return Errand.objects.get(pk=found[0]) if found else None


@transaction.atomic
def _form(kind: Kind, platform: str, keys: Sequence[str] | None) -> Errand | None:
    due = Wanted.objects.filter(Q(run_after=None) | Q(run_after__lte=Now()), kind=kind, platform=platform)
    waiting = due.filter(state=Wanted.State.WAITING).order_by("asked_at", "id").select_for_update(skip_locked=True)
    mine = waiting if keys is None else waiting.filter(key__in=keys)
    first = mine.first()
    if first is None:
        return None
    scraper = next_scraper(platform, kind, tried=first.tried)
    if scraper is None:
        told = Ending(
            state="failed", code=first.code or "not_configured", retryable=first.retryable,
            retry_after=seconds_left(first),
        )  # fmt: skip
        _end([first.pk], told)
        return None
    # Those of others too: many users' addresses in one call.
    more = waiting.filter(tried=first.tried).exclude(pk=first.pk)[: scraper.batch - 1]
    return _begin(scraper, kind, platform, [first.pk, *(row.pk for row in more)])


def _begin(scraper: Scraper, kind: Kind, platform: str, rows: list[UUID]) -> Errand:
    errand = Errand.objects.create(
        scraper=scraper.name,
        kind=kind,
        platform_id=platform,
        attempt=1,
        lease_until=Now() + LEASE,
        give_up_at=Now() + timedelta(seconds=scraper.patience),
    )
    Wanted.objects.filter(pk__in=rows).update(state=Wanted.State.WORKING, errand=errand, attempts=F("attempts") + 1)
    errand.refresh_from_db()
    return errand


def wait(errand: Errand, *, job: str, seconds: float) -> None:
    """Give the errand back until later. The job is stored at once: whoever comes next must not pay for another."""
    _held(errand).update(job=job, lease_until=None, run_after=Now() + timedelta(seconds=seconds * uniform(1.0, 1.2)))  # noqa: S311


def finish(errand: Errand, endings: Mapping[str, Ending]) -> bool:
    """Write down how it ended for each key; False where the errand is no longer ours. Call it in a transaction."""
    if not _held(errand).update(finished_at=Now(), lease_until=None):
        return False
    for row in errand.wanted.select_for_update().order_by("key"):
        _settle(row, errand.scraper, endings[row.key])
    transaction.on_commit(lambda: _tell(errand, [*endings]), robust=True)
    return True


def _settle(row: Wanted, scraper: str, ending: Ending) -> None:
    if ending.state != "elsewhere":
        _end([row.pk], ending)
        return
    tried = [*row.tried, scraper]
    # What one scraper merely does not offer says nothing about the post.
    known = ending if ending.code != "not_offered" else Ending(state="", code=row.code, retryable=row.retryable)
    told = Ending(
        state="failed", code=known.code or "not_configured", retryable=row.retryable or known.retryable,
        note=ending.note or row.note, retry_after=_soonest(row, ending),
    )  # fmt: skip
    if next_scraper(row.platform_id, row.kind, tried=tried) is None:  # type: ignore[arg-type]
        _end([row.pk], told)
        return
    Wanted.objects.filter(pk=row.pk).update(
        state=Wanted.State.WAITING,
        tried=tried,
        errand=None,
        run_after=None,
        code=known.code,
        retryable=told.retryable,
        note=told.note[:500],
        busy_until=_from_now(told.retry_after),
    )


def _soonest(row: Wanted, ending: Ending) -> float | None:
    """When the first of those who may know it later may be asked again; None where one of them has not said."""
    before = seconds_left(row)
    if not ending.retryable:
        return before
    if not row.retryable or ending.retry_after is None:
        return ending.retry_after
    return None if before is None else min(before, ending.retry_after)


def seconds_left(row: Wanted) -> float | None:
    """Until whoever was busy may be asked again."""
    return max((row.busy_until - timezone.now()).total_seconds(), 0.0) if row.busy_until else None


def _from_now(seconds: float | None) -> Any:
    return None if seconds is None else Now() + max(timedelta(seconds=seconds), RETRY_REST)


def _end(rows: list[UUID], ending: Ending) -> None:
    Wanted.objects.filter(pk__in=rows).update(
        state=ending.state,
        code=ending.code,
        retryable=ending.retryable,
        note=ending.note[:500],
        run_after=None,
        busy_until=_from_now(ending.retry_after),
        finished_at=Now(),
    )


def _held(errand: Errand) -> QuerySet[Errand]:
    return Errand.objects.filter(pk=errand.pk, attempt=errand.attempt, finished_at=None)


@cache
def _statement(name: str) -> str:
    return (Path(__file__).parent / "sql" / f"{name}.sql").read_text()
