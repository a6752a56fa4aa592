"""What Gemini answers, read piece by piece: words, why it stopped, what it used."""

from collections.abc import Mapping
from typing import Any

from analysis.errors import AnswerInvalid, ContentBlocked
from analysis.providers.contract import Completion, Finish, Tokens
from analysis.providers.costs import cost_of
from analysis.providers.gemini.asking import word
from analysis.providers.gemini.transport import tokens_of
from core.errors import VendorUnavailable

# https://ai.google.dev/api/generate-content#FinishReason
BLOCKED = {
    "SAFETY", "RECITATION", "LANGUAGE", "BLOCKLIST", "PROHIBITED_CONTENT", "SPII", "MODEL_ARMOR", "IMAGE_SAFETY",
    "IMAGE_PROHIBITED_CONTENT", "IMAGE_RECITATION",
}  # fmt: skip
FINISHES: dict[str, Finish] = {"STOP": "stop", "MAX_TOKENS": "length"}


class Heard:
    """An answer as far as it has come."""

    def __init__(self, *, model: str, operation: str) -> None:
        self.model, self.operation = model, operation
        self.text, self.stopped = "", ""
        self.tokens = Tokens()

    def take(self, response: Any) -> str:
        """The new words; a blocked prompt or answer is told before anybody reads on."""
        if response.usage_metadata:
            self.tokens = tokens_of(_plain(response.usage_metadata))
        candidate = next(iter(response.candidates or []), None)
        if candidate is None:
            _check_feedback(response.prompt_feedback)
            return ""
        self.stopped = word(candidate.finish_reason) or self.stopped
        if self.stopped in BLOCKED:
            raise ContentBlocked(details={"reason": self.stopped})
        words = _words(candidate)
        self.text += words
        return words

    def whole(self) -> Completion:
        """As far as it goes: one that was cut off, or says nothing, was paid for too."""
        cost = cost_of(self.tokens, vendor="gemini", model=self.model, operation=self.operation)
        return Completion(
            text=self.text,
            provider="gemini",
            model=self.model,
            tokens=self.tokens,
            cost_micros=cost,
            finish=FINISHES.get(self.stopped, "other"),
        )

    def end(self) -> Completion:
        """Of a stream."""
        if not self.stopped:
            raise VendorUnavailable(details={"problem": "The stream ended before the answer did."})
        if not self.text.strip():
            raise AnswerInvalid(details={"reason": self.stopped})
        return self.whole()


def _check_feedback(feedback: Any) -> None:
    # With or without a reason: where there is nothing but feedback, the prompt was not let through.
    if feedback is not None:
        raise ContentBlocked(details={"reason": word(feedback.block_reason) or "not said"})


def _words(candidate: Any) -> str:
    # `response.text` warns about every other kind of part; thoughts are no answer.
    parts = (candidate.content.parts if candidate.content else None) or []
    return "".join(part.text for part in parts if part.text and not part.thought)


def _plain(model: Any) -> Mapping[str, Any]:
    return dict(model.model_dump(by_alias=True))
