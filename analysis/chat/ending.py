"""How an answer ends: once, with what was shown of it, and for nothing where not a word was."""

import time
from collections.abc import Callable
from contextlib import nullcontext
from functools import cache
from uuid import UUID

import structlog
from django.db import InterfaceError, OperationalError, transaction
from psycopg.types.json import Jsonb

from accounts.models import UsageKind
from accounts.usage import give_back
from analysis.chat import recall
from analysis.chat.citing import citations_of
from analysis.chat.models import ChatMessage
from analysis.chat.stream import gone_on, tell, words_told
from analysis.dossier import Dossier
from analysis.models import PostAnalysis
from core.errors import Problem
from core.statements import ask
from core.streams import close_connections

TABLE = ChatMessage._meta.db_table
OPEN = "WHERE id = %(message)s AND status = 'streaming'"
# Before a worker tries again whose connection was lost: a server that starts anew is back after that.
PAUSES = (0.0, 1.0, 3.0)
Status = ChatMessage.Status

log = structlog.get_logger(__name__)


def unit_of(message_id: UUID) -> str:
    return f"question:{message_id}"


def complete(message_id: UUID, *, text: str, **known: object) -> bool:
    """Say of an answer that it is whole; False where somebody has ended it before."""
    ended = _end_surely(message_id, status=Status.COMPLETE, content=text, **known)
    if ended:
        tell(message_id, "done", {}, at=len(text), last=True)
    return ended


def fail(message_id: UUID, problem: Problem, *, text: str, **known: object) -> bool:
    """It cannot be answered, or not to the end; what was shown stays, and for nothing nothing is spent."""
    status = Status.INTERRUPTED if text else Status.FAILED
    ended = _end_surely(message_id, status=status, content=text, error_code=problem.code, **known)
    if ended:
        tell(message_id, "error", {"code": problem.code, "message": problem.message}, at=len(text), last=True)
    return ended


def interrupt(message_id: UUID, *, code: str, message: str) -> bool:
    """End an answer from outside, with what was shown of it."""
    still_open = ChatMessage.objects.filter(pk=message_id, status=Status.STREAMING)
    if not still_open.exists():
        return False
    # First: its worker goes on telling until it finds out, and behind the last event nobody listens.
    tell(message_id, "error", {"code": code, "message": message}, at=0, last=True)
    told = words_told(message_id)
    with transaction.atomic():
        kept = still_open.select_for_update(no_key=True).values_list("content", flat=True).first()
        if kept is None:
            return False
        text = gone_on(kept, told)
        cited = citations(text, lambda: _dossier_behind(message_id))
        return _end(message_id, status=Status.INTERRUPTED, content=text, error_code=code, citations=cited)


def citations(text: str, dossier: Callable[[], Dossier]) -> Jsonb:
    """What it cites, for its row. A fault of ours in checking that must not leave an answer open."""
    try:
        return Jsonb(citations_of(text, dossier()) if "]" in text else [])
    except Exception as fault:
        log.exception("citations_not_checked", error=type(fault).__name__)
        return Jsonb([])


def _dossier_behind(message_id: UUID) -> Dossier:
    about = PostAnalysis.objects.select_related("post").get(chat__messages=message_id)
    return recall.dossier_of(about)


def _end_surely(message_id: UUID, **columns: object) -> bool:
    """Over a new connection where the worker's own was lost while it listened to the model."""
    for pause in PAUSES:
        try:
            return _end(message_id, **columns)
        except (OperationalError, InterfaceError) as problem:
            log.warning("answer_not_ended", message=str(message_id), error=type(problem).__name__)
            close_connections()
            time.sleep(pause)
    return _end(message_id, **columns)


def _end(message_id: UUID, **columns: object) -> bool:
    """Once; a unit goes back where not a word was shown."""
    with nullcontext() if columns["content"] else transaction.atomic():
        ended = ask(_ending(*columns), {"message": message_id, **columns})
        if ended and not columns["content"]:
            give_back(source=unit_of(message_id), kind=UsageKind.QUESTIONS_ASKED)
    return bool(ended)


@cache
def _ending(*columns: str) -> str:
    told = ", ".join(f"{name} = %({name})s" for name in columns)
    return f"UPDATE {TABLE} SET {told}, finished_at = now(), lease_until = NULL {OPEN} RETURNING id"  # noqa: S608
