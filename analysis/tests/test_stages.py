"""The real stages, on the sample posts: from an address to an explanation, with what each leaves behind."""

import re

import pytest

from analysis import pipeline, services
from analysis.models import ModelAnswer, PostAnalysis, PostAnalysisRequest, StageRun
from analysis.tests.fakes import used
from sandbox.control import Reply, Route, Sandbox
from social.models import Errand, Post, PostMedia
from social.platforms import redirects

HIT, ON_X = "https://youtu.be/WhyralDmo0I", ["https://x.com/i/status/11", "https://x.com/i/status/12"]


@pytest.fixture(autouse=True)
def _media_of_its_own(settings, tmp_path):
    settings.MEDIA_ROOT = str(tmp_path / "media")


def carry(request):
    """Be every worker until nothing is left to be done."""
    for post in PostAnalysis.objects.filter(request=request).order_by("position"):
        for queue in ("io", "cpu", "io"):
            pipeline.advance(post.pk, queue)
    request.refresh_from_db()
    return request


def runs_of(request):
    runs = StageRun.objects.filter(post_analysis__request=request).order_by("id")
    return list(runs.values_list("stage", "outcome"))


def test_a_sample_is_explained_from_its_own_evidence(user, db):
    request = carry(services.request_analysis(user, [HIT]))
    post = request.posts.get()
    assert (request.status, post.status, post.provider, post.is_viral) == ("COMPLETED", "COMPLETED", "rules", True)
    assert post.verdict["label"] == "over"
    assert post.verdict["multiple"] > 2
    assert 3 <= len(post.quick_takeaways) <= 5
    assert len(post.suggestions_for_future_posts) == 4
    assert post.grounding["ratio"] == 1
    known = {each["id"] for each in post.evidence}
    cited = {name for claim in post.virality_reasoning + post.quick_takeaways for name in claim["evidence"]}
    assert cited
    assert cited <= known
    assert {"c", "t", "k", "m", "f", "p"} == {name[0] for name in known}
    assert [stage for stage, _ in runs_of(request)] == ["collect", "media", "captions", "analyse"]
    assert PostMedia.objects.filter(post=post.post, kind="frame", state="stored").exists()


def test_different_posts_get_different_answers(user, db):
    first = carry(services.request_analysis(user, [ON_X[0]])).posts.get()
    second = carry(services.request_analysis(user, [ON_X[1]])).posts.get()
    texts = [{claim["text"] for claim in each.virality_reasoning + each.quick_takeaways} for each in (first, second)]
    assert not texts[0] & texts[1]


def test_a_stored_post_is_used_again_and_says_so(user, db):
    carry(services.request_analysis(user, ON_X[:1]))
    errands = Errand.objects.count()
    again = carry(services.request_analysis(user, ON_X[:1]))
    assert StageRun.objects.get(post_analysis__request=again, stage="collect").reused
    assert StageRun.objects.get(post_analysis__request=again, stage="media").reused
    assert Errand.objects.count() == errands


def test_all_addresses_of_a_request_are_wanted_before_the_first_is_fetched(user, db):
    request = carry(services.request_analysis(user, ON_X))
    assert request.status == "COMPLETED"
    # One errand brought both posts: whoever came first took what the other wanted along.
    assert Errand.objects.filter(kind="post").count() == 1


def test_an_answer_that_was_paid_for_is_not_asked_for_again(user, db):
    request = carry(services.request_analysis(user, ON_X[:1]))
    post = request.posts.get()
    assert ModelAnswer.objects.filter(post_analysis=post).count() == 1
    # Its worker is killed between the answer and the checkpoint: the post is claimed anew.
    since = StageRun.objects.get(post_analysis=post, stage="analyse").started_at
    StageRun.objects.filter(post_analysis=post, stage="analyse").update(outcome="running")
    PostAnalysis.objects.filter(pk=post.pk).update(
        status="PROCESSING", stage_since=since, lease_until=None, provider=""
    )
    PostAnalysisRequest.objects.filter(pk=request.pk).update(status="PROCESSING", open_posts=1, posts_processed=0)
    pipeline.advance(post.pk, "io")
    post.refresh_from_db()
    assert (post.status, post.provider) == ("COMPLETED", "rules")
    assert ModelAnswer.objects.filter(post_analysis=post).count() == 1


def test_a_post_that_does_not_exist_fails_alone_and_its_unit_goes_back(user, db, settings):
    settings.SCRAPERS = {**settings.SCRAPERS, "x": ["samples"]}
    request = carry(services.request_analysis(user, [ON_X[0], "https://x.com/i/status/1800000000000000000"]))
    assert (request.status, request.partial_success) == ("COMPLETED", True)
    failed = request.posts.get(position=1)
    assert (failed.status, failed.error_stage, failed.error_category) == ("FAILED", "collect", "unsupported")
    assert used(user) == {"x": 1}


class Leading(Sandbox):
    """A link that leads to a post."""

    location = ON_X[0]

    def lead(self, asked):
        return Reply(status=302, headers={"Location": self.location})

    routes = [Route("lead", "HEAD", r"/[a-z]+", lead)]


@pytest.fixture
def link(monkeypatch, settings):
    sandbox = Leading()
    sandbox.start()
    settings.OUTBOUND_ALLOWED_HOSTS = [sandbox.address]
    monkeypatch.setitem(redirects.LEADS, "x", re.compile(re.escape(sandbox.url) + "/[a-z]+"))
    yield f"{sandbox.url}/link"
    sandbox.stop()


def test_a_link_is_followed_and_then_it_is_a_post_like_any_other(user, db, link):
    request = carry(services.request_analysis(user, [link]))
    post = request.posts.get()
    assert (post.status, post.platform, post.platform_post_id) == ("COMPLETED", "x", "11")
    assert Post.objects.get(pk=post.post_id).platform_post_id == "11"
    assert runs_of(request)[0] == ("resolve", "done")


def test_a_link_to_a_post_that_is_there_already_fails_alone(user, db, link):
    request = carry(services.request_analysis(user, [ON_X[0], link]))
    assert request.partial_success
    assert request.posts.get(position=1).error_code == "same_post"
