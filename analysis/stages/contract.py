"""What a stage is: where it runs, how long it may take, what it is called, and the one thing it does."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Protocol
from uuid import UUID

from analysis.engine import Work
from social.facts import PostAddress


@dataclass(frozen=True, slots=True, kw_only=True)
class Product:
    """A stage is done. What it made is stored by the stage itself, or, of the last one, in `result`."""

    address: PostAddress | None = None  # what a link turned out to lead to
    post_id: UUID | None = None
    reused: bool = False
    seconds_transcribed: float = 0.0
    result: Mapping[str, Any] = field(default_factory=dict)
    needless: frozenset[str] = frozenset()  # later stages that have nothing to do for this post


@dataclass(frozen=True, slots=True, kw_only=True)
class Later:
    """A vendor works on it: come back in so many seconds. Costs no try."""

    seconds: float


class Stage(Protocol):
    """One step of a post's way. Idempotent: what an earlier run has stored is used again, not paid for again."""

    name: ClassVar[str]
    queue: ClassVar[str]
    waits: ClassVar[float]  # seconds it may wait for vendors, in all
    most_tries: ClassVar[int]
    begins: ClassVar[tuple[str, str]]  # the word of the status history, and a sentence
    ends: ClassVar[tuple[str, str] | None]
    progress: ClassVar[int]  # how far a post is that has it behind it

    @property
    def patience(self) -> float:
        """Seconds that one run may take."""

    def run(self, work: Work) -> Product | Later:
        """Do it, outside any transaction, or raise a Problem of core.errors."""
