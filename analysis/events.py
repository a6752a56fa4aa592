"""A request's history as Server-Sent Events: its rows, then each new one as it is written, up to the request's end.

The recipe is in core/streams.py: entries of the stream are only bells, and what is sent is read from the rows.
"""

from collections.abc import AsyncGenerator
from typing import Any
from uuid import UUID

from asgiref.sync import sync_to_async

from analysis.live import stream_of
from analysis.models import OPEN, AnalysisStatusHistory, PostAnalysisRequest, Status
from core import streams

OF_ROW = ("id", "created_at", "post_analysis_id", "stage", "status", "progress", "message", "cost_micros")
AT_ONCE = 200
HEARTBEAT_SECONDS = 15.0


def after_header(last_event_id: str | None) -> int:
    """The row that a Last-Event-ID names, or the start."""
    return int(last_event_id) if last_event_id and last_event_id.isdecimal() and len(last_event_id) < 19 else 0


def has_more(request_id: UUID, after: int) -> bool:
    """Whether anything is left to be sent: a browser that asks again after the end is told to stop."""
    return (
        PostAnalysisRequest.objects.filter(pk=request_id, status__in=OPEN).exists()
        or AnalysisStatusHistory.objects.filter(request=request_id, id__gt=after).exists()
    )


async def follow(request_id: UUID, after: int, *, heartbeat: float = HEARTBEAT_SECONDS) -> AsyncGenerator[bytes, None]:
    """Everything behind a row, up to the request's end; a heartbeat, and a look at the rows, where nothing rings."""
    stream, reader = stream_of(request_id), _Reader(request_id, after)
    from_entry = await sync_to_async(streams.latest)(stream)
    for chunk in await reader.news():
        yield chunk
    if not reader.is_over():
        async for event in streams.tail(stream, after=from_entry, heartbeat=heartbeat):
            for chunk in await reader.news():
                yield chunk
            if reader.is_over():
                return
            if event is None:
                yield streams.HEARTBEAT


class _Reader:
    """How far somebody has read."""

    def __init__(self, request_id: UUID, after: int) -> None:
        self.request_id, self.after, self._over = request_id, after, False

    def is_over(self) -> bool:
        return self._over

    async def news(self) -> list[bytes]:
        """What was written since, and that it is over, if it is; a long history comes in several looks."""
        ended, rows = await streams.ask_database(self._look)
        chunks = [streams.encode("status", row, event_id=str(row["id"])) for row in rows]
        self.after = rows[-1]["id"] if rows else self.after
        if ended and len(rows) < AT_ONCE:
            self._over = True
            chunks.append(streams.encode("done", ended, event_id=str(self.after)))
        return chunks if len(rows) < AT_ONCE else [*chunks, *await self.news()]

    def _look(self) -> tuple[dict[str, Any] | None, list[dict[str, Any]]]:
        # The end is asked for first: whatever was written before it is then among the rows.
        requests = PostAnalysisRequest.objects.filter(pk=self.request_id)
        request: Any = requests.values("id", "status", "partial_success").first() or self._removed()
        found = AnalysisStatusHistory.objects.filter(request=self.request_id, id__gt=self.after).order_by("id")
        return request if request["status"] not in OPEN else None, list(found.values(*OF_ROW)[:AT_ONCE])

    def _removed(self) -> dict[str, Any]:
        return {"id": self.request_id, "status": Status.CANCELLED, "partial_success": False}
