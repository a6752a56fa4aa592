"""Asking for an analysis: what it spends, and everything that lets it spend nothing."""

import pytest

from accounts.models import UsageEntry
from analysis import services
from analysis.engine import unit_of
from analysis.models import PostAnalysisRequest
from analysis.tests.fakes import put_on_plan, used, words_of
from config.queues import count_waiting
from core.errors import Invalid, LimitReached
from social.models import Platform, Wanted

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


def test_it_spends_a_unit_for_each_post_and_sends_for_each(user, django_capture_on_commit_callbacks):
    before = count_waiting("io")
    with django_capture_on_commit_callbacks(execute=True):
        request = services.request_analysis(user, [*TWO_OF_X, TUBE])
    assert used(user) == {"x": 2, "youtube": 1}
    assert (request.platform, request.status, request.open_posts, request.total_posts) == ("mixed", "PENDING", 3, 3)
    assert [post.url for post in posts_of(request)] == request.post_urls
    assert {entry.source for entry in UsageEntry.objects.filter(user=user)} == {
        unit_of(post.pk) for post in posts_of(request)
    }
    assert words_of(request) == ["request_created"]
    assert count_waiting("io") == before + 3
    # Whoever collects first brings the others home with it.
    assert Wanted.objects.filter(kind="post", platform="x", key__in=["11", "12"]).count() == 2


def test_the_same_post_in_several_spellings_is_one(user):
    spellings = [
        TUBE,
        "https://www.youtube.com/watch?v=WhyralDmo0A&t=4",
        "youtube.com/shorts/WhyralDmo0A",
        f"  {TUBE}\n",
    ]
    request = services.request_analysis(user, spellings)
    assert (request.total_posts, used(user), request.platform) == (1, {"youtube": 1}, "youtube")


def test_every_wrong_address_is_named_and_nothing_is_spent(user):
    wrong = ["https://x.com/jack", "nonsense", "", "https://evil.example/p/1", "\0"]
    with pytest.raises(Invalid) as refused:
        services.request_analysis(user, [TWO_OF_X[0], *wrong])
    assert [each["url"] for each in refused.value.details["post_urls"]] == wrong
    assert all(each["error"] and each["code"] for each in refused.value.details["post_urls"])
    assert (used(user), PostAnalysisRequest.objects.count(), UsageEntry.objects.count()) == ({}, 0, 0)


def test_a_platform_that_is_closed_is_named(user):
    Platform.objects.filter(slug="x").update(active=False)
    with pytest.raises(Invalid) as refused:
        services.request_analysis(user, [TUBE, TWO_OF_X[0]])
    [named] = refused.value.details["post_urls"]
    assert (named["url"], named["code"]) == (TWO_OF_X[0], "platform_inactive")
    assert used(user) == {}


def test_more_posts_than_the_plan_allows_in_one_request_are_refused(user):
    put_on_plan(user, posts=1, a_day=-1)
    with pytest.raises(Invalid, match="allows 1 posts"):
        services.request_analysis(user, TWO_OF_X)
    # The same post twice is one.
    assert services.request_analysis(user, [TUBE, TUBE]).total_posts == 1
    assert used(user) == {"youtube": 1}


def test_beyond_the_day_nothing_is_spent_on_any_platform(user):
    services.request_analysis(user, [f"https://x.com/i/status/{number}" for number in (21, 22, 23)])
    with pytest.raises(LimitReached) as refused:
        services.request_analysis(user, [TUBE, *TWO_OF_X])
    assert {name: refused.value.details[name] for name in ("limit", "used", "requested")} == {
        "limit": 4, "used": 3, "requested": 2,
    }  # fmt: skip
    assert refused.value.details["resets_at"].endswith("T00:00:00Z")
    assert refused.value.details["upgrade_url"].endswith("/pricing")
    assert (used(user), PostAnalysisRequest.objects.count()) == ({"x": 3}, 1)
    services.request_analysis(user, [TUBE, TWO_OF_X[0]])
    assert used(user) == {"x": 4, "youtube": 1}


def test_no_limit_is_no_limit(user):
    put_on_plan(user, posts=-1, a_day=-1)
    request = services.request_analysis(user, [f"https://x.com/i/status/{number}" for number in range(100, 130)])
    assert (request.total_posts, used(user)) == (30, {"x": 30})
