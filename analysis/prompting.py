"""What a model is told: our orders from a file, and what strangers wrote as delimited data that cannot end itself."""

import hashlib
import sys
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from itertools import accumulate
from pathlib import Path

import structlog

from analysis.dossier import Dossier, Evidence, EvidenceKind, Known, Verdict
from analysis.plain import cut, make_visible
from analysis.providers.contract import Prompt
from analysis.room import CUT, share, size_of, trim

FOLDER = Path(__file__).parent / "prompts"
SHORTEST_ITEM, LONGEST_ITEM = 100, 600
LONGEST_FACT = 1_000
# Longer than any claim of a result with its name, what it cites, and whether it holds.
LONGEST_TOLD = 2_000
# Bytes of the marks around the sections of a chat, and of the line that says what had no room.
FRAME = 700
# Characters that each kind of evidence may take in an analysis, in the order in which they are shown: 60,000, or some
# 15,000 tokens. What does not fit is left out at the end of its kind, and counted there. A chat is shown all of it.
ROOM: Mapping[EvidenceKind, int] = {
    "metric": 4_000,
    "profile": 2_000,
    "caption": 10_000,
    "transcript": 24_000,
    "frame": 4_000,
    "comment": 16_000,
}
MARKS = ("BEGIN ", "END ")

log = structlog.get_logger(__name__)


def prompt_for(dossier: Dossier) -> Prompt:
    sections = {"COMPUTED": _computed(dossier), "POST": _post(dossier.known), "EVIDENCE": _evidence(dossier.evidence)}
    return Prompt(
        orders=read_orders("analysis"), data=_delimit(sections), version=_version("analysis"), dossier=dossier
    )


def chat_orders() -> str:
    return read_orders("chat")


def chat_version() -> str:
    return _version("chat")


def chat_data(dossier: Dossier, result: Sequence[str] = (), room: int = sys.maxsize) -> str:
    """What a chat knows, in so many bytes: the claims of the result, a line each, and the evidence, all of it whole.

    Only where that alone has no room its longest items are cut, all to one length; and the model is told so.
    """
    known = _known(dossier) | ({"RESULT": [_fold(claim, LONGEST_TOLD) for claim in result]} if result else {})
    items = [_whole(item) for kind in ROOM for item in dossier.evidence if item.kind == kind]
    shown = _squeeze(items, room - FRAME - sum(_sizes(line for lines in known.values() for line in lines)))
    if shown != items:
        known["COMPUTED"].append(_tell_short(items, shown))
    return _delimit(known | {"EVIDENCE": shown})


@cache
def read_orders(name: str) -> str:
    return (FOLDER / f"{name}.md").read_text(encoding="utf-8")


@cache
def _version(name: str) -> str:
    return hashlib.sha256((FOLDER / f"{name}.md").read_bytes()).hexdigest()[:16]


def _delimit(sections: Mapping[str, Sequence[str]]) -> str:
    """The boundary is the hash of what it bounds: whoever writes it into their text changes it by that."""
    digest = hashlib.sha256(repr(sorted(sections.items())).encode("utf-8", "replace")).hexdigest()[:24]
    blocks = [
        "\n".join([f"BEGIN {digest} {name}", *(_disarm(line, digest) for line in lines), f"END {digest} {name}"])
        for name, lines in sections.items()
    ]
    return "\n\n".join([f"Boundary: {digest}", *blocks])


def _disarm(line: str, boundary: str) -> str:
    """No line begins as a section does, and none has the boundary."""
    line = line.replace(boundary, "[removed]")
    return f"| {line}" if line.lstrip().startswith(MARKS) else line


def _fold(text: str, longest: int = LONGEST_ITEM) -> str:
    """One line of bounded length."""
    line = _straighten(text[: 4 * longest])
    return line if len(line) <= longest else cut(line, longest) + CUT


def _straighten(text: str) -> str:
    # Most is one line already, and a chat has a hundred of them straightened before its first word.
    if text.isascii() and text.isprintable() and "  " not in text:
        return text.strip()
    return " ".join(make_visible(text).split())


def _known(dossier: Dossier) -> dict[str, list[str]]:
    return {"COMPUTED": _computed(dossier), "POST": _post(dossier.known)}


def _computed(dossier: Dossier) -> list[str]:
    confounders = [f"{each.kind} is {each.state}: {each.note}{_ids(each.evidence)}" for each in dossier.confounders]
    demand = [f"readers' {each.kind}: {each.count} comments{_ids(each.examples)}" for each in dossier.demand]
    return [_fold(line) for line in (*_verdict(dossier.verdict), *confounders, *demand)]


def _verdict(verdict: Verdict) -> Iterable[str]:
    yield f"verdict: {verdict.label}"
    yield f"basis: {verdict.basis}"
    if verdict.multiple is not None:
        yield f"multiple of the author's median: {verdict.multiple:.2f}"
    if verdict.percentile is not None:
        yield f"percentile among the author's posts: {verdict.percentile:.0f}"
    if verdict.baseline.median is not None:
        base = verdict.baseline
        yield f"baseline: median {base.median:,.0f} {base.metric} of {base.n} posts, {base.window}"


def _post(known: Known) -> list[str]:
    facts = {
        "platform": known.platform,
        "format": known.format,
        "language": known.language,
        "seconds": known.seconds,
        "posted at": known.posted_at,
        "collected at": known.collected_at,
        "comments seen": known.seen,
        **{f"detail {name}": value for name, value in sorted(known.details.items())},
    }
    return [_fold(f"{name}: {value}", LONGEST_FACT) for name, value in facts.items() if value not in (None, "", [])]


def _evidence(items: Sequence[Evidence]) -> list[str]:
    return [line for kind, room in ROOM.items() for line in _fit([i for i in items if i.kind == kind], kind, room)]


def _fit(items: Sequence[Evidence], kind: str, room: int) -> list[str]:
    """Where not all of them fit whole, each is cut to its share, so that the end of a long video is heard too."""
    longest = max(SHORTEST_ITEM, min(LONGEST_ITEM, room // max(len(items), 1)))
    lines: list[str] = []
    for item in items:
        line = _line(item, longest)
        room -= len(line)
        if room < 0:
            return [*lines, f"({len(items) - len(lines)} more items of kind {kind} are not shown)"]
        lines.append(line)
    return lines


def _squeeze(lines: list[str], room: int) -> list[str]:
    """As they are, if there is room; else the longest are cut, and at the very last those at the end are left out."""
    sizes = _sizes(lines)
    if sum(sizes) <= room:
        return lines
    most = max(share(sizes, room) - 1, SHORTEST_ITEM)
    shown = [trim(line, most) for line in lines]
    return shown[: sum(taken <= room for taken in accumulate(_sizes(shown)))]


def _sizes(lines: Iterable[str]) -> list[int]:
    """With the ends of their lines."""
    return [size_of(line) + 1 for line in lines]


def _tell_short(items: Sequence[str], shown: Sequence[str]) -> str:
    kept = sum(item == line for item, line in zip(items, shown, strict=False))
    log.warning("evidence_has_no_room", items=len(items), whole=kept, left_out=len(items) - len(shown))
    return (
        f"evidence: {len(items)} items, of which {len(shown) - kept} are cut, where they say{CUT}, and "
        f"{len(items) - len(shown)} are not shown; you do not know what they say further"
    )


def _line(item: Evidence, longest: int) -> str:
    head = _head(item)
    return head + _fold(item.text, max(longest - len(head) - len(CUT), 1))


def _whole(item: Evidence) -> str:
    return _head(item) + _straighten(item.text)


def _head(item: Evidence) -> str:
    when = "" if item.start is None else f" {item.start:.1f}s"
    until = "" if item.end is None else f"-{item.end:.1f}s"
    return f"[{_fold(item.id, 12)}] ({item.kind}{when}{until}) "


def _ids(ids: Sequence[str]) -> str:
    return f" [{', '.join(ids)}]" if ids else ""
