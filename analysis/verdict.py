"""How far a post outran its author's own baseline: counted, never guessed, and the same for the same numbers."""

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from analysis.comparing.baseline import Comparison, Thresholds, compare, count_of, measure
from analysis.comparing.figures import amount, counted, span, times
from analysis.comparing.maturity import expected_share, hours_old, in_utc
from analysis.dossier import Baseline, Label, PostFacts, Verdict

USUAL = Thresholds()
# Of what is normally distributed, the median distance from the middle is 1 / 1.4826 of a standard deviation.
MEDIAN_DISTANCE_TO_DEVIATION = 1.4826
# Where half of the author's posts have nothing, fewer than this may be the author and a few friends.
LEAST_BESIDE_NOTHING = 100.0
PARTS_IN_WORDS = {"likes": "likes", "comments": "2 x comments", "shares": "3 x shares"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Bars:
    """The multiples from which on a post of this author is over or under, and why not the usual ones."""

    over: float
    under: float
    reason: str = ""


def judge(
    post: PostFacts,
    history: Sequence[PostFacts],
    *,
    now: datetime,
    platform: str = "",
    thresholds: Thresholds = USUAL,
) -> Verdict:
    """The verdict of one moment. Takes what is missing, zero or absurd as it comes, and never raises."""
    found = compare(post, history, now=now, platform=platform, thresholds=thresholds)
    if found.value is None or len(found.values) < max(thresholds.least_posts, 1):
        return _leave_open(post, found, now, thresholds)
    median = statistics.median(found.values)
    multiple = found.value / median if median else None
    bars = _bars(found.values, median, thresholds)
    ratio = _ratio_to_nothing(found, bars) if multiple is None else multiple
    hours = hours_old(post.posted_at, now)
    share = 1.0 if hours is None else expected_share(hours, platform)
    label = _label(ratio, bars, share, thresholds)
    line = _line(label, bars) if median else _line_beside_nothing(found, bars)
    return Verdict(
        label=label,
        basis=f"{_age(hours, share, label)} {_standing(found, median, multiple)}{line}.",
        multiple=multiple,
        baseline=Baseline(
            n=len(found.values), median=median, metric=found.metric, window=f"{found.scope}, {found.window}"
        ),
        percentile=_percentile(found.value, found.values),
        computed_at=in_utc(now),
    )


def _label(ratio: float, bars: Bars, share: float, thresholds: Thresholds) -> Label:
    """What a post has already, it keeps: over needs no patience, everything else does."""
    if ratio >= bars.over:
        return "over"
    if share < thresholds.mature_share:
        return "too_early"
    # What is still to come counts in its favour.
    return "under" if ratio <= bars.under * share else "typical"


def _ratio_to_nothing(found: Comparison, bars: Bars) -> float:
    """Of a median of nought nothing is a multiple: over is what is far above all of them, and anything else typical."""
    return bars.over if (found.value or 0.0) >= _least_beside_nothing(found, bars) else 1.0


def _least_beside_nothing(found: Comparison, bars: Bars) -> float:
    return max(bars.over * max(found.values), LEAST_BESIDE_NOTHING)


def _bars(values: Sequence[float], median: float, thresholds: Thresholds) -> Bars:
    """The usual lines, further out for an author whose posts differ widely or whose counts are small."""
    unit = max(median, 1.0)
    distance = statistics.median(abs(math.log(max(value, 1.0) / unit)) for value in values)
    room = min(thresholds.spread * MEDIAN_DISTANCE_TO_DEVIATION * distance, math.log(thresholds.furthest))
    wide, chance = math.exp(room), thresholds.chance / math.sqrt(unit)
    over = max(thresholds.over, wide, 1 + chance)
    if over == thresholds.over:
        reason = ""
    else:
        reason = "this author's posts differ widely" if over == wide else "counts as small as these double by chance"
    return Bars(over=over, under=min(thresholds.under, 1 / wide, 1 - chance), reason=reason)


def _percentile(value: float, values: Sequence[float]) -> float:
    """How many in a hundred of the author's posts it beats; those that equal it count half."""
    below, equal = sum(each < value for each in values), sum(each == value for each in values)
    return 100 * (below + equal / 2) / len(values)


# In words


def _age(hours: float | None, share: float, label: Label) -> str:
    if hours is None:
        return "At an age that is not known, it has"
    if label == "too_early":
        return f"At {span(hours)} old, when {share:.0%} of what such a post ends with can be expected, it has"
    return f"At {span(hours)} old, it has"


def _standing(found: Comparison, median: float, multiple: float | None) -> str:
    has = _worth(found.value or 0.0, found.parts)
    against = f"a median of {amount(median)} over {len(found.values)} {found.scope}, {found.window}"
    return f"{has}, against {against}" if multiple is None else f"{has}, {times(multiple)} times {against}"


def _worth(value: float, parts: Sequence[str]) -> str:
    if len(parts) == 1:
        return f"{amount(value)} {parts[0]}"
    return f"an engagement of {amount(value)} ({' + '.join(PARTS_IN_WORDS[part] for part in parts)})"


def _line(label: Label, bars: Bars) -> str:
    why = f", since {bars.reason}" if bars.reason else ""
    if label == "over":
        return f": {times(bars.over)} times or more is over{why}"
    if label == "under":
        return f": {times(bars.under)} times or less is under{why}"
    if label == "too_early":
        return f": less than the {times(bars.over)} times that would be over at any age{why}"
    return f": typical is from {times(max(bars.under, 0.0))} to {times(bars.over)} times{why}"


def _line_beside_nothing(found: Comparison, bars: Bars) -> str:
    """Where nobody can say how many times the usual it has."""
    return f": beside a median of nought it takes {amount(_least_beside_nothing(found, bars))} to be over"


def _leave_open(post: PostFacts, found: Comparison, now: datetime, thresholds: Thresholds) -> Verdict:
    """Without a baseline there is no verdict, but what it has for each follower can be said."""
    n = len(found.values)
    if found.value is None:
        basis = "No count of this post is known, so there is nothing to compare."
    else:
        known = f"{counted(n, 'comparable post')} of this author {'is' if n == 1 else 'are'} known"
        basis = f"{known} and it takes {max(thresholds.least_posts, 1)}; {_beside_followers(post, found)}."
    return Verdict(
        label="not_enough_history",
        basis=basis,
        baseline=Baseline(n=n, metric=found.metric, window=f"{found.scope}, {found.window}" if n else ""),
        computed_at=in_utc(now),
    )


def _beside_followers(post: PostFacts, found: Comparison) -> str:
    followers, value = count_of(post.followers), measure(post, found.parts) or 0.0
    has = f"the post has {_worth(value, found.parts)}"
    if not followers:
        return f"{has}, and how many follow its author is not known"
    return f"{has}, which is {times(value / followers)} for each of {counted(followers, 'follower')}"
