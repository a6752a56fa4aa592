"""What every analyst does, whoever's model it asks."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal, Protocol

from pydantic import BaseModel

from analysis.dossier import Dossier

Finish = Literal["stop", "length", "blocked", "other"]
Role = Literal["system", "user", "assistant"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Medium:
    """A picture or a short video that a model may look at, under the id of the evidence that it is.

    `data` holds its bytes; a public video of YouTube is named by its address instead.
    """

    evidence_id: str
    media_type: str
    data: bytes = b""
    url: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Prompt:
    """What is asked: orders of ours, what others wrote as delimited data, and the same as facts for whoever reckons.

    `version` is the hash of the files it was made from.
    """

    orders: str
    data: str
    version: str
    dossier: Dossier


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One turn of a conversation."""

    role: Role
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Tokens:
    """What was used, by the vendor's own count; what was read from a cache is not in `input`."""

    input: int = 0
    output: int = 0
    cached: int = 0
    thinking: int = 0

    @property
    def units(self) -> dict[str, int]:
        """As the record of vendor calls names them; thoughts are paid for as output."""
        units = {
            "input_tokens": self.input,
            "cached_input_tokens": self.cached,
            "output_tokens": self.output + self.thinking,
        }
        return {name: count for name, count in units.items() if count}


@dataclass(frozen=True, slots=True, kw_only=True)
class Completion:
    """An answer, and what it took. `cost_micros` is None where its price is not known."""

    text: str
    provider: str
    model: str
    tokens: Tokens = Tokens()
    cost_micros: int | None = 0
    finish: Finish = "stop"


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """Some words of a streamed answer, and the model that speaks; the last piece has no words, and the whole in `end`,
    its text included."""

    text: str = ""
    model: str = ""
    end: Completion | None = None


class Provider(Protocol):
    """One analyst. Stateless; raises errors of core.errors and analysis.errors, never a vendor's own."""

    name: ClassVar[str]

    @property
    def sees(self) -> bool:
        """Whether it looks at pictures."""

    @property
    def watches(self) -> bool:
        """Whether it takes whole videos too."""

    def is_configured(self) -> bool:
        """Whether there is a key or an address for it."""

    def complete(self, prompt: Prompt, media: Sequence[Medium], schema: type[BaseModel]) -> Completion:
        """What came, as JSON of this shape as far as the vendor promises that; perhaps cut off: the caller checks."""

    def stream(self, messages: Sequence[Message]) -> Iterator[Piece]:
        """The answer to a conversation, as it comes."""
