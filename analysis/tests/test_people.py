"""What is given to a person of their analyses, and what is left of them when they leave in the middle of one."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection
from django.utils import timezone

from accounts.models import UsageEntry, User, UserUsage
from accounts.services import ask_erasure, erase
from analysis import pipeline, services
from analysis.models import AnalysisStatusHistory, ModelAnswer, PostAnalysis, PostAnalysisRequest, StageRun
from analysis.stages.contract import Product
from analysis.tests.fakes import Fake, make_request, put_on_plan, stages_of
from social.activity import remember
from social.models import Post

URLS = [f"https://x.com/i/status/{number}" for number in range(11, 15)]
OURS = (PostAnalysisRequest, PostAnalysis, StageRun, AnalysisStatusHistory, ModelAnswer, UsageEntry, UserUsage)


@pytest.fixture
def request_(user):
    put_on_plan(user, posts=10, a_day=100)
    return services.request_analysis(user, URLS)


def left():
    return {model.__name__: model.objects.count() for model in OURS if model.objects.exists()}


def carry(request, does, **more):
    stages = stages_of(Fake("collect", does, **more), Fake("analyse"))
    for post_id in request.posts.values_list("pk", flat=True):
        pipeline.advance(post_id, "io", stages=stages)


@pytest.mark.django_db
def test_the_export_holds_ones_analyses_with_their_results_and_nobody_elses(api, request_, staff):
    claim = {"text": "It opens with a question.", "evidence": ["c1"], "supported": True}
    result = {"viral_formula": claim, "verdict": {"label": "over"}, "is_viral": True}
    stages = stages_of(Fake("collect", lambda _: Product(result=result), progress=100))
    for post_id in request_.posts.values_list("pk", flat=True):
        pipeline.advance(post_id, "io", stages=stages)
    make_request(staff)
    [exported] = api.get("/api/accounts/me/export/").json()["analyses"]
    assert (exported["id"], exported["status"], exported["post_urls"]) == (str(request_.pk), "COMPLETED", URLS)
    assert [post["url"] for post in exported["posts"]] == URLS
    assert exported["posts"][0]["viral_formula"] == claim
    assert exported["posts"][0]["verdict"] == {"label": "over"}


@pytest.mark.django_db
def test_who_has_asked_for_nothing_has_nothing_to_take_along(api):
    assert api.get("/api/accounts/me/export/").json()["analyses"] == []


@pytest.mark.django_db
def test_leaving_in_the_middle_of_a_stage_leaves_nothing_behind_and_the_worker_does_not_cry(user, request_, caplog):
    ask_erasure(user)
    post = Post.objects.create(
        platform_id="x", platform_post_id="99", url="https://x.com/i/status/99", seen_at=timezone.now()
    )

    def erased_meanwhile(work):
        erase(str(user.pk))
        ModelAnswer.objects.filter(post_analysis=work.id).get()  # a stumble over what is gone
        return Product(post_id=post.pk)

    carry(request_, erased_meanwhile)
    assert left() == {}
    assert not User.objects.filter(pk=user.pk).exists()
    assert [record for record in caplog.records if record.levelname in {"WARNING", "ERROR"}] == []


@pytest.mark.django_db
def test_what_comes_of_a_stage_whose_owner_left_falls_on_the_floor(user, request_):
    ask_erasure(user)

    def erased_meanwhile(work):
        erase(str(user.pk))
        return Product(result={"model": "late"})

    carry(request_, erased_meanwhile)
    assert left() == {}


@pytest.mark.django_db(transaction=True, serialized_rollback=True)
@pytest.mark.parametrize("turn", range(3))
def test_workers_at_full_speed_do_not_hold_an_erasure_up_nor_outlive_it(user, request_, caplog, turn):
    ask_erasure(user)
    posts = [*request_.posts.values_list("pk", flat=True)]
    stored = Post.objects.create(
        platform_id="x", platform_post_id="99", url="https://x.com/i/status/99", seen_at=timezone.now()
    )
    begun, gone = threading.Event(), threading.Event()

    def collect(work):
        begun.set()
        gone.wait(0.02 * turn)
        # As the real stage does, and it may be too late.
        remember(work.user_id, {stored.pk: False})
        return Product(post_id=stored.pk)

    def work():
        try:
            while not gone.is_set():
                for post_id in posts:
                    pipeline.advance(post_id, "io", stages=stages_of(Fake("collect", collect), Fake("analyse")))
        finally:
            connection.close()

    def leave():
        begun.wait(5)
        try:
            erase(str(user.pk))
        finally:
            gone.set()
            connection.close()

    with ThreadPoolExecutor(4) as threads:
        for doing in [*[threads.submit(work) for _ in range(3)], threads.submit(leave)]:
            doing.result(20)
    assert left() == {}
    assert not User.objects.filter(pk=user.pk).exists()
    assert "stage_failed" not in caplog.text
