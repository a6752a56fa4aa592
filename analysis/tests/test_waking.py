"""Who is sent for, and who is woken."""

from datetime import timedelta

import pytest
from django.utils import timezone

from analysis import engine, pipeline
from analysis.models import PostAnalysis
from analysis.stages.contract import Later, Product
from analysis.tests.fakes import Fake, make_request, stages_of
from config.queues import count_waiting
from core.errors import VendorBusy

pytestmark = pytest.mark.django_db


def raising(error):
    def does(work):
        raise error

    return does


def wait_of(post):
    """Seconds that a post still waits."""
    return ((post.run_after or timezone.now()) - timezone.now()).total_seconds()


def test_a_sweep_sends_for_what_is_due_and_not_twice_in_a_row(user):
    _, [due, leased, later, hinted] = make_request(user, posts=4)
    now = timezone.now()
    PostAnalysis.objects.filter(pk=leased.pk).update(lease_until=now + timedelta(seconds=30))
    PostAnalysis.objects.filter(pk=later.pk).update(run_after=now + timedelta(seconds=30))
    PostAnalysis.objects.filter(pk=hinted.pk).update(hinted_at=now)
    rest = timedelta(seconds=10)
    assert engine.due(stages=["one"], most=10, rest=rest) == [(due.pk, "one")]
    assert engine.due(stages=["one"], most=10, rest=rest) == []
    # Whose worker died is due again at once, however lately it was sent for.
    PostAnalysis.objects.filter(pk=leased.pk).update(
        lease_until=now - timedelta(seconds=1), hinted_at=now - timedelta(seconds=2)
    )
    assert engine.due(stages=["one"], most=10, rest=rest) == [(leased.pk, "one")]


def test_who_waits_is_woken_when_what_it_waits_for_comes(user):
    _, [post] = make_request(user)
    pipeline.advance(post.pk, "io", stages=stages_of(Fake("one", lambda work: Later(seconds=30))))
    assert engine.wake(stage="one", platform="x", keys=["1000"], authors=False) == [post.pk]
    post.refresh_from_db()
    assert post.run_after is None


def test_who_finds_out_that_it_has_to_wait_just_as_it_comes_does_not_wait(user):
    _, [post] = make_request(user)

    def wait(work):
        assert engine.wake(stage="one", platform="x", keys=["1000"], authors=False) == []
        return Later(seconds=30)

    before = count_waiting("io")
    pipeline.advance(post.pk, "io", stages=stages_of(Fake("one", wait)))
    post.refresh_from_db()
    assert wait_of(post) <= 0
    assert count_waiting("io") == before + 1


def test_what_came_for_one_stage_does_not_hurry_the_next(user):
    _, [post] = make_request(user)

    def work_while_it_comes(work):
        engine.wake(stage="one", platform="x", keys=["1000"], authors=False)
        return Product()

    busy = Fake("two", raising(VendorBusy(retry_after=77)))
    pipeline.advance(post.pk, "io", stages=stages_of(Fake("one", work_while_it_comes), busy))
    post.refresh_from_db()
    assert wait_of(post) > 70
