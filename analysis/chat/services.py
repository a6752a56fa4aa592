"""What can be done with a conversation: begin it, ask, wait for an answer, stop one."""

import time
from threading import BoundedSemaphore
from uuid import UUID

from django.conf import settings
from django.db import IntegrityError, transaction

from accounts.models import UsageKind, User
from accounts.usage import increment_usage
from analysis.chat.answering import QUEUE, TASK
from analysis.chat.ending import interrupt, unit_of
from analysis.chat.models import ChatMessage, ChatSession
from analysis.errors import AnswerRunning, NothingToStop, NotReadyToTalk
from analysis.models import OPEN, PostAnalysis, Status
from core.errors import Missing
from core.ids import uuid7
from core.queue import enqueue
from core.statements import ask as sql
from core.streams import close_connections

# How often a waiting request looks: what it costs is one look at a key.
LOOK_SECONDS = 0.15
# How many requests of a process may wait: each takes one of its threads, of which it has eight or sixteen for all.
MOST_WAITING = 4
_places = BoundedSemaphore(MOST_WAITING)
# Said in full, not through the ORM: every question waits for it. The answer is owed, the question complete. It answers
# the platform and how the analysis stands, or nothing where this is no conversation of theirs. While the team has the
# post worked on again, nothing is stored: what the evidence says may be about to change.
STORE = f"""
    WITH subject AS (
        SELECT session.id, platform, analysis.status AS stands FROM {ChatSession._meta.db_table} session
        JOIN {PostAnalysis._meta.db_table} analysis ON analysis.id = session.post_analysis_id
        WHERE session.id = %(session)s AND session.user_id = %(user)s
    ), stored AS (
        INSERT INTO {ChatMessage._meta.db_table} (
            id, session_id, role, status, content, hinted_at, created_at, citations, fence, provider, model,
            prompt_version, error_code, tokens_in, tokens_out, tokens_cached
        )
        SELECT asked.id, subject.id, role, status, content, hinted_at, now(), '[]', 0, '', '', '', '', 0, 0, 0
        FROM subject, (VALUES
            (%(question)s::uuid, 'user', 'complete', %(content)s, NULL),
            (%(answer)s::uuid, 'assistant', 'streaming', '', now())
        ) AS asked (id, role, status, content, hinted_at)
        WHERE stands NOT IN {tuple(map(str, OPEN))}
    )
    SELECT platform, stands FROM subject
"""  # noqa: S608


def open_session(user: User, post_analysis_id: UUID) -> tuple[ChatSession, bool]:
    """The one session of an analysis, and whether it is new: to begin one the analysis must be complete."""
    analysis = PostAnalysis.objects.filter(pk=post_analysis_id, request__user=user).first()
    if analysis is None:
        raise Missing
    if analysis.status != Status.COMPLETED:
        session = ChatSession.objects.filter(post_analysis=analysis).first()
        if session is None:
            raise NotReadyToTalk
        return session, False
    return ChatSession.objects.get_or_create(post_analysis=analysis, defaults={"user": user})


def ask(user: User, session_id: UUID, content: str) -> UUID:
    """Store the question, owe its answer, spend a unit: together or not at all. One answer at a time; its id."""
    # Two ids of one millisecond are in no order by themselves.
    asked_id, answer_id = sorted((uuid7(), uuid7()))
    rows = {"question": asked_id, "answer": answer_id, "session": session_id, "user": user.pk, "content": content}
    try:
        with transaction.atomic():
            found = sql(STORE, rows)
            if not found:
                raise Missing
            platform, stands = found[0]
            if stands in OPEN:
                raise NotReadyToTalk
            spent = {"platform": platform, "source": unit_of(answer_id), "is_new": True}
            increment_usage(user, UsageKind.QUESTIONS_ASKED, **spent)
            transaction.on_commit(lambda: enqueue(TASK, answer_id, queue=QUEUE))
    except IntegrityError as problem:
        if "one_answer_at_a_time" in str(problem):
            raise AnswerRunning from None
        raise
    return answer_id


def wait_for(message_id: UUID) -> bool:
    """Whether an answer came to its end while somebody may be kept waiting for it: not at all in a full house."""
    has_place = _places.acquire(blocking=False)
    try:
        return _ends_within(settings.CHAT_WAIT_SECONDS if has_place else 0.0, message_id)
    finally:
        if has_place:
            _places.release()


def _ends_within(seconds: float, message_id: UUID) -> bool:
    deadline = time.monotonic() + seconds
    while ChatMessage.objects.filter(pk=message_id, status=ChatMessage.Status.STREAMING).exists():
        # Its connection is somebody else's meanwhile.
        close_connections()
        if time.monotonic() > deadline:
            return False
        time.sleep(LOOK_SECONDS)
    return True


def stop(user: User, message_id: UUID) -> None:
    """End an answer that is being given; what was shown of it stays."""
    own_message(user, message_id)
    if not interrupt(message_id, code="cancelled", message="The answer was stopped."):
        raise NothingToStop


def own_message(user: User, message_id: UUID) -> ChatMessage:
    message = ChatMessage.objects.filter(pk=message_id, session__user=user).first()
    if message is None:
        raise Missing
    return message
