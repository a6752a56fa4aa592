"""An answer's live events. Each token says where in the answer it stands, so nobody shows a word twice or misses one.

`start`, `token {text, at}`, `citation {evidence_id}`, then `done {message}` or `error {code, message}`. The event id is
the number of characters told so far: Last-Event-ID goes on behind them, out of the stream or, where that is gone, the
row.
"""

from typing import Any
from uuid import UUID

import orjson

from core import redis, streams


def stream_of(message_id: UUID) -> str:
    return f"chat:{message_id}"


def tell(message_id: UUID, event: str, data: dict[str, Any], *, at: int, last: bool = False) -> None:
    streams.append(stream_of(message_id), event, data, event_id=str(at), last=last)


def text_told(message_id: UUID) -> str:
    """What has been shown of an answer; nothing where that cannot be known."""
    try:
        events = streams.read(stream_of(message_id))
    except redis.RedisAway:
        return ""
    told = ""
    for event in events:
        if event.name == "token":
            data = orjson.loads(event.data)
            told = told[: data["at"]] + data["text"]
    return told
