"""How much of what it ends with a post can be expected to have at its age."""

import math
from datetime import UTC, datetime, timedelta

# The age at which a post has half of what it ends with. Published figures follow engagement and lie near 20 hours for
# Instagram, 6 to 9 days for YouTube, and under an hour for X
# (https://www.scottgraffius.com/blog/files/tag-social-media-half-life.html). Ours are rounded, and X's is longer: views
# go on when answers have stopped, and half of the clicks on links there come within about three hours.
HALF_LIFE_HOURS = {"x": 3.0, "instagram": 24.0, "youtube": 7 * 24.0}
# Of a platform that nobody has measured for us: between a feed and an archive, as Instagram is.
OTHER_HALF_LIFE_HOURS = 24.0
# After so many the post is taken to have everything: the 3% to come are less than what two collections differ by.
SETTLED_HALF_LIVES = 5


def expected_share(hours: float, platform: str) -> float:
    """Between 0 and 1: what comes later halves with each half-life."""
    half_lives = max(hours, 0.0) / _half_life(platform)
    return 1.0 if half_lives >= SETTLED_HALF_LIVES else float(1 - 2.0**-half_lives)


def age_at(share: float, platform: str) -> timedelta:
    """From which age on so much can be expected."""
    half_lives = SETTLED_HALF_LIVES if share >= 1 else min(-math.log2(1 - share), SETTLED_HALF_LIVES)
    return timedelta(hours=half_lives * _half_life(platform))


def _half_life(platform: str) -> float:
    return HALF_LIFE_HOURS.get(platform, OTHER_HALF_LIFE_HOURS)


def hours_old(posted_at: datetime | None, now: datetime) -> float | None:
    """None where it is not known. A post from the future is as young as can be: clocks differ."""
    if posted_at is None:
        return None
    return max(0.0, (in_utc(now) - in_utc(posted_at)).total_seconds() / 3600)


def in_utc(moment: datetime) -> datetime:
    """A moment that does not say where it was told is taken for one of UTC."""
    if moment.utcoffset() is None:
        return moment.replace(tzinfo=UTC)
    try:
        return moment.astimezone(UTC)
    except OverflowError:  # within a day of the first or the last moment that there is
        return moment.replace(tzinfo=UTC)
