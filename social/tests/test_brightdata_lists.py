"""An author's recent posts through BrightData: theirs, newest first, and nothing that could not be a post."""

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as examples
from pytest_django import Settings

from core import redis
from core.errors import VendorAnswerInvalid
from sandbox.brightdata import RECORDS, BrightDataSandbox
from social import platforms
from social.facts import AuthorAddress, Lost, NotReady, PostAddress
from social.scrapers.brightdata import BrightData
from social.tests.damage import damaged

AURORA = AuthorAddress(platform="instagram", handle="padaria.aurora")


@pytest.fixture
def bright(settings: Settings) -> Iterator[BrightDataSandbox]:
    with BrightDataSandbox() as sandbox:
        for name, value in sandbox.settings().items():
            setattr(settings, name, value)
        yield sandbox


def instagram(code: str) -> PostAddress:
    return platforms.address("instagram", code)


def listed(author: AuthorAddress = AURORA, *, limit: int = 5) -> Any:
    answer: Any = BrightData().recent_posts(author, limit=limit)
    while isinstance(answer, NotReady):
        answer = BrightData().recent_posts(author, limit=limit, job=answer.job)
    return answer


def test_the_recent_posts_of_an_author_come_newest_first(bright):
    bright.knobs.shuffled, bright.knobs.foreign = True, 2
    posts = listed(limit=2)
    assert [post.address for post in posts] == [instagram("DSbxPhoto01"), instagram("DSbxCarou01")]
    assert all(post.listed and post.author.handle == "padaria.aurora" for post in posts)
    (snapshot,) = bright.snapshots.values()
    assert snapshot.query["discover_by"] == "url"
    assert snapshot.inputs == [{"url": "https://www.instagram.com/padaria.aurora/", "num_of_posts": 2}]


@pytest.mark.parametrize("code", ["", "../share", "no code at all", "a" * 40, {"a": 1}, "Z" * 11])
def test_a_row_of_a_list_that_names_no_post_is_passed_over(bright, code):
    broken = {"shortcode": code, "content_id": None, "post_id": "3512345678901234567", "url": "https://x.test/"}
    rows = [broken, RECORDS["instagram_posts"][0]]
    job = BrightData().recent_posts(AURORA, limit=5)
    assert isinstance(job, NotReady)
    bright.fail("download", status=200, body=rows)
    assert [each.address for each in BrightData().recent_posts(AURORA, limit=5, job=job.job)] == [
        instagram("DSbxPhoto01")
    ]


def test_what_an_author_only_repeats_is_not_among_their_posts(bright):
    bright.knobs.changes["DSbxPhoto01"] = {"user_posted": "somebody.else"}
    bright.knobs.changes["DSbxCarou01"] = {"user_posted": "Padaria.Aurora"}
    bright.knobs.changes["DSbxReel001"] = {"user_posted": None}
    posts = listed()
    assert {post.address.post_id for post in posts} == {"DSbxCarou01", "DSbxReel001"}


@pytest.mark.parametrize("platform", ["x", "youtube"])
def test_the_other_platforms_list_an_authors_posts_too(bright, platform):
    handle = {"x": "tidepool_lab", "youtube": "SpanAndString"}[platform]
    author = AuthorAddress(platform=platform, handle=handle)
    posts = listed(author, limit=1)
    assert [post.listed for post in posts] == [True]


@pytest.mark.parametrize(
    ("row", "state"),
    [
        ({"error": "Private", "error_code": "dead_page"}, "not_found"),
        ({"warning": "no posts found, please check pinned posts detection"}, "not_found"),
        ({"error": "no peers", "error_code": "no_peers"}, "failed"),
        ({"shortcode": "Else0000001", "input": {"url": "https://www.instagram.com/somebody.else/"}}, "failed"),
    ],
)
def test_a_profile_without_posts_is_lost(bright, row, state):
    bright.knobs.instead["padaria.aurora"] = row
    lost = listed()
    assert (type(lost), lost.state, lost.address) == (Lost, state, AURORA)


def test_a_discovery_that_found_nothing_says_so_by_failing(bright):
    bright.knobs.end, bright.knobs.message = "failed", "No data found in discovery"
    lost = listed()
    assert (type(lost), lost.state) == (Lost, "not_found")


@examples(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=damaged(RECORDS["instagram_posts"]))
def test_no_damage_to_a_list_names_a_post_that_is_none(bright, rows):
    bright.reset()
    redis.client().flushall()
    begun = BrightData().recent_posts(AURORA, limit=5)
    assert isinstance(begun, NotReady)
    bright.fail("download", status=200, body=rows)
    posts: Any
    try:
        posts = BrightData().recent_posts(AURORA, limit=5, job=begun.job)
    except VendorAnswerInvalid:
        return
    if not isinstance(posts, Lost):
        named = [platforms.parse_post_url(post.address.url).post_id for post in posts]
        assert named == [post.address.post_id for post in posts]
