"""Who explains: the first of the order who can, never paid twice for the same words, and a fallback that shows."""

import json
from datetime import timedelta

import pytest
from django.utils import timezone

from analysis import pipeline, services
from analysis.models import ModelAnswer, PostAnalysis
from analysis.stages.analyse import OWN_SECONDS, Analyse
from analysis.tests.claiming import answer
from analysis.tests.dying import Hesitant, advance
from sandbox.control import Reply
from sandbox.gemini import problem, quota
from sandbox.openai_compatible import OpenAICompatibleSandbox

pytestmark = pytest.mark.django_db
ON_X = "https://x.com/i/status/11"


@pytest.fixture(autouse=True)
def _order(settings, tmp_path):
    settings.MEDIA_ROOT = str(tmp_path / "media")
    settings.ANALYSIS_PROVIDERS = ["gemini", "rules"]


@pytest.fixture
def post(user, gemini):
    return services.request_analysis(user, [ON_X]).posts.get()


def answers_of(post):
    rows = ModelAnswer.objects.filter(post_analysis=post).order_by("id")
    return [(row.provider, bool(row.problem)) for row in rows]


def test_the_first_of_the_order_explains(post, gemini):
    advance(post)
    assert (post.status, post.provider, post.metadata_used["passed_over"]) == ("COMPLETED", "gemini", [])
    assert (post.model, post.tokens["thinking"], post.cost_micros > 0) == ("gemini-3.8-flash", 40, True)
    assert answers_of(post) == [("gemini", False)]


def test_an_answer_of_another_shape_is_asked_for_once_more_with_the_reason_and_without_it(post, hesitant):
    advance(post)
    assert (post.provider, answers_of(post)) == ("gemini", [("gemini", True), ("gemini", False)])
    first, second = hesitant.asked
    assert second["contents"] == first["contents"]
    assert "An earlier answer could not be used" in second["systemInstruction"]["parts"][0]["text"]
    assert "Let me think." not in str(second)


def test_whoever_answers_in_another_shape_twice_is_passed_over_at_once(post, hesitant):
    hesitant.broken = 9
    advance(post)
    assert (post.status, post.provider, post.metadata_used["passed_over"]) == ("COMPLETED", "rules", ["gemini"])
    assert answers_of(post) == [("gemini", True), ("gemini", True), ("rules", False)]
    assert len(hesitant.asked) == 2


@pytest.mark.parametrize(("broken", "asked"), [(0, 1), (1, 2)])
def test_an_answer_that_was_paid_for_is_used_by_whoever_takes_the_post_over(post, hesitant, broken, asked):
    hesitant.broken = broken
    advance(post, killed_after="analyse")
    assert (post.status, len(hesitant.asked)) == ("PROCESSING", asked)
    advance(post)
    assert (post.status, post.provider, len(hesitant.asked)) == ("COMPLETED", "gemini", asked)


def test_with_nobody_else_in_the_order_two_broken_answers_are_all_that_is_paid_for(post, hesitant, settings):
    settings.ANALYSIS_PROVIDERS = ["gemini"]
    hesitant.broken = 9
    for _ in range(5):
        PostAnalysis.objects.filter(pk=post.pk).update(run_after=None)
        advance(post)
    assert (post.status, post.error_category, len(hesitant.asked)) == ("FAILED", "invalid_answer", 2)


def test_a_long_reason_is_told_as_far_as_there_is_room(post, gemini, settings):
    settings.ANALYSIS_PROVIDERS = ["gemini"]
    wrong = [{"text": "It says so.", "evidence": [1]} for _ in range(4)]
    gemini.says = json.dumps(answer(suggestions_for_future_posts=wrong))
    advance(post)
    assert post.run_after
    told = post.request.history.filter(stage="retrying").get().message
    assert len(told) == 300
    assert told.startswith("suggestions_for_future_posts.0.evidence.0: ")


@pytest.mark.parametrize(
    ("says", "finish", "kept_as"), [('{"virality', "MAX_TOKENS", "length"), (" ", "OTHER", "other")]
)
def test_an_answer_that_was_cut_off_or_says_nothing_is_kept_whole_as_one_that_was_paid_for(
    post, gemini, says, finish, kept_as
):
    gemini.says, gemini.finish = says, finish
    advance(post)
    assert answers_of(post) == [("gemini", True), ("gemini", True), ("rules", False)]
    cut = ModelAnswer.objects.filter(post_analysis=post).earliest("id")
    assert (cut.answer, cut.model, cut.finish) == (says, "gemini-3.8-flash", kept_as)
    assert (cut.tokens["input"], cut.tokens["thinking"], (cut.cost_micros or 0) > 0) == (100, 40, True)


def test_who_cannot_answer_now_is_waited_for_and_then_the_next_one_answers(post, gemini):
    gemini.spent = {key: quota(delay="2s") for key in gemini.api_keys}
    advance(post)
    assert (post.status, post.provider) == ("PROCESSING", "")
    assert post.run_after
    PostAnalysis.objects.filter(pk=post.pk).update(run_after=None, stage_since=timezone.now() - timedelta(seconds=600))
    advance(post)
    assert (post.status, post.provider, post.metadata_used["passed_over"]) == ("COMPLETED", "rules", ["gemini"])


def test_whoever_is_used_up_for_the_day_is_not_waited_for(post, gemini):
    gemini.spent = {key: quota(quota_id="GenerateRequestsPerDayPerProject") for key in gemini.api_keys}
    advance(post)
    assert (post.status, post.provider, post.metadata_used["passed_over"]) == ("COMPLETED", "rules", ["gemini"])


def test_whoever_refuses_to_speak_about_a_post_is_passed_over(post, gemini):
    gemini.blocks = "PROHIBITED_CONTENT"
    advance(post)
    assert (post.status, post.provider, post.metadata_used["passed_over"]) == ("COMPLETED", "rules", ["gemini"])


def test_a_video_that_the_model_may_not_look_at_does_not_cost_the_explanation(user, gemini):
    post = services.request_analysis(user, ["https://youtu.be/WhyralDmo0I"]).posts.get()
    gemini.fail("generate", status=403, body=problem(403, "You do not have permission to access the File."))
    for queue in ("io", "cpu", "io"):
        pipeline.advance(post.pk, queue)
    post.refresh_from_db()
    assert (post.status, post.provider, post.metadata_used["passed_over"]) == ("COMPLETED", "gemini", [])
    assert "fileData" not in str(gemini.asked[-1])
    assert "inlineData" in str(gemini.asked[-1])


class Prudish(Hesitant):
    """Does not look at videos, and says nothing of use of what it looks at."""

    broken = 9

    def _trouble(self, model, body):
        shown = any("fileData" in part for turn in body["contents"] for part in turn["parts"])
        refused = Reply(status=403, body=problem(403, "You do not have permission to access the File."))
        return refused if shown else super()._trouble(model, body)


def test_there_is_patience_for_all_that_may_be_asked(user, settings):
    settings.ANALYSIS_PROVIDERS = ["gemini", "openai_compatible", "rules"]
    with Prudish() as first, OpenAICompatibleSandbox() as second:
        second.says = "Let me think."
        for name, value in (second.settings() | first.settings()).items():
            setattr(settings, name, value)
        post = services.request_analysis(user, ["https://youtu.be/WhyralDmo0I"]).posts.get()
        for queue in ("io", "cpu", "io"):
            pipeline.advance(post.pk, queue)
        assert (first.count("generate"), second.count("chat")) == (4, 2)
    post.refresh_from_db()
    assert post.provider == "rules"
    assert Analyse().patience > 6 * settings.MODEL_SECONDS
    settings.ANALYSIS_PROVIDERS = ["rules"]
    assert Analyse().patience == OWN_SECONDS
