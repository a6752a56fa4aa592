"""From an address to a stored post: once however many ask, through fallbacks, jobs, crashes and stale runs."""

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from typing import ClassVar

import pytest
from django.db import connection
from django.utils import timezone

from core import errors
from social import errands, platforms, tasks
from social.collecting import collect, collect_comments, collect_recent
from social.errors import JobFailed
from social.facts import AuthorAddress, Found, Lost, NotReady
from social.models import Errand, MetricSnapshot, Platform, Post, PostComment, UserPostActivity, Wanted
from social.scrapers import SCRAPERS
from social.tests.fakes import ADDRESS, OTHER, Fake, lost, post

pytestmark = pytest.mark.django_db


@pytest.fixture
def first(monkeypatch, settings):
    class First(Fake):
        answers: ClassVar[list] = []
        asked: ClassVar[list] = []

    monkeypatch.setitem(SCRAPERS, "first", First)
    settings.SCRAPERS = {"x": ["first"], "instagram": [], "youtube": ["first"]}
    return First


@pytest.fixture
def second(monkeypatch, settings, first):
    class Second(Fake):
        name = "second"
        answers: ClassVar[list] = []
        asked: ClassVar[list] = []

    monkeypatch.setitem(SCRAPERS, "second", Second)
    settings.SCRAPERS = {"x": ["first", "second"], "instagram": [], "youtube": []}
    return Second


def test_a_post_is_collected_and_used_again(first, user):
    stored = collect([ADDRESS], user_id=user.pk).stored[ADDRESS]
    UserPostActivity.objects.update(last_at=timezone.now() - timedelta(minutes=2))
    again = collect([ADDRESS], user_id=user.pk).stored[ADDRESS]
    assert (stored.reused, again.reused, again.post_id) == (False, True, stored.post_id)
    assert len(first.asked) == 1
    activity = UserPostActivity.objects.get(user=user)
    assert (activity.times, activity.reused) == (2, 1)


def test_to_come_back_while_it_is_on_its_way_is_to_ask_once(first, user):
    for _ in range(3):
        collect([ADDRESS], user_id=user.pk)
    activity = UserPostActivity.objects.get(user=user)
    assert (activity.times, activity.reused) == (1, 0)


def test_an_old_post_is_collected_anew_and_keeps_its_snapshots(first):
    stored = collect([ADDRESS]).stored[ADDRESS]
    Post.objects.update(collected_at=timezone.now() - timedelta(days=1))
    Wanted.objects.update(finished_at=timezone.now() - timedelta(days=1))
    assert collect([ADDRESS]).stored[ADDRESS].post_id == stored.post_id
    assert MetricSnapshot.objects.count() == 2


def test_each_address_of_a_batch_ends_by_itself(first):
    third = platforms.address("x", "21")
    first.answers.append(
        lambda addresses: [
            Found(address=ADDRESS, post=post(ADDRESS)),
            Lost(state="private", address=OTHER),
        ]
    )
    collected = collect([ADDRESS, OTHER, third])
    assert [*collected.stored] == [ADDRESS]
    assert (collected.failed[OTHER].code, collected.failed[OTHER].retryable) == ("private", False)
    assert (collected.failed[third].code, collected.failed[third].retryable) == ("vendor_answer_invalid", True)


def test_what_is_not_found_is_not_asked_for_again_at_once(first):
    first.answers.append(lost("not_found"))
    assert {collect([ADDRESS]).failed[ADDRESS].code for _ in range(3)} == {"not_found"}
    assert len(first.asked) == 1
    Wanted.objects.update(finished_at=timezone.now() - 2 * errands.REFUSAL_REST)
    assert ADDRESS in collect([ADDRESS]).stored


def test_the_next_scraper_is_asked_where_the_first_could_not(first, second):
    first.answers.append(lost(code="blocked", retryable=True))
    assert ADDRESS in collect([ADDRESS]).stored
    assert Post.objects.get().source == "second"


@pytest.mark.parametrize("trouble", [errors.VendorUnavailable(), errors.VendorRefused(), ValueError("a fault of ours")])
def test_a_scraper_that_fails_as_a_whole_hands_on_to_the_next(first, second, trouble):
    first.answers.append(trouble)
    assert ADDRESS in collect([ADDRESS]).stored


def test_when_nobody_is_left_the_most_telling_word_stands(first, second):
    first.answers.append(errors.VendorBusy())
    second.answers.append(lost(code="not_offered"))
    failed = collect([ADDRESS]).failed[ADDRESS]
    assert (failed.code, failed.retryable) == ("vendor_busy", True)


def test_where_nobody_is_configured_it_says_so(settings):
    settings.SCRAPERS = {"x": [], "instagram": [], "youtube": []}
    assert collect([ADDRESS]).failed[ADDRESS].code == "not_configured"


def test_a_closed_platform_is_not_asked(first):
    Platform.objects.filter(pk="x").update(active=False)
    assert collect([ADDRESS]).failed[ADDRESS].code == "platform_inactive"
    assert first.asked == []


def due():
    Errand.objects.update(run_after=timezone.now() - timedelta(seconds=1))


def test_a_job_is_asked_after_and_never_paid_for_twice(first):
    first.answers += [NotReady(job="s_1", retry_in=10), errors.VendorTimeout(), NotReady(job="s_1", retry_in=10)]
    for _ in range(3):
        collected = collect([ADDRESS])
        assert collected.waiting == {ADDRESS}
        assert 5 < collected.retry_in <= 30
        due()
    assert ADDRESS in collect([ADDRESS]).stored
    assert [job for _, job in first.asked] == ["", "s_1", "s_1", "s_1"]


def test_the_sweep_leaves_nothing_that_is_due(first):
    errands.want("post", "x", [ADDRESS.post_id, OTHER.post_id], newer_than=timezone.now())
    tasks.sweep()
    assert Post.objects.count() == 2


def test_a_job_that_is_not_due_is_left_alone(first):
    first.answers.append(NotReady(job="s_1", retry_in=10))
    assert {len(collect([ADDRESS]).waiting) for _ in range(3)} == {1}
    assert len(first.asked) == 1


def test_a_job_that_failed_goes_to_the_next_scraper(first, second):
    first.answers += [NotReady(job="s_1", retry_in=10), JobFailed()]
    collect([ADDRESS])
    due()
    assert ADDRESS in collect([ADDRESS]).stored
    assert Post.objects.get().source == "second"


def test_a_job_that_is_never_ready_is_given_up(first):
    first.answers += [NotReady(job="s_1", retry_in=10)]
    collect([ADDRESS])
    Errand.objects.update(run_after=None, give_up_at=timezone.now() - timedelta(seconds=1))
    assert collect([ADDRESS]).failed[ADDRESS].code == "vendor_timeout"


def test_addresses_of_many_users_go_in_one_batch(first, monkeypatch):
    monkeypatch.setattr(first, "gathers", 60.0)
    assert collect([ADDRESS]).waiting == {ADDRESS}
    assert collect([OTHER]).waiting == {OTHER}
    assert first.asked == []
    Wanted.objects.update(run_after=timezone.now() - timedelta(seconds=1))
    assert ADDRESS in collect([ADDRESS]).stored
    assert len(first.asked) == 1
    assert OTHER in collect([OTHER]).stored


def test_what_a_dead_worker_held_is_taken_up(first):
    first.answers += [NotReady(job="s_1", retry_in=10)]
    collect([ADDRESS])
    # A worker took it, and was killed before it could write anything down.
    due()
    assert errands.take("post", "x", [ADDRESS.post_id])
    assert collect([ADDRESS]).waiting == {ADDRESS}
    Errand.objects.update(lease_until=timezone.now() - timedelta(seconds=1))
    tasks.sweep()
    assert ADDRESS in collect([ADDRESS]).stored
    assert [job for _, job in first.asked] == ["", "s_1"]


def test_a_stale_workers_word_falls_on_the_floor(first):
    errands.want("post", "x", [ADDRESS.post_id], newer_than=timezone.now())
    stale = errands.take("post", "x", [ADDRESS.post_id])
    Errand.objects.update(lease_until=timezone.now() - timedelta(seconds=1))
    assert errands.take("post", "x", [ADDRESS.post_id])
    assert not errands.finish(stale, {ADDRESS.post_id: errands.DONE})
    assert Wanted.objects.get().state == "working"


def test_an_errand_that_takes_its_workers_down_comes_to_an_end(first):
    errands.want("post", "x", [ADDRESS.post_id], newer_than=timezone.now())
    for _ in range(errands.MOST_ATTEMPTS):
        assert errands.take("post", "x", [ADDRESS.post_id])
        Errand.objects.update(lease_until=timezone.now() - timedelta(seconds=1))
    assert collect([ADDRESS]).failed[ADDRESS].code == "internal"
    assert first.asked == []


def test_a_post_is_collected_again_however_young(first):
    stored = collect([ADDRESS]).stored[ADDRESS]
    tasks.collect_again(str(stored.post_id))
    assert len(first.asked) == 3
    assert MetricSnapshot.objects.count() == 2


def test_recent_posts_are_listed_and_not_taken_for_collected(first):
    author = AuthorAddress(platform="x", handle="jack")
    assert {collect_recent(author).state for _ in range(2)} == {"done"}
    assert len(first.asked) == 1
    assert [*Post.objects.values_list("collected_at", flat=True)] == [None, None]
    assert not collect([ADDRESS]).stored[ADDRESS].reused


def test_a_channel_is_asked_for_by_its_id(first):
    channel = AuthorAddress(platform="youtube", handle="", author_id="UC" + "a" * 22)
    collect_recent(replace(channel, handle="jawed"))
    assert first.asked[0][0] == channel


def test_comments_are_kept_with_how_many_there_are(first):
    collect([ADDRESS])
    assert collect_comments(ADDRESS).state == "done"
    kept = PostComment.objects.get()
    assert (kept.seen, kept.total, kept.sample[0]["text"]) == (1, 40, "part 2?")


def test_what_ended_long_ago_is_tidied_away(first, settings):
    settings.RAW_RECORD_DAYS = -1
    first.answers.append(lambda addresses: [Found(address=ADDRESS, post=post(ADDRESS, raw={"a": 1}))])
    collect([ADDRESS])
    long_ago = timezone.now() - 2 * tasks.KEPT
    Wanted.objects.update(finished_at=long_ago)
    Errand.objects.update(finished_at=long_ago)
    assert tasks.tidy() == {"records": 1, "wanted": 1, "errands": 1}
    assert Post.objects.get().raw is None


@pytest.mark.django_db(transaction=True, serialized_rollback=True)
def test_fifty_at_once_pay_for_one_collection(first):
    together = threading.Barrier(50)

    def ask(_):
        together.wait()
        try:
            while not (collected := collect([ADDRESS])).stored:
                threading.Event().wait(min(collected.retry_in, 0.05))
            return collected.stored[ADDRESS].post_id
        finally:
            connection.close()

    first.answers.append(lambda addresses: threading.Event().wait(0.3) or [Found(address=ADDRESS, post=post(ADDRESS))])
    with ThreadPoolExecutor(50) as threads:
        assert len(set(threads.map(ask, range(50)))) == 1
    assert len(first.asked) == 1
