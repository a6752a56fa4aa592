"""What goes out of a conversation."""

from typing import Any

from analysis.chat.models import ChatMessage

OF_MESSAGE = (
    "id", "created_at", "session_id", "role", "status", "content", "citations", "provider", "model", "error_code",
    "tokens_in", "tokens_out", "tokens_cached", "cost_micros", "finished_at",
)  # fmt: skip


def message_body(message: ChatMessage) -> dict[str, Any]:
    return {name: getattr(message, name) for name in OF_MESSAGE}
