"""What is read of a post from our tables: here its author's other posts, with which it is compared."""

from datetime import timedelta

import pytest
from django.utils import timezone

from analysis import known
from analysis.stages.analyse import dossier_of
from social.models import Post

pytestmark = pytest.mark.django_db
NOW = timezone.now()


def stored(number, views, *, days, seen_hours=None):
    """A post of so many days ago, last told of when it was so many hours old, or just now."""
    posted = NOW - timedelta(days=days)
    seen = NOW if seen_hours is None else posted + timedelta(hours=seen_hours)
    return Post.objects.create(
        platform_id="x", platform_post_id=str(number), author="jack", format="video", metrics={"views": views},
        posted_at=posted, seen_at=seen, collected_at=seen,
    )  # fmt: skip


def test_counts_that_were_taken_when_a_post_was_minutes_old_are_no_baseline():
    for number in range(5):
        stored(number, 50, days=60 + number, seen_hours=0.5)
    found = dossier_of(known.read(stored(9, 5_000, days=5).pk))
    assert (found.known.history, found.verdict.label) == ((), "not_enough_history")


def test_counts_that_were_taken_later_are_one_however_long_ago():
    for number in range(5):
        stored(number, 5_000, days=60 + number, seen_hours=6.1)
    found = dossier_of(known.read(stored(9, 5_000, days=5).pk))
    assert (found.verdict.label, found.verdict.baseline.n) == ("typical", 5)


def test_how_old_they_must_have_been_can_be_moved(settings):
    stored(1, 50, days=60, seen_hours=0.5)
    post = stored(9, 5_000, days=5)
    settings.VERDICT = settings.VERDICT | {"mature_share": 0.1}
    assert len(known.read(post.pk).history) == 1
    settings.VERDICT = settings.VERDICT | {"mature_share": 1.0}
    stored(2, 50, days=50, seen_hours=14)
    stored(3, 50, days=50, seen_hours=15)
    assert len(known.read(post.pk).history) == 1
