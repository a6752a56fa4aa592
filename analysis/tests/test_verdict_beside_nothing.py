"""Verdicts where there is nothing to divide by."""

import pytest

from analysis.comparing.baseline import Thresholds
from analysis.tests.test_verdict import EVEN, NOW, post, posts
from analysis.verdict import judge


@pytest.mark.parametrize(
    ("views", "others", "label"),
    [
        (4, (0, 0, 0, 0, 0), "typical"),
        (99, (0, 0, 0, 0, 0), "typical"),
        (100, (0, 0, 0, 0, 0), "over"),
        (500, (0, 0, 0, 0, 300), "typical"),
        (1200, (0, 0, 0, 0, 300), "over"),
    ],
)
def test_beside_a_median_of_nought_only_what_is_far_above_all_of_them_is_over(views, others, label):
    verdict = judge(post(views), posts(*others), now=NOW)
    assert (verdict.label, verdict.is_viral, verdict.multiple) == (label, label == "over", None)
    assert "beside a median of nought it takes" in verdict.basis


def test_a_young_post_beside_a_median_of_nought_is_too_early():
    assert judge(post(4, days=0.1), posts(0, 0, 0), now=NOW).label == "too_early"


def test_a_post_from_the_future_is_judged_although_nothing_is_too_early():
    assert judge(post(10, days=-3), EVEN, now=NOW, thresholds=Thresholds(mature_share=0.0)).label == "typical"
