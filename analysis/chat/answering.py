"""A worker answers a question: word by word into the stream, twice a second into the row, and whole at the end.

An answer is begun once. Whoever dies in the middle leaves what was shown, and the sweep says so; a question whose
message was lost is sent for again.
"""

from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import UUID

import structlog
from django.conf import settings
from django.db.models.functions import Now

from analysis.chat import ending, recall
from analysis.chat.keeping import Draft, keeper
from analysis.chat.models import ChatMessage
from analysis.chat.speech import Speech
from analysis.chat.stream import Voice, tell
from analysis.checking.faults import cited_in
from analysis.dossier import Dossier
from analysis.errors import NoAnswer
from analysis.leases import Leases
from analysis.models import PostAnalysis
from analysis.prompting import chat_version
from analysis.providers import PROVIDERS
from analysis.providers.contract import Completion, Message, Piece, Provider
from core.calls import VendorCall, cost_of, heard, on_behalf_of
from core.errors import Problem

TASK, QUEUE = "analysis.answer", "chat"
# A worker that is gone is found out within this; a model that thinks for long is not, for its worker lives.
LEASE = timedelta(seconds=15)
LONGEST_ANSWER = 20_000

log = structlog.get_logger(__name__)


def _renew(held: dict[UUID, int]) -> None:
    # Under the fence of whoever began: one that the sweep has taken is not spoken for any more.
    mine = ChatMessage.objects.filter(pk__in=[*held], status=ChatMessage.Status.STREAMING, fence=1)
    mine.update(lease_until=Now() + LEASE)


leases = Leases(renew=_renew, seconds=LEASE.total_seconds)


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
        _Answer(message=message, analysis=analysis, voice=Voice(message_id), version=chat_version()).give()


@dataclass(kw_only=True, eq=False)
class _Answer(Draft):
    """One answer as it grows."""

    analysis: PostAnalysis
    voice: Voice
    speech: Speech = field(default_factory=Speech)
    known: frozenset[str] = frozenset()  # what there is to cite
    cited: list[str] = field(default_factory=list)

    def give(self) -> None:
        with heard() as calls:
            try:
                dossier = recall.dossier_of(self.analysis)
                self.known = frozenset(item.id for item in dossier.evidence)
                with keeper.kept(self):
                    end = self._say(recall.messages_for(self.message, self.analysis, dossier))
                self._finish(end, dossier)
            except Stopped:
                self._add_known(calls)
            except Problem as problem:
                self._fail(problem, calls)
            except Exception as fault:  # a fault of ours must not leave an answer open
                log.exception("answer_failed", message=str(self.message.pk), error=type(fault).__name__)
                self._fail(Problem(), calls)

    def _say(self, messages: list[Message]) -> Completion:
        try:
            with closing(self._pieces(messages)) as pieces:
                for piece in pieces:
                    if piece.end:
                        self._add(self.speech.rest())
                        return piece.end
                    self.model = piece.model
                    self._add(self.speech.take(piece.text))
        finally:
            self.voice.flush()
        raise NoAnswer

    def _add(self, words: str) -> None:
        if self.is_stopped:
            raise Stopped
        words = words[: LONGEST_ANSWER - len(self.text)]
        if words:
            self.text += words
            self.voice.say(words)
        if "]" in words:
            self._cite()
        # Also of one that goes on behind the longest answer: it may have been stopped.
        keeper.note(self)

    def _cite(self) -> None:
        for name in [each for each in cited_in(self.text[-400:]) if each in self.known and each not in self.cited]:
            self.cited.append(name)
            self.voice.flush()
            tell(self.message.pk, "citation", {"evidence_id": name}, at=len(self.text))

    def _finish(self, end: Completion, dossier: Dossier) -> None:
        is_ours = ending.complete(
            self.message.pk, text=self.text, citations=ending.citations(self.text, lambda: dossier),
            provider=end.provider, model=end.model, prompt_version=self.version, tokens_in=end.tokens.input,
            tokens_out=end.tokens.output + end.tokens.thinking, tokens_cached=end.tokens.cached,
            cost_micros=end.cost_micros,
        )  # fmt: skip
        if not is_ours:
            raise Stopped

    def _fail(self, problem: Problem, calls: Sequence[VendorCall]) -> None:
        cited = ending.citations(self.text, lambda: recall.dossier_of(self.analysis))
        if not ending.fail(self.message.pk, problem, text=self.text, citations=cited, **self._known(calls)):
            self._add_known(calls)

    def _add_known(self, calls: Sequence[VendorCall]) -> None:
        """To what whoever stopped it has kept: its words, and what they cite."""
        ChatMessage.objects.filter(pk=self.message.pk).update(**self._known(calls))

    def _known(self, calls: Sequence[VendorCall]) -> dict[str, Any]:
        """Of one that broke off; its price is not known where its analyst did not come to say what was used."""
        theirs = [call for call in calls if call.vendor == self.provider]
        used = theirs[-1].units if theirs else {}
        return {
            "provider": self.provider, "model": self.model, "prompt_version": self.version,
            "tokens_in": used.get("input_tokens", 0), "tokens_out": used.get("output_tokens", 0),
            "tokens_cached": used.get("cached_input_tokens", 0),
            "cost_micros": cost_of(calls) if "output_tokens" in used or not theirs else None,
        }  # fmt: skip

    def _pieces(self, messages: list[Message]) -> Generator[Piece, None, None]:
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
            self.provider = provider.name
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
