"""All that is known of a post when it is explained: frozen facts, the one thing that analysts of any kind work from."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

EvidenceKind = Literal["caption", "transcript", "comment", "metric", "frame", "profile"]
Label = Literal["over", "typical", "under", "too_early", "not_enough_history"]
ConfounderState = Literal["present", "ruled_out", "cannot_tell"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PostFacts:
    """What is compared of a post. None means: not known, never zero."""

    posted_at: datetime | None = None
    format: str | None = None
    views: int | None = None
    likes: int | None = None
    comments: int | None = None
    shares: int | None = None
    followers: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Baseline:
    """What is usual for the author: the median of `n` comparable posts, in one metric, over a window in words."""

    n: int = 0
    median: float | None = None
    metric: str = ""
    window: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """How far a post outran its author's own baseline, in numbers; `basis` says in a sentence what that rests on."""

    label: Label
    basis: str
    multiple: float | None = None
    baseline: Baseline = Baseline()
    percentile: float | None = None
    computed_at: datetime | None = None

    @property
    def is_viral(self) -> bool:
        return self.label == "over"


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """One numbered thing that a claim can point at. Its text is what somebody wrote or said, or a measured fact."""

    id: str
    kind: EvidenceKind
    text: str
    start: float | None = None
    end: float | None = None
    url: str = ""
    # Of a metric: its numbers by name, so that what is claimed of them can be checked.
    numbers: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Confounder:
    """Something else that may have lifted the post: there, ruled out, or not to be told from what is known."""

    kind: str
    state: ConfounderState
    note: str
    evidence: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Demand:
    """Something that readers ask for: how many of the seen comments do, and the evidence ids of some."""

    kind: str
    count: int
    examples: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Comment:
    """A comment that was seen."""

    text: str
    author: str = ""
    likes: int | None = None
    by_post_author: bool = False
    pinned: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Spoken:
    """Words of the video and when they are said, in seconds."""

    start: float
    end: float
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """A picture of the post: a frame of its video at `second`, or a picture or thumbnail where that is None."""

    kind: str
    file: str  # its name in the storage
    media_type: str
    second: float | None = None
    alt_text: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Video:
    """The post's video as it is kept: its name in the storage, and how long it is."""

    file: str
    media_type: str
    seconds: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What was collected of a post, before anything is concluded from it."""

    platform: str
    url: str
    author: str = ""
    profile: Mapping[str, Any] = field(default_factory=dict)  # name, followers, bio, verified
    title: str = ""
    text: str = ""
    format: str = ""
    language: str = ""
    seconds: float | None = None
    posted_at: datetime | None = None
    metrics: Mapping[str, int] = field(default_factory=dict)  # likes, comments, shares, views, saves where known
    details: Mapping[str, Any] = field(default_factory=dict)  # hashtags, mentions, paid_partnership, collaborators ...
    collected_at: datetime | None = None
    spoken: tuple[Spoken, ...] = ()
    comments: tuple[Comment, ...] = ()
    comments_seen: int | None = 0  # where they are not at hand themselves; None where it is not known
    comments_total: int | None = None
    frames: tuple[Frame, ...] = ()
    video: Video | None = None
    history: tuple[PostFacts, ...] = ()  # of the author's other recent posts

    @property
    def seen(self) -> int | None:
        """How many comments were seen; a chat has no more of them than that, and what of them is evidence."""
        return len(self.comments) or self.comments_seen

    @property
    def facts(self) -> PostFacts:
        counts = {name: self.metrics.get(name) for name in ("views", "likes", "comments", "shares")}
        followers = self.profile.get("followers")
        return PostFacts(posted_at=self.posted_at, format=self.format or None, followers=followers, **counts)


@dataclass(frozen=True, slots=True, kw_only=True)
class Dossier:
    """What was collected, what the numbers say of it, and the evidence that claims may cite."""

    known: Known
    verdict: Verdict
    evidence: tuple[Evidence, ...] = ()
    confounders: tuple[Confounder, ...] = ()
    demand: tuple[Demand, ...] = ()
