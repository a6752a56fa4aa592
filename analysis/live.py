"""Telling whoever watches a request that its history has a new row. The row is the truth, this only a bell."""

from uuid import UUID

from core import streams


def stream_of(request_id: UUID) -> str:
    return f"analysis:{request_id}"


def ring(request_id: UUID, told: int | None) -> None:
    if told is not None:
        streams.append(stream_of(request_id), "status", {}, event_id=str(told))
