"""What is spent and given back, to the unit, by whoever tries again, calls off and removes, and by the desk."""

from datetime import timedelta

import pytest
from django.utils import timezone

from accounts.models import UsageEntry, UserUsage
from analysis import engine, pipeline, services
from analysis.engine import unit_of
from analysis.errors import AlreadyOver, NothingToRetry
from analysis.models import AnalysisStatusHistory, PostAnalysis, PostAnalysisRequest, StageRun
from analysis.stages.contract import Product
from analysis.tests.fakes import Fake, finished, put_on_plan, stages_of, used, words_of
from core.errors import LimitReached, Missing, NotConfigured

pytestmark = pytest.mark.django_db
TWO_OF_X = ["https://x.com/i/status/11", "https://x.com/i/status/12"]
TUBE = "https://youtu.be/WhyralDmo0A"


@pytest.fixture
def user(user):
    """On a plan that allows several posts in one request."""
    put_on_plan(user, posts=10, a_day=4)
    return user


def posts_of(request):
    return list(request.posts.order_by("position"))


def raising(error):
    def does(work):
        raise error

    return does


def run(post, *, fails_at=""):
    """Carry a post through two stages; one of them may refuse it."""
    stages = [Fake(name, raising(NotConfigured()) if name == fails_at else None) for name in ("collect", "analyse")]
    pipeline.advance(post.pk, "io", stages=stages_of(*stages))
    post.refresh_from_db()
    return {stage.name: stage.runs for stage in stages}


# Trying again


def test_a_retry_goes_on_where_the_post_failed_and_spends_its_unit_again(user):
    request = services.request_analysis(user, TWO_OF_X)
    good, bad = posts_of(request)
    run(good)
    run(bad, fails_at="analyse")
    request.refresh_from_db()
    assert (request.status, request.partial_success, used(user)) == ("COMPLETED", True, {"x": 1})
    StageRun.objects.update(started_at=timezone.now() - timedelta(minutes=1))
    services.retry(user, request.pk)
    request.refresh_from_db()
    assert (request.status, request.open_posts, request.retry_count, request.error_category) == ("PROCESSING", 1, 1, "")
    assert used(user) == {"x": 2}
    assert run(bad) == {"collect": 0, "analyse": 1}
    request.refresh_from_db()
    assert (request.status, request.partial_success, request.posts_processed, request.progress_points) == (
        "COMPLETED", False, 2, 200,
    )  # fmt: skip
    assert (bad.status, bad.error_code, used(user)) == ("COMPLETED", "", {"x": 2})
    assert words_of(request)[-4:] == ["partial_success", "retrying", "analyse_begins", "analysis_complete"]


def took(request):
    request.refresh_from_db()
    return request.duration_seconds


def test_a_request_took_as_long_as_since_it_was_last_opened(user):
    request = services.request_analysis(user, [TUBE])
    [post] = posts_of(request)
    long_ago = {"created_at": timezone.now() - timedelta(days=2), "started_at": timezone.now() - timedelta(days=2)}
    PostAnalysisRequest.objects.update(**long_ago)
    run(post, fails_at="collect")
    assert took(request) > 172_000
    services.retry(user, request.pk)
    run(post)
    assert took(request) < 100
    PostAnalysisRequest.objects.update(**long_ago)
    services.run_again(post.pk, "analyse")
    run(post)
    assert took(request) < 100


def test_it_can_be_tried_again_three_times_and_no_more(user):
    request = services.request_analysis(user, [TUBE])
    [post] = posts_of(request)
    run(post, fails_at="collect")
    for _ in range(3):
        assert used(user) == {}
        services.retry(user, request.pk)
        assert used(user) == {"youtube": 1}
        run(post, fails_at="collect")
    with pytest.raises(NothingToRetry):
        services.retry(user, request.pk)
    request.refresh_from_db()
    assert (request.status, request.retry_count, used(user)) == ("FAILED", 3, {})


@pytest.mark.parametrize("end", ["open", "completed", "cancelled"])
def test_what_did_not_fail_is_not_tried_again(user, end):
    request = services.request_analysis(user, [TUBE])
    if end == "completed":
        run(*posts_of(request))
    if end == "cancelled":
        services.cancel(user, request.pk)
    before = used(user)
    with pytest.raises(NothingToRetry):
        services.retry(user, request.pk)
    request.refresh_from_db()
    assert (used(user), request.retry_count) == (before, 0)


def test_a_retry_that_the_plan_does_not_allow_changes_nothing(user):
    request = services.request_analysis(user, [TUBE])
    run(*posts_of(request), fails_at="collect")
    UserUsage.objects.filter(user=user, platform="youtube").update(url_lookups=4)
    before = PostAnalysisRequest.objects.values().get()
    with pytest.raises(LimitReached):
        services.retry(user, request.pk)
    assert PostAnalysisRequest.objects.values().get() == before
    assert used(user) == {"youtube": 4}


def almost_over(request):
    """Its last post has ended, and whoever ended it has not come to the request yet."""
    PostAnalysisRequest.objects.filter(pk=request.pk).update(status="PROCESSING", finished_at=None)


def test_what_is_almost_over_can_be_tried_again_at_once(user):
    request = services.request_analysis(user, [TUBE])
    run(*posts_of(request), fails_at="collect")
    almost_over(request)
    assert services.retry(user, request.pk).open_posts == 1


# Calling off


def test_what_is_almost_over_is_ended_and_not_called_off(user):
    request = services.request_analysis(user, [TUBE])
    run(*posts_of(request))
    almost_over(request)
    with pytest.raises(AlreadyOver):
        services.cancel(user, request.pk)
    request.refresh_from_db()
    assert (request.status, request.cancelled_at) == ("COMPLETED", None)


def test_what_nothing_has_begun_with_gets_its_unit_back_and_nothing_else_does(user):
    request = services.request_analysis(user, [*TWO_OF_X, TUBE])
    done, begun, waits = posts_of(request)
    run(done)
    held = engine.claim(begun.pk, begins={"collect": ("fetching_posts", "x")})
    services.cancel(user, request.pk)
    request.refresh_from_db()
    assert (request.status, request.partial_success, request.open_posts, request.posts_processed) == (
        "COMPLETED", True, 0, 3,
    )  # fmt: skip
    assert request.results == {"completed": 1, "failed": 0, "cancelled": 2}
    assert used(user) == {"x": 2}
    assert list(UsageEntry.objects.exclude(given_back_at=None).values_list("source", flat=True)) == [unit_of(waits.pk)]
    # Whoever was at it finds it gone, and its word changes nothing.
    assert held
    assert not engine.complete(held, engine.Used(), result={"model": "late"}).ours
    assert StageRun.objects.get(post_analysis=begun).outcome == "lost"
    assert run(waits) == {"collect": 0, "analyse": 0}
    assert words_of(request).count("partial_success") == 1


@pytest.mark.parametrize(("begun", "left"), [(False, {}), (True, {"youtube": 1})])
def test_what_was_tried_again_gets_its_unit_back_only_until_somebody_begins_with_it_anew(user, begun, left):
    request = services.request_analysis(user, [TUBE])
    [post] = posts_of(request)
    run(post, fails_at="collect")
    services.retry(user, request.pk)
    assert used(user) == {"youtube": 1}
    if begun:
        engine.claim(post.pk, begins={"collect": ("fetching_posts", "x")})
    services.cancel(user, request.pk)
    assert used(user) == left


def test_a_request_of_which_nothing_was_done_is_cancelled_once(user):
    request = services.request_analysis(user, [*TWO_OF_X, TUBE])
    assert services.cancel(user, request.pk).status == "CANCELLED"
    assert (used(user), words_of(request)) == ({}, ["request_created", "cancelled"])
    with pytest.raises(AlreadyOver):
        services.cancel(user, request.pk)
    assert words_of(request) == ["request_created", "cancelled"]


# Removing


def test_removing_an_open_request_calls_it_off_and_leaves_nothing_of_it(user):
    request, other = (services.request_analysis(user, [url]) for url in TWO_OF_X)
    [post] = posts_of(request)
    engine.claim(post.pk, begins={"collect": ("fetching_posts", "x")})
    services.remove(user, request.pk)
    assert list(PostAnalysisRequest.objects.all()) == [other]
    left = [PostAnalysis.objects.exclude(request=other), StageRun.objects.all()]
    assert [rows.count() for rows in left] == [0, 0]
    assert words_of(request) == []
    # It was begun with, so its unit stays spent.
    assert used(user) == {"x": 2}
    services.remove(user, other.pk)
    assert used(user) == {"x": 1}


@pytest.mark.parametrize("verb", [services.retry, services.cancel, services.remove])
def test_nothing_can_be_done_with_somebody_elses(user, staff, verb):
    request = services.request_analysis(user, [TUBE])
    with pytest.raises(Missing):
        verb(staff, request.pk)
    request.refresh_from_db()
    assert (request.status, used(user)) == ("PENDING", {"youtube": 1})


def test_a_worker_whose_post_was_removed_under_it_leaves_nothing_and_does_not_cry(user, caplog):
    request = services.request_analysis(user, [TUBE])
    [post] = posts_of(request)

    def removed_meanwhile(work):
        services.remove(user, request.pk)
        StageRun.objects.get(post_analysis=post.pk)  # any stumble over what is gone

    before = used(user)
    pipeline.advance(post.pk, "io", stages=stages_of(Fake("collect", removed_meanwhile)))
    assert not PostAnalysis.objects.exists()
    assert not StageRun.objects.exists()
    assert not AnalysisStatusHistory.objects.exists()
    assert used(user) == before
    assert [record for record in caplog.records if record.levelname in {"WARNING", "ERROR"}] == []


# The desk


def test_a_step_can_be_run_again_at_no_cost_to_the_user(user):
    request = services.request_analysis(user, TWO_OF_X)
    first, second = posts_of(request)
    run(first)
    assert not services.run_again(second.pk, "analyse")
    run(second)
    assert services.run_again(first.pk, "analyse")
    request.refresh_from_db()
    assert (request.status, request.open_posts, request.finished_at) == ("PROCESSING", 1, None)
    stages = stages_of(Fake("collect"), Fake("analyse", lambda work: Product(result={"model": "newer"})))
    pipeline.advance(first.pk, "io", stages=stages)
    request.refresh_from_db()
    first.refresh_from_db()
    assert (first.model, stages["collect"].runs, request.progress_points) == ("newer", 0, 200)
    assert finished(request)
    assert (used(user), UsageEntry.objects.count()) == ({"x": 2}, 2)
    runs = (
        StageRun.objects.filter(post_analysis=first, stage="analyse").order_by("id").values_list("outcome", flat=True)
    )
    assert list(runs) == ["undone", "done"]


def test_a_step_that_fails_when_it_is_run_again_gives_the_unit_back_once(user):
    request = services.request_analysis(user, [TUBE])
    [post] = posts_of(request)
    run(post)
    services.run_again(post.pk, "collect")
    run(post, fails_at="analyse")
    request.refresh_from_db()
    assert (request.status, used(user)) == ("FAILED", {})
    assert (post.finished_at or timezone.now()) <= timezone.now()
