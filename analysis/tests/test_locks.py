"""Statements that touch posts of several requests, beside whoever holds some of those: nobody waits in a circle."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection, transaction
from django.utils import timezone

from analysis import engine
from analysis.models import PostAnalysis
from analysis.tests.fakes import make_request

pytestmark = pytest.mark.django_db(transaction=True, serialized_rollback=True)


@pytest.fixture
def posts(user):
    """Two that are being worked on. The one that is locked last by whoever goes by ids is found first by a scan."""
    request, made = make_request(user, posts=2)
    first, second = sorted(made, key=lambda post: post.pk)
    PostAnalysis.objects.filter(pk=first.pk).delete()
    first.save(force_insert=True)
    request.posts.update(status="PROCESSING", fence=1, lease_until=timezone.now())
    return first, second


def lock_in_order(posts, *, meanwhile: Callable[[], object]):
    """Lock the one, let somebody else begin, lock the other: as cancelling does."""
    begun = threading.Event()

    def other():
        begun.wait()
        try:
            return meanwhile()
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as thread:
        doing = thread.submit(other)
        with transaction.atomic():
            for post in posts:
                PostAnalysis.objects.select_for_update().get(pk=post.pk)
                begun.set()
                threading.Event().wait(0.5)
        return doing.result()


def test_whoever_says_that_it_still_holds_posts_waits_for_nobody(posts):
    first, second = posts
    lock_in_order(posts, meanwhile=lambda: engine.renew({second.pk: 1, first.pk: 1}))
    engine.renew({second.pk: 1, first.pk: 1})
    assert not PostAnalysis.objects.filter(lease_until__lt=timezone.now() + engine.lease() / 2).exists()


def test_whoever_wakes_posts_locks_them_in_their_order(posts):
    keys = [post.platform_post_id for post in posts]
    lock_in_order(posts, meanwhile=lambda: engine.wake(stage="one", platform="x", keys=keys, authors=False))
    assert PostAnalysis.objects.filter(woken=1).count() == 2
