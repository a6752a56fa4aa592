"""Many who ask, fail, try again and call off at once, with real commits: nobody waits for ever, and it adds up."""

import random
import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any
from uuid import UUID

import pytest
from django.db import connection, transaction
from django.db.models import Max
from django.utils import timezone
from rest_framework.test import APIClient

from accounts.identity.local import start_session
from accounts.models import UsageEntry, UserUsage
from analysis import engine, pipeline, services
from analysis.errors import AlreadyOver, NothingToRetry
from analysis.models import OPEN, AnalysisStatusHistory, PostAnalysis, PostAnalysisRequest, StageRun
from analysis.stages.contract import Product
from analysis.tests.fakes import Fake, finished, put_on_plan, stages_of
from core.errors import LimitReached, Missing, NotConfigured

pytestmark = pytest.mark.django_db(transaction=True, serialized_rollback=True)
ENDS = ("analysis_complete", "partial_success", "error", "cancelled")
MIXED = [
    "https://youtu.be/WhyralDmo0A", "https://x.com/i/status/11", "https://www.instagram.com/p/PWhyralDm01/",
    "https://x.com/i/status/12", "https://youtu.be/WhyralDmo0I", "https://www.instagram.com/p/PWhyralDm02/",
]  # fmt: skip


@pytest.fixture
def user(user):
    put_on_plan(user, posts=10, a_day=1000)
    return user


def at_once(*doings: Callable[[], Any]) -> list[Any]:
    """Each in a thread and a connection of its own, begun in the same moment; what each answered or raised."""
    gate = threading.Barrier(len(doings))

    def do(doing: Callable[[], Any]) -> Any:
        gate.wait()
        try:
            return doing()
        except (AlreadyOver, NothingToRetry, LimitReached, Missing) as refusal:
            return type(refusal)
        finally:
            connection.close()

    with ThreadPoolExecutor(len(doings)) as threads:
        return list(threads.map(do, doings))


def advance(post_id: Any, *, luck: random.Random) -> None:
    def does(work: Any) -> Product:
        if luck.random() < 0.4:
            raise NotConfigured
        return Product()

    stages = stages_of(Fake("collect", does), Fake("analyse", does))
    pipeline.advance(post_id, "io", stages=stages)


def used(user):
    return dict(Counter({row.platform: row.url_lookups for row in UserUsage.objects.filter(user=user)}) + Counter())


def spent(user):
    found = Counter(UsageEntry.objects.filter(user=user, given_back_at=None).values_list("platform", flat=True))
    return dict(found)


def ends_of(request):
    words = AnalysisStatusHistory.objects.filter(request=request, post_analysis=None).order_by("id")
    return [word for word in words.values_list("stage", flat=True) if word in ENDS]


def begun_since_it_failed(post_id: UUID) -> bool:
    """A post that has failed got its unit back then: an earlier run says nothing of the unit that was spent since."""
    told = AnalysisStatusHistory.objects.filter(post_analysis=post_id, stage="error")
    failed_at = told.aggregate(at=Max("created_at"))["at"]
    runs = StageRun.objects.filter(post_analysis=post_id)
    return (runs.filter(started_at__gt=failed_at) if failed_at else runs).exists()


@pytest.mark.parametrize("seed", range(4))
def test_whatever_happens_to_a_request_at_once_it_ends_once_and_its_units_add_up(user, seed):
    luck = random.Random(seed)
    request = services.request_analysis(user, MIXED)
    posts = list(request.posts.values_list("pk", flat=True))

    def work() -> None:
        mine = [*posts] * 3
        luck.shuffle(mine)
        for post_id in mine:
            advance(post_id, luck=luck)

    def call_off() -> None:
        services.cancel(user, request.pk)

    def try_again() -> int:
        done = 0
        for _ in range(12):
            with suppress(NothingToRetry):
                services.retry(user, request.pk)
                done += 1
        return done

    at_once(work, work, work, try_again, try_again, call_off)
    with suppress(AlreadyOver):
        services.cancel(user, request.pk)
    assert finished(request)
    # Each opening ends once: the request itself, and each time that it was tried again.
    assert len(ends_of(request)) == 1 + request.retry_count
    assert used(user) == spent(user)
    states = dict(request.posts.values_list("pk", "status"))
    kept = {*UsageEntry.objects.filter(given_back_at=None).values_list("source", flat=True)}
    begun = {post_id for post_id in states if begun_since_it_failed(post_id)}
    for post_id, status in states.items():
        holds = status == "COMPLETED" or (status == "CANCELLED" and post_id in begun)
        assert (engine.unit_of(post_id) in kept) == holds
    assert not StageRun.objects.filter(outcome="running").exists()


def test_two_who_try_again_at_once_try_once(user):
    request = services.request_analysis(user, MIXED[:2])
    for post_id in request.posts.values_list("pk", flat=True):
        pipeline.advance(post_id, "io", stages=stages_of(Fake("collect", refuse)))
    said = at_once(*[lambda: services.retry(user, request.pk)] * 5)
    assert Counter(map(str, said))[str(NothingToRetry)] == 4
    request.refresh_from_db()
    assert (request.retry_count, request.open_posts, used(user)) == (1, 2, {"youtube": 1, "x": 1})


def refuse(work: Any) -> Product:
    raise NotConfigured


def test_two_who_call_off_at_once_give_back_once(user):
    request = services.request_analysis(user, MIXED)
    said = at_once(*[lambda: services.cancel(user, request.pk)] * 5)
    assert said.count(AlreadyOver) == 4
    assert finished(request)
    assert (used(user), ends_of(request)) == ({}, ["cancelled"])


def test_a_post_that_is_opened_again_while_the_others_are_called_off_is_called_off_too(user):
    """Whoever calls off has looked before that post was open again: the look must not decide."""
    request = services.request_analysis(user, MIXED[:2])
    open_, failed = request.posts.order_by("position")
    pipeline.advance(failed.pk, "io", stages=stages_of(Fake("collect", refuse)))
    held, opened = threading.Event(), threading.Event()

    def hold() -> None:
        with transaction.atomic():
            PostAnalysis.objects.select_for_update().get(pk=open_.pk)
            held.set()
            opened.wait(5)

    def call_off() -> Any:
        held.wait(5)
        return services.cancel(user, request.pk).status

    def open_again() -> bool:
        held.wait(5)
        wait_for_a_lock()
        done = services.run_again(failed.pk, "collect")
        opened.set()
        return done

    assert at_once(hold, call_off, open_again) == [None, "CANCELLED", True]
    assert finished(request)
    assert (used(user), ends_of(request)) == ({}, ["cancelled"])


def wait_for_a_lock() -> None:
    waiting = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        with connection.cursor() as cursor:
            cursor.execute(waiting)
            if cursor.fetchone()[0]:
                return
        time.sleep(0.02)
    raise AssertionError("Nobody waits.")


def test_requests_of_one_user_over_several_platforms_never_wait_in_a_circle(user):
    there, back = MIXED[:3], MIXED[2::-1]
    requests = [services.request_analysis(user, urls) for urls in (there, back) for _ in range(5)]

    def give_back(request: PostAnalysisRequest) -> Callable[[], Any]:
        return lambda: services.cancel(user, request.pk)

    def ask(urls: list[str]) -> Callable[[], Any]:
        return lambda: services.request_analysis(user, urls)

    at_once(*[give_back(each) for each in requests], *[ask(urls) for urls in (there, back) for _ in range(5)])
    assert used(user) == spent(user) == {"youtube": 10, "x": 10, "instagram": 10}


def test_many_at_once_spend_what_the_plan_allows_and_not_more(user):
    put_on_plan(user, posts=10, a_day=7)
    said = at_once(*[lambda: services.request_analysis(user, [MIXED[1], MIXED[3]])] * 8)
    assert said.count(LimitReached) == 5
    assert PostAnalysisRequest.objects.count() == 3
    assert used(user) == spent(user) == {"x": 6}


def test_the_same_key_sent_by_many_at_once_asks_once(user):
    token = f"Bearer {start_session(user).access}"

    def send(url: str) -> Callable[[], Any]:
        headers = {"authorization": token, "idempotency-key": "k1"}
        return lambda: APIClient().post(
            "/api/analysis/analyze/", {"post_urls": [url]}, format="json", headers=headers
        )  # fmt: skip

    answers = at_once(*[send(MIXED[1])] * 6)
    assert {answer.status_code for answer in answers} == {202}
    assert len({answer.content for answer in answers}) == 1
    assert sorted("Idempotent-Replay" in answer for answer in answers) == [False, *[True] * 5]
    assert send(MIXED[0])().json()["code"] == "idempotency_key_reused"
    assert (PostAnalysisRequest.objects.count(), used(user), spent(user)) == (1, {"x": 1}, {"x": 1})


@pytest.mark.parametrize("seed", range(3))
def test_what_is_removed_while_it_is_worked_on_is_gone(user, seed):
    luck = random.Random(seed)
    request = services.request_analysis(user, MIXED)
    posts = list(request.posts.values_list("pk", flat=True))

    def work() -> None:
        for post_id in luck.sample(posts, len(posts)):
            advance(post_id, luck=luck)

    def desk() -> None:
        for post_id in posts:
            with suppress(PostAnalysis.DoesNotExist):
                services.run_again(post_id, "collect")

    said = at_once(work, work, desk, *[lambda: services.remove(user, request.pk)] * 3)
    assert {each for each in said if each is not None} <= {Missing}
    for model in (PostAnalysisRequest, PostAnalysis, StageRun, AnalysisStatusHistory):
        assert not model.objects.exists()
    assert used(user) == spent(user)
    assert not PostAnalysis.objects.filter(status__in=OPEN, lease_until__gt=timezone.now()).exists()
