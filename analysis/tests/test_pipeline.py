"""How a post is carried from stage to stage, and what becomes of it when something goes wrong."""

from datetime import timedelta

import pytest
from celery.worker import state as celery_state
from django.utils import timezone

from accounts.models import UsageEntry, UsageKind, UserUsage
from accounts.usage import increment_usage
from analysis import engine, pipeline
from analysis.engine import Used, unit_of
from analysis.models import AnalysisStatusHistory, PostAnalysis, StageRun, Status
from analysis.stages.contract import Later, Product
from analysis.tests.fakes import Fake, make_request, stages_of
from core.errors import NotConfigured, VendorBusy, VendorTimeout
from core.queue import count_waiting

pytestmark = pytest.mark.django_db


def raising(error):
    def does(work):
        raise error

    return does


def spend(user, post):
    increment_usage(user, UsageKind.URL_LOOKUPS, platform="x", source=unit_of(post.pk))


def used(user):
    return sum(UserUsage.objects.filter(user=user).values_list("url_lookups", flat=True))


def words_of(request):
    return list(AnalysisStatusHistory.objects.filter(request=request).order_by("id").values_list("stage", flat=True))


def wait_of(post):
    """Seconds that a post still waits."""
    return ((post.run_after or timezone.now()) - timezone.now()).total_seconds()


def make_due(post):
    PostAnalysis.objects.filter(pk=post.pk).update(run_after=None)


def test_one_task_carries_a_post_through_all_stages_of_its_queue(user):
    request, [post] = make_request(user)
    result = {"is_viral": True, "provider": "rules"}
    stages = stages_of(Fake("one", progress=40), Fake("two", lambda work: Product(result=result), progress=100))
    pipeline.advance(post.pk, "io", stages=stages)
    post.refresh_from_db()
    request.refresh_from_db()
    assert (post.status, post.progress, post.is_viral, post.provider) == ("COMPLETED", 100, True, "rules")
    assert (request.status, request.open_posts, request.progress_points) == ("COMPLETED", 0, 100)
    assert request.results == {"completed": 1, "failed": 0, "cancelled": 0}
    assert words_of(request) == ["one_begins", "two_begins", "analysis_complete"]
    runs = StageRun.objects.filter(post_analysis=post).order_by("id").values_list("stage", "outcome", "fence")
    assert list(runs) == [("one", "done", 1), ("two", "done", 1)]


def test_a_result_fills_the_columns_it_names_and_no_others(user):
    _, [post] = make_request(user)
    PostAnalysis.objects.filter(pk=post.pk).update(demand=[{"kind": "question"}])
    result = {"is_viral": None, "verdict": {"label": "over", "multiple": 3.5}, "evidence": [{"id": "c1", "text": "ö"}]}
    pipeline.advance(post.pk, "io", stages=stages_of(Fake("one", lambda work: Product(result=result), progress=100)))
    post.refresh_from_db()
    assert (post.is_viral, post.verdict, post.evidence) == (None, result["verdict"], result["evidence"])
    assert post.demand == [{"kind": "question"}]


def test_a_result_that_no_column_could_keep_is_refused(user):
    _, [post] = make_request(user)
    work = engine.claim(post.pk, begins={"one": ("one_begins", "one begins.")})
    with pytest.raises(ValueError, match="nonsense"):
        engine.complete(work, Used(), result={"nonsense": 1})


def test_a_stage_of_another_queue_waits_for_a_message_there(user):
    _, [post] = make_request(user)
    heavy = Fake("two", queue="cpu", progress=100)
    stages = stages_of(Fake("one"), heavy)
    pipeline.advance(post.pk, "io", stages=stages)
    post.refresh_from_db()
    assert (post.stage, post.lease_until, post.status) == ("two", None, "PROCESSING")
    assert heavy.runs == 0
    pipeline.advance(post.pk, "cpu", stages=stages)
    post.refresh_from_db()
    assert (post.status, heavy.runs) == ("COMPLETED", 1)


def test_a_worker_that_was_asked_to_go_hands_over_at_the_end_of_the_stage_it_is_at(user):
    _, [post] = make_request(user)

    def be_asked_to_go(work):
        celery_state.should_stop = 0
        return Product()

    two = Fake("two", progress=100)
    stages = stages_of(Fake("one", be_asked_to_go), two)
    pipeline.advance(post.pk, "io", stages=stages)
    celery_state.should_stop = None
    post.refresh_from_db()
    assert (post.stage, post.lease_until, two.runs, count_waiting("io")) == ("two", None, 0, 1)
    pipeline.advance(post.pk, "io", stages=stages)
    post.refresh_from_db()
    assert post.status == "COMPLETED"


def test_a_message_down_the_wrong_queue_does_nothing(user):
    _, [post] = make_request(user)
    one = Fake("one", progress=100)
    pipeline.advance(post.pk, "cpu", stages=stages_of(one))
    assert one.runs == 0


def test_a_second_copy_of_a_message_is_no_work(user):
    _, [post] = make_request(user)
    seen = []
    one = Fake("one", progress=100)

    def look_again(work):
        seen.append(work)
        pipeline.advance(post.pk, "io", stages=stages_of(one))
        return Product()

    one.does = look_again
    pipeline.advance(post.pk, "io", stages=stages_of(one))
    pipeline.advance(post.pk, "io", stages=stages_of(one))
    assert len(seen) == 1


def test_a_needless_stage_is_left_out(user):
    _, [post] = make_request(user)
    heavy = Fake("two", queue="cpu", progress=80)
    stages = stages_of(
        Fake("one", lambda work: Product(needless=frozenset({"two"}))), heavy, Fake("three", progress=100)
    )
    pipeline.advance(post.pk, "io", stages=stages)
    post.refresh_from_db()
    assert (post.status, heavy.runs) == ("COMPLETED", 0)


def test_what_a_vendor_is_still_at_costs_no_try(user):
    _, [post] = make_request(user)
    one = Fake("one", lambda work: Later(seconds=5), most_tries=1, progress=100)
    for _ in range(3):
        pipeline.advance(post.pk, "io", stages=stages_of(one))
        post.refresh_from_db()
        assert (post.status, post.tries, post.lease_until) == ("PROCESSING", 0, None)
        assert wait_of(post) > 0
        pipeline.advance(post.pk, "io", stages=stages_of(one))  # too early: nothing
        make_due(post)
    assert one.runs == 3
    assert list(StageRun.objects.filter(post_analysis=post).values_list("outcome", flat=True)) == ["not_ready"]


def test_what_never_comes_is_given_up_in_the_end(user):
    _, [post] = make_request(user)
    PostAnalysis.objects.filter(pk=post.pk).update(stage_since=timezone.now() - timedelta(hours=1))
    pipeline.advance(post.pk, "io", stages=stages_of(Fake("one", lambda work: Later(seconds=5))))
    post.refresh_from_db()
    assert (post.status, post.error_category, post.error_stage) == ("FAILED", "timeout", "one")


def test_a_passing_error_is_tried_again_later_and_a_lasting_one_is_not(user):
    request, [passing, lasting] = make_request(user, posts=2)
    spend(user, passing)
    spend(user, lasting)
    pipeline.advance(passing.pk, "io", stages=stages_of(Fake("one", raising(VendorTimeout()))))
    pipeline.advance(lasting.pk, "io", stages=stages_of(Fake("one", raising(NotConfigured()))))
    passing.refresh_from_db()
    lasting.refresh_from_db()
    assert (passing.status, passing.tries) == ("PROCESSING", 1)
    assert wait_of(passing) > 0
    assert (lasting.status, lasting.error_code, lasting.error_retryable) == ("FAILED", "not_configured", False)
    assert used(user) == 1
    assert words_of(request) == ["one_begins", "retrying", "one_begins", "error"]


def test_tries_run_out(user):
    _, [post] = make_request(user)
    one = Fake("one", raising(VendorTimeout()), most_tries=3)
    for _ in range(5):
        pipeline.advance(post.pk, "io", stages=stages_of(one))
        make_due(post)
    post.refresh_from_db()
    assert (post.status, post.error_category, one.runs) == ("FAILED", "timeout", 3)


# Never longer than the stage would wait at all.
@pytest.mark.parametrize(("asked", "waits"), [(77, 77), (600, 600), (5000, Fake.waits)])
def test_a_vendor_that_says_when_to_come_again_is_obeyed_and_costs_no_try(user, asked, waits):
    _, [post] = make_request(user)
    pipeline.advance(post.pk, "io", stages=stages_of(Fake("one", raising(VendorBusy(retry_after=asked)), most_tries=1)))
    post.refresh_from_db()
    assert (post.status, post.tries) == ("PROCESSING", 0)
    assert waits - 2 < wait_of(post) < 1.3 * waits


def test_a_fault_of_ours_is_tried_again_and_then_told_as_internal(user):
    _, [post] = make_request(user)
    one = Fake("one", raising(ZeroDivisionError("secret detail")), most_tries=2)
    for _ in range(2):
        pipeline.advance(post.pk, "io", stages=stages_of(one))
        make_due(post)
    post.refresh_from_db()
    assert (post.status, post.error_category, one.runs) == ("FAILED", "internal", 2)
    assert "secret" not in post.error_message


def test_a_post_that_takes_its_workers_down_stops_at_its_limit(user):
    request, [poison, good] = make_request(user, posts=2)
    spend(user, poison)
    one = Fake("one", most_tries=2, progress=100)
    for _ in range(2):
        # A worker claims it and is gone.
        assert engine.claim(poison.pk, begins={"one": one.begins})
        PostAnalysis.objects.filter(pk=poison.pk).update(lease_until=timezone.now() - timedelta(seconds=1))
    pipeline.advance(poison.pk, "io", stages=stages_of(one))
    pipeline.advance(good.pk, "io", stages=stages_of(one))
    poison.refresh_from_db()
    request.refresh_from_db()
    assert (poison.status, poison.error_code, poison.error_category) == ("FAILED", "gave_up", "internal")
    assert one.runs == 1
    assert (request.status, request.partial_success, request.stage) == ("COMPLETED", True, "partial_success")
    assert used(user) == 0
    runs = StageRun.objects.filter(post_analysis=poison).order_by("id").values_list("outcome", flat=True)
    assert list(runs) == ["lost", "lost", "failed"]


def test_the_word_of_a_worker_that_was_given_up_falls_on_the_floor(user):
    _, [post] = make_request(user)

    def outlive_the_lease(work):
        PostAnalysis.objects.filter(pk=post.pk).update(lease_until=timezone.now() - timedelta(seconds=1))
        pipeline.advance(post.pk, "io", stages=stages_of(Fake("one", lambda work: Product(result={"model": "new"}))))
        return Product(result={"model": "old"})

    pipeline.advance(post.pk, "io", stages=stages_of(Fake("one", outlive_the_lease)))
    post.refresh_from_db()
    assert (post.status, post.model, post.fence) == ("COMPLETED", "new", 2)
    assert StageRun.objects.filter(post_analysis=post, outcome="done").count() == 1
    assert post.request.results == {"completed": 1, "failed": 0, "cancelled": 0}


def test_the_last_of_several_posts_ends_the_request_once(user):
    request, posts = make_request(user, posts=3)
    for post in posts:
        request.refresh_from_db()
        assert request.status != Status.COMPLETED
        pipeline.advance(post.pk, "io", stages=stages_of(Fake("one", progress=100)))
    assert words_of(request).count("analysis_complete") == 1
    assert engine.finalize(request.pk) is None


def test_a_request_without_any_success_has_failed_and_says_why(user):
    request, posts = make_request(user, posts=2)
    for post in posts:
        spend(user, post)
        pipeline.advance(post.pk, "io", stages=stages_of(Fake("one", raising(NotConfigured()))))
    request.refresh_from_db()
    assert (request.status, request.error_category, request.error_stage) == ("FAILED", "unsupported", "one")
    assert request.error_details["code"] == "not_configured"
    assert used(user) == 0
    assert UsageEntry.objects.filter(user=user, given_back_at=None).count() == 0


def test_calls_are_counted_and_priced_with_the_stage_that_made_them(user):
    from core.calls import VendorCall, announce

    def call(work):
        announce(
            VendorCall(
                vendor="gemini", operation="complete", outcome="ok", duration_ms=1, model="gemini-3.6-flash",
                units={"input_tokens": 1000},
            )
        )  # fmt: skip
        return Product()

    request, [post] = make_request(user)
    pipeline.advance(post.pk, "io", stages=stages_of(Fake("one", call), Fake("two", progress=100)))
    run = StageRun.objects.get(post_analysis=post, stage="one")
    assert (run.calls, run.tokens, run.cost_micros) == (1, 1000, 1500)
    request.refresh_from_db()
    post.refresh_from_db()
    assert (request.total_api_calls, request.cost_micros, post.cost_micros) == (1, 1500, 1500)
