"""What a post is compared with: the author's other posts, in one measure that is known of all of them."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from analysis.comparing.figures import span
from analysis.comparing.maturity import expected_share, hours_old
from analysis.dossier import PostFacts
from social.engagement import WEIGHTS

# In the order of preference. Views are the nearest to how many were reached. Without them, what people did, weighted as
# in social.engagement; always the same parts on both sides, for a list of posts often tells fewer than the post itself.
MEASURES: tuple[tuple[str, ...], ...] = (
    ("views",),
    ("likes", "comments", "shares"),
    ("likes", "comments"),
    ("likes", "shares"),
    ("likes",),
    ("comments",),
    ("shares",),
)
# Formats whose numbers come about in much the same way.
SIMILAR = (frozenset({"short", "video", "live"}), frozenset({"image", "carousel"}))
# What no platform has counted yet (the largest that the database holds) is a mistake, and not a number.
LARGEST = 2**63 - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Thresholds:
    """Where the lines are drawn; the settings VERDICT_OVER, VERDICT_UNDER and so on can move them."""

    # Twice the author's own median: a difference that nobody needs statistics to see, and that few posts make.
    over: float = 2.0
    # The mirror image of it, for multiples are compared as ratios.
    under: float = 0.5
    # Fewer posts than this have no middle that one of them could not move at will.
    least_posts: int = 3
    # Older posts than the last thirty had another audience.
    most_posts: int = 30
    # After two half-lives what is still to come can no longer turn an ordinary post into an over.
    mature_share: float = 0.75
    # For an author whose posts differ widely: over is beyond this many robust standard deviations of the logarithm,
    # which one in fifteen of their own posts is by chance.
    spread: float = 1.5
    # However widely: five times the usual is much for anybody, and with few posts the spread is a rough guess.
    furthest: float = 5.0
    # Small counts double by chance: the difference to the median must be this many times its square root.
    chance: float = 3.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """A post's value beside those of the posts it is compared with, and what they are, in words."""

    value: float | None = None
    values: tuple[float, ...] = ()
    parts: tuple[str, ...] = ()
    scope: str = "posts"
    window: str = ""

    @property
    def metric(self) -> str:
        return self.parts[0] if len(self.parts) == 1 else "engagement" if self.parts else ""


@dataclass(frozen=True, slots=True)
class Aged:
    """A post and how old it is, in hours, where that is known."""

    post: PostFacts
    hours: float | None


def compare(
    post: PostFacts, history: Sequence[PostFacts], *, now: datetime, platform: str, thresholds: Thresholds
) -> Comparison:
    """The nearest comparison for which there are enough posts; else the one with the most."""
    aged = [Aged(each, hours_old(each.posted_at, now)) for each in _others(post, history)]
    grown = [each for each in aged if _is_grown(each, platform, thresholds)]
    grown.sort(key=lambda each: math.inf if each.hours is None else each.hours)
    tried = list(_comparisons(post, grown, thresholds))
    enough = (each for each in tried if len(each.values) >= thresholds.least_posts)
    most = max(tried, key=lambda each: len(each.values), default=Comparison())
    return next(enough, most)


def _others(post: PostFacts, history: Sequence[PostFacts]) -> list[PostFacts]:
    """The history without the post itself, which it holds once at most."""
    itself = next((place for place, each in enumerate(history) if _counts(each) == _counts(post)), None)
    return [each for place, each in enumerate(history) if place != itself]


def _counts(post: PostFacts) -> PostFacts:
    """What tells one post from another: neither its followers nor how its format was told."""
    return replace(post, followers=None, format=None)


def _is_grown(aged: Aged, platform: str, thresholds: Thresholds) -> bool:
    return aged.hours is None or expected_share(aged.hours, platform) >= thresholds.mature_share


def _comparisons(post: PostFacts, others: Sequence[Aged], thresholds: Thresholds) -> Iterator[Comparison]:
    for scope, formats in _scopes(post.format, thresholds.least_posts):
        pool = [each for each in others if formats is None or each.post.format in formats]
        for parts in MEASURES:
            value = measure(post, parts)
            if value is not None:
                yield _comparison(value, parts, scope, pool, thresholds.most_posts)


def _scopes(format_: str | None, least: int) -> Iterator[tuple[str, frozenset[str] | None]]:
    """From the same format to all of them, and how to call that."""
    if not format_:
        yield "posts of all formats (its own is not known)", None
        return
    yield f"{format_} posts", frozenset({format_})
    similar = next((group for group in SIMILAR if format_ in group), None)
    if similar:
        yield f"posts of similar formats (fewer than {least} are {format_} posts)", similar
    yield f"posts of all formats (fewer than {least} are {format_} or similar posts)", None


def _comparison(value: float, parts: tuple[str, ...], scope: str, pool: Sequence[Aged], most_posts: int) -> Comparison:
    known = [(each, found) for each in pool if (found := measure(each.post, parts)) is not None][:most_posts]
    values = tuple(found for _, found in known)
    window = _window([each.hours for each, _ in known if each.hours is not None])
    return Comparison(value=value, values=values, parts=parts, scope=scope, window=window)


def _window(hours: Sequence[float]) -> str:
    if not hours:
        return "of unknown age"
    return f"between {span(min(hours))} and {span(max(hours))} old"


def measure(post: PostFacts, parts: tuple[str, ...]) -> float | None:
    """What is compared: one count as it is, or several, weighted; None where one of them is not known."""
    counts = [count_of(getattr(post, part)) for part in parts]
    known = [count for count in counts if count is not None]
    if len(known) < len(parts):
        return None
    if len(parts) == 1:
        return float(known[0])
    return float(sum(WEIGHTS[part] * count for part, count in zip(parts, known, strict=True)))


def count_of(value: object) -> int | None:
    """A count that can be one."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= LARGEST:
        return None
    return int(value)
