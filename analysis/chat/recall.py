"""What an answer is made from: the result as it is stored, its evidence whole, and as much of the talk as has room.

The evidence is never trimmed here (prompting bounds it when it is written). Of the conversation the newest turns are
kept, whole, up to `TALK` characters, some 4,000 tokens; what is older is dropped, question and answer together. A long
answer of ours is cut to its beginning: it can be read again in the evidence it cites.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from analysis.chat.models import ChatMessage
from analysis.dossier import Baseline, Confounder, Demand, Dossier, Evidence, Known, Verdict
from analysis.models import PostAnalysis
from analysis.prompting import chat_data, chat_orders
from analysis.providers.contract import Message
from core.statements import Parameter, Statement, columns_of, model_of
from social.models import Post

TALK = 16_000
LONGEST_TURN = 4_000
MOST_TURNS = 40
CLAIMS = (
    "virality_reasoning", "quick_takeaways", "creator_context", "replicable_elements", "improvements",
    "suggestions_for_future_posts",
)  # fmt: skip


ANALYSIS = "session__post_analysis__"
# Not the post's words, which may be a hundred times as long: what counts of them is in the evidence.
FIELDS = {"id", "post_id", "platform", "url", "verdict", "evidence", "confounders", "demand", "metadata_used", *CLAIMS}
POST_FIELDS = {"id", "author", "format", "language", "seconds", "posted_at", "collected_at", "metrics", "details"}
OF_ANALYSIS = columns_of(PostAnalysis, ANALYSIS, only=FIELDS)
OF_POST = columns_of(Post, f"{ANALYSIS}post__", only=POST_FIELDS)
# With one trip, because every answer waits for it: whose turn it is, and what it is about.
BEGIN = Statement(
    lambda: ChatMessage.objects.filter(pk=Parameter("answer")).values_list("session__user_id", *OF_ANALYSIS, *OF_POST),
    head="WITH subject AS (",
    tail=f"""
        ) UPDATE {ChatMessage._meta.db_table} AS answer
        SET fence = 1, lease_until = statement_timestamp() + %s::interval
        FROM subject WHERE answer.id = %s AND answer.status = 'streaming' AND answer.fence = 0
        RETURNING answer.session_id, subject.*
    """,  # noqa: S608
)
# Questions, and the answers that said something; the newest first.
TURNS = Statement(
    lambda: (
        ChatMessage.objects.filter(session=Parameter("session"), id__lt=Parameter("before"))
        .exclude(content="")
        .order_by("-id")
        .values_list("role", "content")[:MOST_TURNS]
    )
)


def begin(answer_id: UUID, lease: timedelta) -> tuple[ChatMessage, UUID, PostAnalysis] | None:
    """Take an answer that nobody has begun: it, who asked, and what about, with its post where that is known."""
    begun = BEGIN.rows(lease, answer_id, answer=answer_id)
    if not begun:
        return None
    [(session_id, user_id, *row)] = begun
    analysis = model_of(PostAnalysis, tuple(row[: len(OF_ANALYSIS)]), only=FIELDS)
    of_post = tuple(row[len(OF_ANALYSIS) :])
    analysis.post = model_of(Post, of_post, only=POST_FIELDS) if analysis.post_id else None
    return ChatMessage(id=answer_id, session_id=session_id), user_id, analysis


def messages_for(answer: ChatMessage, analysis: PostAnalysis, dossier: Dossier) -> list[Message]:
    system = f"{chat_orders()}\n\n{chat_data(dossier, [*_claims(analysis)])}"
    return [Message(role="system", text=system), *_talk(answer)]


def dossier_of(analysis: PostAnalysis) -> Dossier:
    """As it was when the result was made: what the evidence says is what the reader can open."""
    verdict = analysis.verdict or {}
    return Dossier(
        known=_known(analysis),
        verdict=_verdict(verdict),
        evidence=tuple(_evidence(each) for each in analysis.evidence),
        confounders=tuple(
            Confounder(kind=each["kind"], state=each["state"], note=each["note"], evidence=tuple(each["evidence"]))
            for each in analysis.confounders
        ),
        demand=tuple(
            Demand(kind=each["kind"], count=each["count"], examples=tuple(each["examples"])) for each in analysis.demand
        ),
    )


def _verdict(told: dict[str, Any]) -> Verdict:
    base = told.get("baseline") or {}
    return Verdict(
        label=told.get("label", "not_enough_history"),
        basis=told.get("basis", ""),
        multiple=told.get("multiple"),
        percentile=told.get("percentile"),
        baseline=Baseline(**base),
    )


def _evidence(told: dict[str, Any]) -> Evidence:
    return Evidence(
        id=told["id"],
        kind=told["kind"],
        text=told["text"],
        start=told.get("start"),
        end=told.get("end"),
        url=told.get("url", ""),
        numbers=told.get("numbers", {}),
    )


def _known(analysis: PostAnalysis) -> Known:
    post, used = analysis.post, analysis.metadata_used
    seen, total = used.get("comments_seen"), used.get("comments_total")
    if post is None:
        return Known(platform=analysis.platform, url=analysis.url, comments_seen=seen, comments_total=total)
    at: datetime | None = post.collected_at
    return Known(
        platform=analysis.platform, url=analysis.url, author=post.author, format=post.format, language=post.language,
        seconds=post.seconds, posted_at=post.posted_at, collected_at=at, metrics=post.metrics, details=post.details,
        comments_seen=seen, comments_total=total,
    )  # fmt: skip


def _claims(analysis: PostAnalysis) -> Iterable[str]:
    """What the result says, a line each, with what it cites; what did not hold says so."""
    for name in CLAIMS:
        for claim in getattr(analysis, name):
            held = "" if claim["supported"] else " (not supported)"
            yield f"{name}: {claim['text']} {' '.join(f'[{each}]' for each in claim['evidence'])}{held}"


def _talk(answer: ChatMessage) -> Sequence[Message]:
    kept: list[Message] = []
    room = TALK
    for role, content in TURNS.rows(session=answer.session_id, before=answer.pk):
        text = content[:LONGEST_TURN]
        # What was not answered is no turn: not every model takes two questions in a row.
        if role == ChatMessage.Role.USER and kept and kept[-1].role == "user":
            continue
        # The question that is to be answered is there whatever its length.
        if len(text) > room and kept:
            break
        room -= len(text)
        kept.append(Message(role="user" if role == ChatMessage.Role.USER else "assistant", text=text))
    while kept and kept[-1].role == "assistant":
        kept.pop()
    return kept[::-1]
