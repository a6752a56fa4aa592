"""What a sweep sends for, and what it leaves alone for now."""

import time
from datetime import timedelta

import pytest
from django.utils import timezone

from analysis import engine, pipeline, tasks
from analysis.models import PostAnalysis, PostAnalysisRequest
from analysis.tests.fakes import Fake, make_request, stages_of
from core.queue import REST_SECONDS, count_waiting, enqueue

pytestmark = pytest.mark.django_db
REST = timedelta(seconds=10)


def break_off(post):
    """Its worker is gone, and somebody would have noticed long ago."""
    over = timezone.now() - timedelta(hours=1)
    assert engine.claim(post.pk, begins={"one": ("one_begins", "one begins.")})
    PostAnalysis.objects.filter(pk=post.pk).update(lease_until=over, hinted_at=over - timedelta(hours=1))


def due():
    return {post for post, _ in engine.due(stages=["one"], most=10, rest=REST, alone=["one"])}


def test_posts_that_broke_off_twice_beside_each_other_are_sent_for_one_at_a_time(user):
    """Which of them took the others down is not known: alone, the culprit harms nobody any more."""
    _, [fresh, *suspects] = make_request(user, posts=3)
    for post in [fresh, *suspects, *suspects]:
        break_off(post)
    sent = due()
    assert (fresh.pk in sent, len(sent)) == (True, 2)
    assert due() == set()
    # Nobody has come for it yet: it is sent for again, and still alone.
    PostAnalysis.objects.filter(pk__in=sent).update(hinted_at=timezone.now() - timedelta(minutes=1))
    assert due() == sent
    [other] = {post.pk for post in suspects} - sent
    one = Fake("one", progress=100)
    # A message of long ago does not help it either.
    pipeline.advance(other, "io", stages=stages_of(one))
    assert one.runs == 0
    pipeline.advance((sent - {fresh.pk}).pop(), "io", stages=stages_of(one))
    assert sent | due() == {post.pk for post in [fresh, *suspects]}


def test_where_processes_do_the_work_posts_that_broke_off_twice_are_sent_for_together(user):
    _, posts = make_request(user, posts=2)
    for post in [*posts, *posts]:
        break_off(post)
    assert {post for post, _ in engine.due(stages=["one"], most=10, rest=REST)} == {post.pk for post in posts}


def test_it_sends_for_what_is_due_down_the_queue_of_its_stage(user):
    make_request(user, posts=2, stage="collect")
    make_request(user, stage="transcribe")
    tasks.sweep()
    assert (count_waiting("io"), count_waiting("cpu")) == (2, 1)


def test_it_adds_nothing_to_a_long_backlog(user, settings):
    _, [post] = make_request(user, stage="collect")
    make_request(user, stage="transcribe")
    for _ in range(tasks.AT_ONCE):
        enqueue(pipeline.TASK, post.pk, "io", queue="io")
    tasks.sweep()
    assert (count_waiting("io"), count_waiting("cpu")) == (tasks.AT_ONCE, 1)


def test_it_ends_a_request_whose_last_worker_died_before_it_could(user):
    request, [post] = make_request(user)
    pipeline.advance(post.pk, "io", stages=stages_of(Fake("one", progress=100)))
    request.history.filter(post_analysis=None, progress=100).delete()
    PostAnalysisRequest.objects.filter(pk=request.pk).update(status="PROCESSING", finished_at=None, results={})
    tasks.sweep()
    tasks.sweep()
    request.refresh_from_db()
    assert (request.status, request.results) == ("COMPLETED", {"completed": 1, "failed": 0, "cancelled": 0})
    assert [*request.history.filter(progress=100).values_list("stage", flat=True)] == ["analysis_complete"]


def test_without_a_broker_nothing_counts_as_sent_for(user, celery_broker, tmp_path):
    _, [post] = make_request(user, stage="collect")
    celery_broker(f"redis+socket://{tmp_path}/nobody.sock?virtual_host=0")
    tasks.sweep()
    post.refresh_from_db()
    assert post.hinted_at is None
    time.sleep(REST_SECONDS)
