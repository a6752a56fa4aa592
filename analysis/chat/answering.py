"""A worker answers a question: word by word into the stream, twice a second into the row, and whole at the end.

An answer is begun once. Whoever dies in the middle leaves what was shown, and `sweep` says so; a question whose message
was lost is sent for again.
"""

import time
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cache
from uuid import UUID

import structlog
from django.conf import settings
from django.db import transaction
from django.db.models import Q
from django.db.models.functions import Now
from psycopg.types.json import Jsonb

from accounts.models import UsageKind
from accounts.usage import give_back
from analysis.chat import recall
from analysis.chat.citing import citations_of
from analysis.chat.models import ChatMessage
from analysis.chat.speech import Speech
from analysis.chat.stream import Voice, gone_on, tell, words_told
from analysis.checking.faults import cited_in
from analysis.dossier import Dossier
from analysis.errors import NoAnswer
from analysis.leases import Leases
from analysis.models import PostAnalysis
from analysis.prompting import chat_version
from analysis.providers import PROVIDERS
from analysis.providers.contract import Completion, Message, Piece, Provider
from core.calls import cost_of, heard, on_behalf_of
from core.errors import Problem
from core.queue import enqueue
from core.statements import ask

TASK, QUEUE = "analysis.answer", "chat"
# A worker that is gone is found out within this; a model that thinks for long is not, for its worker lives.
LEASE = timedelta(seconds=15)
# How often what was said goes into the row: how much a crash of Redis and worker together may cost.
FLUSH_SECONDS = 0.5
LONGEST_ANSWER = 20_000
REST = timedelta(seconds=5)
AT_ONCE = 200
TABLE = ChatMessage._meta.db_table
OPEN = "WHERE id = %(message)s AND status = 'streaming'"
# Said in full, not through the ORM: every answer writes down with it what it said.
WRITE_DOWN = f"UPDATE {TABLE} SET content = %(text)s {OPEN} AND fence = 1 RETURNING id"  # noqa: S608
Status = ChatMessage.Status

log = structlog.get_logger(__name__)


def _renew(held: dict[UUID, int]) -> None:
    ChatMessage.objects.filter(pk__in=[*held], status=Status.STREAMING).update(lease_until=Now() + LEASE)


leases = Leases(renew=_renew, seconds=LEASE.total_seconds)


def unit_of(message_id: UUID) -> str:
    return f"question:{message_id}"


class Stopped(Exception):
    """Nobody waits for this answer any more: it was cancelled, or given up."""


def answer(message_id: UUID) -> None:
    """Give this answer, unless somebody has begun with it."""
    begun = recall.begin(message_id, LEASE)
    if not begun:
        return
    message, user_id, analysis = begun
    behalf = on_behalf_of(user_id=user_id, chat_id=message.session_id, analysis_id=analysis.pk)
    with behalf, leases.kept(message_id, 1, patience=_patience()):
        _Answer(message, analysis, Voice(message_id)).give()


@dataclass
class _Answer:
    """One answer as it grows."""

    message: ChatMessage
    analysis: PostAnalysis
    voice: Voice
    speech: Speech = field(default_factory=Speech)
    text: str = ""
    known: frozenset[str] = frozenset()  # what there is to cite
    cited: list[str] = field(default_factory=list)
    flushed_at: float = field(default_factory=time.monotonic)

    def give(self) -> None:
        with heard() as calls:
            try:
                dossier = recall.dossier_of(self.analysis)
                self.known = frozenset(item.id for item in dossier.evidence)
                end = self._say(recall.messages_for(self.message, self.analysis, dossier))
            except Stopped:
                ChatMessage.objects.filter(pk=self.message.pk).update(cost_micros=cost_of(calls))
                return
            except Problem as problem:
                fail(self.message.pk, problem, text=self.text, cost=cost_of(calls))
                return
            except Exception as fault:  # a fault of ours must not leave an answer open
                log.exception("answer_failed", message=str(self.message.pk), error=type(fault).__name__)
                fail(self.message.pk, Problem(), text=self.text, cost=cost_of(calls))
                return
            self._finish(end, dossier)

    def _say(self, messages: list[Message]) -> Completion:
        try:
            for piece in _pieces(messages):
                if piece.end:
                    self._add(self.speech.rest())
                    return piece.end
                self._add(self.speech.take(piece.text))
        finally:
            self.voice.flush()
        raise NoAnswer

    def _add(self, words: str) -> None:
        words = words[: LONGEST_ANSWER - len(self.text)]
        if words:
            self.text += words
            self.voice.say(words)
        if "]" in words:
            self._cite()
        # Also of one that goes on behind the longest answer: it may have been stopped.
        if time.monotonic() - self.flushed_at > FLUSH_SECONDS:
            self._flush()

    def _cite(self) -> None:
        for name in [each for each in cited_in(self.text[-400:]) if each in self.known and each not in self.cited]:
            self.cited.append(name)
            self.voice.flush()
            tell(self.message.pk, "citation", {"evidence_id": name}, at=len(self.text))

    def _flush(self) -> None:
        if not ask(WRITE_DOWN, {"message": self.message.pk, "text": self.text}):
            raise Stopped
        self.flushed_at = time.monotonic()

    def _finish(self, end: Completion, dossier: Dossier) -> None:
        cited = Jsonb(citations_of(self.text, dossier))
        ended = _end(
            self.message.pk, status=Status.COMPLETE, content=self.text, citations=cited, provider=end.provider,
            model=end.model, prompt_version=chat_version(), tokens_in=end.tokens.input,
            tokens_out=end.tokens.output + end.tokens.thinking, tokens_cached=end.tokens.cached,
            cost_micros=end.cost_micros,
        )  # fmt: skip
        if ended:
            tell(self.message.pk, "done", {}, at=len(self.text), last=True)


def _pieces(messages: list[Message]) -> Iterator[Piece]:
    """From the first analyst of the order who begins to speak: once one has, nobody takes over."""
    last: Problem = NoAnswer()
    for provider in _configured():
        stream = provider.stream(messages)
        try:
            first = next(stream, None)
        except Problem as problem:
            log.warning("analyst_passed_over", provider=provider.name, code=problem.code)
            last = problem
            continue
        if first is None:
            continue
        yield first
        yield from stream
        return
    raise last


def _patience() -> float:
    """As long as all of the order may take, one after the other."""
    return float(len(settings.CHAT_PROVIDERS) * settings.MODEL_SECONDS + 30)


def _configured() -> Iterator[Provider]:
    for provider in (PROVIDERS[name]() for name in settings.CHAT_PROVIDERS):
        if provider.is_configured():
            yield provider


# How it ends


def fail(message_id: UUID, problem: Problem, *, text: str, cost: int | None) -> None:
    """It cannot be answered, or not to the end; what was shown stays, and for nothing nothing is spent."""
    status = Status.INTERRUPTED if text else Status.FAILED
    if _end(message_id, status=status, content=text, error_code=problem.code, cost_micros=cost):
        tell(message_id, "error", {"code": problem.code, "message": problem.message}, at=len(text), last=True)


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
        return _end(message_id, status=Status.INTERRUPTED, content=gone_on(kept, told), error_code=code)


def _end(message_id: UUID, *, status: str, content: str, **columns: object) -> bool:
    """Once; a unit goes back where not a word was shown."""
    values = {"message": message_id, "status": status, "content": content, **columns}
    with nullcontext() if content else transaction.atomic():
        ended = ask(_ending("status", "content", *columns), values)
        if ended and not content:
            give_back(source=unit_of(message_id), kind=UsageKind.QUESTIONS_ASKED)
    return bool(ended)


@cache
def _ending(*columns: str) -> str:
    told = ", ".join(f"{name} = %({name})s" for name in columns)
    return f"UPDATE {TABLE} SET {told}, finished_at = now(), lease_until = NULL {OPEN} RETURNING id"  # noqa: S608


def sweep() -> None:
    """Say of answers whose worker is gone that they broke off, and send for those that nobody has begun."""
    open_ones = ChatMessage.objects.filter(status=Status.STREAMING)
    for message_id in open_ones.filter(lease_until__lt=Now()).values_list("pk", flat=True)[:AT_ONCE]:
        interrupt(message_id, code="interrupted", message="The answer broke off.")
    forgotten = open_ones.filter(Q(hinted_at=None) | Q(hinted_at__lt=Now() - REST), fence=0)
    for message_id in list(forgotten.values_list("pk", flat=True)[:AT_ONCE]):
        if forgotten.filter(pk=message_id).update(hinted_at=Now()):
            enqueue(TASK, message_id, queue=QUEUE)
