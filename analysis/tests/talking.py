"""What the tests of chats stand on: a finished analysis to talk about, and an answer watched as a browser does."""

import asyncio
import json
import threading
from typing import Any
from uuid import UUID

from django.db import connection

from analysis.chat import answering, tail
from analysis.chat.models import ChatMessage, ChatSession
from analysis.models import PostAnalysis
from analysis.tests.fakes import make_request

EVIDENCE = [
    {"id": "c1", "kind": "caption", "text": "Slow bread for busy people in seven steps"},
    {"id": "t1", "kind": "transcript", "text": "Nobody told me that the oven was wrong", "start": 0.0, "end": 2.4},
    {"id": "k1", "kind": "comment", "text": "Please show the folding once more"},
    {"id": "k2", "kind": "comment", "text": "Part two about sourdough starters please"},
    {"id": "m1", "kind": "metric", "text": "views: 120,000", "numbers": {"views": 120_000}},
]
CLAIM = {"text": "It opens with a list.", "evidence": ["c1"], "supported": True}


def finished(user: Any) -> PostAnalysis:
    """An analysis that is complete."""
    _, [post] = make_request(user)
    PostAnalysis.objects.filter(pk=post.pk).update(
        status="COMPLETED", evidence=EVIDENCE, quick_takeaways=[CLAIM] * 3, virality_reasoning=[CLAIM],
        verdict={"label": "over", "basis": "3 times the median of 12 posts", "multiple": 3.0, "baseline": {}},
    )  # fmt: skip
    post.refresh_from_db()
    return post


def session_of(user: Any) -> ChatSession:
    return ChatSession.objects.create(user=user, post_analysis=finished(user))


def events_in(body: bytes) -> list[tuple[str, str, Any]]:
    """Name, id and data of each event of an answer's body, whole ones only."""
    found = []
    for block in body.decode("utf-8", "ignore").split("\n\n")[:-1]:
        fields = dict(line.partition(": ")[::2] for line in block.split("\n") if not line.startswith(":"))
        if "event" in fields:
            found.append((fields["event"], fields.get("id", ""), json.loads(fields["data"])))
    return found


def text_in(events: list[tuple[str, str, Any]]) -> str:
    return "".join(data["text"] for name, _, data in events if name == "token")


def watch(message_id: UUID, *, shown: int = 0) -> list[tuple[str, str, Any]]:
    """Everything that is told of an answer behind so many characters."""

    async def collect() -> bytes:
        return b"".join([chunk async for chunk in tail.follow(message_id, shown)])

    return events_in(asyncio.run(asyncio.wait_for(collect(), 20)))


def body_of(response: Any) -> bytes:
    """What an answer streams, to its end."""

    async def collect() -> bytes:
        return b"".join([chunk async for chunk in response.streaming_content])

    return asyncio.run(asyncio.wait_for(collect(), 20))


def answer_row(message_id: UUID) -> ChatMessage:
    return ChatMessage.objects.get(pk=message_id)


def answer_beside(message_id: UUID) -> threading.Thread:
    """A worker of its own, on a thread with a connection of its own."""

    def work() -> None:
        try:
            answering.answer(message_id)
        finally:
            connection.close()

    worker = threading.Thread(target=work)
    worker.start()
    return worker
