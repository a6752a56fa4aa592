"""What an answer is made from: the result and its evidence as they are stored, and as much of the talk as has room.

All of it together takes at most `CHAT_PROMPT_TOKENS`, counted as `analysis.room` says. The evidence is told whole, and
the talk gives way to it: of the newest `MOST_TURNS` questions and answers those are told that have room in `TALK` and
in what the evidence leaves; what is older is dropped, question and answer together. Of a long answer of ours its
beginning is told. Where the claims of the result take more than a quarter of the room, the longest are cut. Only where
the evidence has no room with no talk at all, it is cut as well, as `prompting.chat_data` says.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.conf import settings

from analysis.chat.models import ChatMessage
from analysis.dossier import Baseline, Confounder, Demand, Dossier, Evidence, Known, Verdict
from analysis.models import PostAnalysis
from analysis.prompting import chat_data, chat_orders
from analysis.providers.contract import Message
from analysis.room import BYTES_PER_TOKEN, CUT, share, size_of, trim
from core.statements import Parameter, Statement, columns_of, model_of
from social.models import Post

TALK = 4_000 * BYTES_PER_TOKEN
# Characters: as many as a question may have, so that only answers are cut.
LONGEST_TURN = 4_000
MOST_TURNS = 40
CLAIMS = (
    "virality_reasoning", "quick_takeaways", "creator_context", "content_observation", "replicable_elements",
    "viral_formula", "improvements", "suggestions_for_future_posts",
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
    room = settings.CHAT_PROMPT_TOKENS * BYTES_PER_TOKEN
    orders, turns = chat_orders(), _turns(answer)
    asked = sum(size_of(turn.text) for turn in turns[:1])
    claims = _claims(analysis, room // 4)
    system = f"{orders}\n\n{chat_data(dossier, claims, room - size_of(orders) - asked)}"
    return [Message(role="system", text=system), *_talk(turns, min(TALK, room - size_of(system)))]


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


def _claims(analysis: PostAnalysis, room: int) -> list[str]:
    """What the result says, a line each, with what it cites; what did not hold says so."""
    told = [each for name in CLAIMS for each in _named(name, getattr(analysis, name))]
    most = share([size_of(claim["text"]) for _, claim in told], room)
    return [f"{name}: {trim(claim['text'], most)}{_standing(claim)}" for name, claim in told]


def _named(name: str, part: Any) -> Iterator[tuple[str, dict[str, Any]]]:
    """The claims of a part: one, several, or an observation, whose parts are claims or nothing."""
    if isinstance(part, list):
        yield from ((name, claim) for claim in part)
    elif "text" in part:
        yield name, part
    else:
        yield from ((f"{name}.{of}", claim) for of, claim in part.items() if claim)


def _standing(claim: dict[str, Any]) -> str:
    cited = "".join(f" [{each}]" for each in claim["evidence"])
    return cited if claim["supported"] else f"{cited} (not supported)"


def _turns(answer: ChatMessage) -> list[Message]:
    """The newest first: the question that is to be answered."""
    return [
        Message(
            role="user" if role == ChatMessage.Role.USER else "assistant",
            text=content if len(content) <= LONGEST_TURN else content[:LONGEST_TURN] + CUT,
        )
        for role, content in TURNS.rows(session=answer.session_id, before=answer.pk)
    ]


def _talk(turns: Sequence[Message], room: int) -> list[Message]:
    kept: list[Message] = []
    for turn in turns:
        # What was not answered is no turn: not every model takes two questions in a row.
        if turn.role == "user" and kept and kept[-1].role == "user":
            continue
        room -= size_of(turn.text)
        # The question that is to be answered is there whatever its length.
        if room < 0 and kept:
            break
        kept.append(turn)
    while kept and kept[-1].role == "assistant":
        kept.pop()
    return kept[::-1]
