"""Writes many answers at the same time, a word each in turn, as workers do."""

import json
import time
from pathlib import Path
from uuid import UUID

from analysis.chat.models import ChatMessage
from analysis.chat.stream import tell


def write(path: str) -> None:
    """By a plan: which answers, how many words each, and the pause between two words of one."""
    plan = json.loads(Path(path).read_text())
    texts = {UUID(each): "" for each in plan["answers"]}
    began, pause = time.monotonic(), plan["pause"] / len(texts)
    for turn in range(plan["words"]):
        for place, answer in enumerate(texts):
            time.sleep(max(0.0, began + turn * plan["pause"] + place * pause - time.monotonic()))
            texts[answer] += _say(answer, turn, at=len(texts[answer]))
    for answer, text in texts.items():
        ChatMessage.objects.filter(pk=answer).update(status="complete", content=text, lease_until=None)
        tell(answer, "done", {}, at=len(text), last=True)


def _say(answer: UUID, turn: int, *, at: int) -> str:
    # Each word says when it was said: the clock is the machine's.
    word = f"{turn}:{time.monotonic():.4f} "
    tell(answer, "token", {"text": word, "at": at}, at=at + len(word))
    return word
