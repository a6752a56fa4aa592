"""The verdict: what is compared with what, and what follows from it."""

import math
import statistics
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.comparing.baseline import Thresholds, count_of
from analysis.dossier import PostFacts
from analysis.verdict import judge

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
LABELS = {"over", "typical", "under", "too_early", "not_enough_history"}


def post(views=1000, *, days=30.0, form="short", **counts):
    return PostFacts(posted_at=NOW - timedelta(days=days), format=form, views=views, **counts)


def posts(*views, form="short", **counts):
    return [post(each, days=20 + place, form=form, **counts) for place, each in enumerate(views)]


EVEN = posts(900, 950, 1000, 1050, 1100)


# What it is called


def test_a_post_of_twice_the_median_is_over():
    verdict = judge(post(2000), EVEN, now=NOW)
    assert (verdict.label, verdict.multiple, verdict.is_viral) == ("over", 2.0, True)


def test_a_post_just_below_twice_the_median_is_typical():
    assert judge(post(1999), EVEN, now=NOW).label == "typical"


def test_a_post_of_half_the_median_is_under():
    assert judge(post(500), EVEN, now=NOW).label == "under"
    assert judge(post(501), EVEN, now=NOW).label == "typical"


def test_one_runaway_post_does_not_move_the_baseline():
    verdict = judge(post(2000), [*EVEN, post(90_000_000, days=50)], now=NOW)
    assert verdict.baseline.median == 1025
    assert verdict.multiple == pytest.approx(2000 / 1025)


def test_an_uneven_author_needs_more_to_be_over_and_is_told_why():
    wild = posts(100, 300, 1000, 3500, 9000)
    verdict = judge(post(3000), wild, now=NOW)
    assert verdict.multiple == 3.0
    assert verdict.label == "typical"
    assert "differ widely" in verdict.basis
    assert judge(post(3000), EVEN, now=NOW).label == "over"


def test_five_times_the_median_is_over_however_uneven_the_author():
    assert judge(post(5000), posts(1, 10, 1000, 100_000, 9_000_000), now=NOW).label == "over"


def test_an_uneven_author_needs_less_to_be_under():
    assert judge(post(400), posts(100, 300, 1000, 3500, 9000), now=NOW).label == "typical"


def test_small_counts_that_double_by_chance_are_not_over():
    assert judge(post(4), posts(2, 2, 2, 2), now=NOW).label == "typical"
    assert judge(post(40), posts(2, 2, 2, 2), now=NOW).label == "over"


def test_views_of_an_author_whose_posts_have_none_are_judged_without_a_multiple():
    verdict = judge(post(500), posts(0, 0, 0, 0), now=NOW)
    assert (verdict.label, verdict.multiple, verdict.baseline.median) == ("over", None, 0)
    assert judge(post(0), posts(0, 0, 0, 0), now=NOW).label == "typical"


def test_the_lines_can_be_moved():
    strict = Thresholds(over=3.0, under=0.1)
    assert judge(post(2500), EVEN, now=NOW, thresholds=strict).label == "typical"
    assert judge(post(300), EVEN, now=NOW, thresholds=strict).label == "typical"


# How old it is


@pytest.mark.parametrize(
    ("platform", "hours", "label"),
    [
        ("x", 1, "too_early"),
        ("x", 7, "typical"),
        ("instagram", 24, "too_early"),
        ("instagram", 50, "typical"),
        ("youtube", 7 * 24, "too_early"),
        ("youtube", 15 * 24, "typical"),
        ("", 12, "too_early"),
        ("", 72, "typical"),
    ],
)
def test_it_is_too_early_for_as_long_as_the_platform_takes(platform, hours, label):
    assert judge(post(1000, days=hours / 24), EVEN, now=NOW, platform=platform).label == label


def test_a_young_post_that_is_over_already_is_over():
    assert judge(post(2100, days=0.05), EVEN, now=NOW, platform="youtube").label == "over"


def test_what_is_still_to_come_counts_in_favour_of_a_post_that_is_behind():
    assert judge(post(450, days=2.1), EVEN, now=NOW, platform="instagram").label == "typical"
    assert judge(post(450, days=12), EVEN, now=NOW, platform="instagram").label == "under"


def test_it_is_too_early_for_a_post_from_the_future():
    assert judge(post(1000, days=-3), EVEN, now=NOW).label == "too_early"


def test_a_post_of_unknown_age_is_judged_and_says_so():
    verdict = judge(replace(post(3000), posted_at=None), EVEN, now=NOW)
    assert verdict.label == "over"
    assert "not known" in verdict.basis


def test_posts_that_are_too_young_are_no_baseline():
    young = [post(1, days=0.1), post(1, days=0.2), post(1, days=0.3)]
    assert judge(post(1000), [*young, *EVEN], now=NOW).baseline.median == 1000
    assert judge(post(1000), young, now=NOW).label == "not_enough_history"


def test_posts_of_unknown_age_are_a_baseline():
    """Lists of a channel's videos tell no dates."""
    undated = [replace(each, posted_at=None) for each in EVEN]
    verdict = judge(post(2000), undated, now=NOW)
    assert (verdict.label, verdict.baseline.n) == ("over", 5)
    assert "unknown age" in verdict.baseline.window


def test_times_without_a_zone_are_taken_for_utc():
    naive = replace(post(1000), posted_at=(NOW - timedelta(hours=2)).replace(tzinfo=None))
    assert judge(naive, EVEN, now=NOW.replace(tzinfo=None)).label == "too_early"


# What it is compared with


def test_the_post_itself_is_left_out():
    itself = post(9000, days=25)
    assert judge(itself, [*EVEN, itself], now=NOW) == judge(itself, EVEN, now=NOW)


def test_only_posts_of_the_same_format_count_where_there_are_enough():
    verdict = judge(post(1000), [*EVEN, *posts(50_000, 60_000, 70_000, form="image")], now=NOW)
    assert (verdict.baseline.n, verdict.baseline.median) == (5, 1000)


def test_similar_formats_stand_in_and_the_basis_says_so():
    others = [*posts(1000, 1000, form="short"), *posts(1000, 1200, form="video"), *posts(9, 9, 9, 9, form="text")]
    verdict = judge(post(1000), others, now=NOW)
    assert (verdict.baseline.n, verdict.baseline.median) == (4, 1000)
    assert "similar formats" in verdict.basis


def test_all_formats_stand_in_last():
    verdict = judge(post(1000, form="text"), [*posts(1000, 1000), *posts(400, form="image")], now=NOW)
    assert verdict.baseline.n == 3
    assert "all formats" in verdict.basis


def test_a_post_without_a_format_is_compared_with_all():
    verdict = judge(post(1000, form=None), [*EVEN, *posts(1, form="image")], now=NOW)
    assert verdict.baseline.n == 6


def test_engagement_is_compared_where_views_are_not_known():
    verdict = judge(post(None, likes=100, comments=20), posts(None, None, None, likes=50, comments=10), now=NOW)
    assert (verdict.baseline.metric, verdict.baseline.median, verdict.multiple) == ("engagement", 70, 2.0)


def test_only_what_both_sides_know_is_weighted():
    """A list that tells no shares must not make the post look better than it is."""
    verdict = judge(post(None, likes=100, comments=0, shares=900), posts(None, None, None, likes=100), now=NOW)
    assert (verdict.baseline.metric, verdict.multiple, verdict.label) == ("likes", 1.0, "typical")


def test_only_the_last_thirty_count():
    old = [post(9, days=100 + place) for place in range(40)]
    recent = [post(1000, days=20 + place) for place in range(30)]
    assert judge(post(1000), [*old, *recent], now=NOW).baseline.n == 30
    assert judge(post(1000), [*old, *recent], now=NOW).baseline.median == 1000


def test_the_percentile_counts_equals_half():
    assert judge(post(1000), EVEN, now=NOW).percentile == 50
    assert judge(post(99_999), EVEN, now=NOW).percentile == 100
    assert judge(post(1), EVEN, now=NOW).percentile == 0


# Where there is nothing to compare with


def test_two_posts_are_no_history_and_what_it_has_for_each_follower_is_said():
    verdict = judge(post(380, followers=190), posts(300, 400), now=NOW)
    assert (verdict.label, verdict.multiple, verdict.percentile, verdict.baseline.n) == (
        "not_enough_history",
        None,
        None,
        2,
    )
    assert "2 comparable posts" in verdict.basis
    assert "2 for each of 190 followers" in verdict.basis


def test_three_posts_are_a_history():
    assert judge(post(1000), posts(1000, 1000, 1000), now=NOW).label == "typical"


def test_a_post_without_counts_is_compared_with_nothing():
    verdict = judge(PostFacts(posted_at=NOW), EVEN, now=NOW)
    assert verdict.label == "not_enough_history"
    assert "No count" in verdict.basis


@pytest.mark.parametrize("absurd", [-1, 2**63, 10**400, math.nan, math.inf, True, "12"])
def test_a_count_that_cannot_be_one_is_not_known(absurd):
    assert count_of(absurd) is None
    assert judge(post(absurd), EVEN, now=NOW).label == "not_enough_history"
    assert judge(post(1000), [*EVEN, post(absurd)], now=NOW).baseline.n == 5


# Whatever comes

COUNTS = st.none() | st.integers(0, 5000) | st.sampled_from([-1, 0, 1, 2**62, 2**63, 10**400])
MOMENTS = (
    st.datetimes()
    | st.datetimes(timezones=st.timezones())
    | st.integers(-50, 5000).map(lambda hours: NOW - timedelta(hours=hours))
)
FACTS = st.builds(
    PostFacts,
    posted_at=st.none() | MOMENTS,
    format=st.sampled_from([None, "", "short", "video", "image", "text", "hologram"]),
    views=COUNTS,
    likes=COUNTS,
    comments=COUNTS,
    shares=COUNTS,
    followers=COUNTS,
)


@given(FACTS, st.lists(FACTS, max_size=12), MOMENTS, st.sampled_from(["", "x", "instagram", "youtube", "nowhere"]))
def test_it_never_raises_and_its_numbers_agree(known, history, now, platform):
    verdict = judge(known, history, now=now, platform=platform)
    numbers = [verdict.multiple, verdict.percentile, verdict.baseline.median]
    assert verdict.label in LABELS
    assert verdict.basis.endswith(".")
    assert all(number is None or (math.isfinite(number) and number >= 0) for number in numbers)
    assert (verdict.label == "not_enough_history") == (verdict.percentile is None) == (verdict.baseline.median is None)
    assert verdict.baseline.n <= len(history)
    if verdict.label != "not_enough_history":
        assert verdict.baseline.n >= 3
        assert (verdict.percentile or 0) <= 100
    if verdict.multiple is not None:
        assert verdict.label != "over" or verdict.multiple >= 2
        assert verdict.label != "under" or verdict.multiple <= 0.5
        assert verdict.label != "typical" or verdict.multiple < 5


@given(st.lists(st.integers(0, 10**9), min_size=3, max_size=20), st.integers(0, 10**9))
def test_the_multiple_is_that_of_the_median(views, own):
    verdict = judge(post(own, days=200), posts(*views), now=NOW)
    assert verdict.baseline.median == statistics.median(views)
    assert verdict.multiple is None or math.isclose(verdict.multiple * statistics.median(views), own, abs_tol=1e-6)


@given(st.lists(FACTS, min_size=3, max_size=12), st.randoms(use_true_random=False))
def test_the_order_of_the_history_does_not_matter(history, random):
    shuffled = random.sample(history, len(history))
    assert judge(post(1000), history, now=NOW) == judge(post(1000), shuffled, now=NOW)
