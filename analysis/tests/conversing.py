"""What the tests of analysts ask: a prompt as ours are made, and a conversation."""

from datetime import UTC, datetime

from analysis.answer import Explanation
from analysis.dossier import Dossier, Evidence, Known, Verdict
from analysis.prompting import prompt_for
from analysis.providers.contract import Completion, Medium, Message, Piece, Prompt, Provider

EVIDENCE = (
    Evidence(id="m1", kind="metric", text="views: 120,000", numbers={"views": 120_000}),
    Evidence(id="c1", kind="caption", text="Slow bread for busy people in seven steps"),
    Evidence(id="t1", kind="transcript", text="Nobody told me that the oven was wrong", start=0.0, end=2.4),
    Evidence(id="k1", kind="comment", text="Please show the folding once more"),
)


def prompt() -> Prompt:
    known = Known(platform="youtube", url="https://www.youtube.com/watch?v=aaaaaaaaaaa", posted_at=datetime.now(UTC))
    verdict = Verdict(label="over", basis="3 times the median of 12 posts", multiple=3.0)
    return prompt_for(Dossier(known=known, verdict=verdict, evidence=EVIDENCE))


def conversation(question: str = "Why did it work?") -> list[Message]:
    return [
        Message(role="system", text=prompt().data),
        Message(role="user", text="Hello"),
        Message(role="assistant", text="Hello!"),
        Message(role="user", text=question),
    ]


def spoken(pieces: list[Piece]) -> str:
    return "".join(piece.text for piece in pieces)


def ended(pieces: list[Piece]) -> Completion:
    """The whole, which only the last piece holds."""
    assert [piece.end for piece in pieces[:-1]] == [None] * (len(pieces) - 1)
    end = pieces[-1].end
    assert end
    return end


def complete(provider: Provider, *media: Medium) -> str:
    return provider.complete(prompt(), media, Explanation).text


def chat(provider: Provider) -> str:
    return spoken(list(provider.stream(conversation())))
