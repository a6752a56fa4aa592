"""Saving: the newer wins, nothing that was known is lost, and nothing breaks it."""

import json
import zlib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import orjson
import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from social import platforms
from social.engagement import engagement_score
from social.facts import Author, Captions, CommentSample, Media, Metrics, ScrapedComment, ScrapedPost
from social.models import MetricSnapshot, Post, PostComment, PostMedia
from social.saving import save_comments, save_posts

pytestmark = pytest.mark.django_db
ADDRESS = platforms.address("x", "1839019491835129889")
AT = datetime(2026, 11, 24, 12, tzinfo=UTC)
FULL = ScrapedPost(
    address=ADDRESS,
    author=Author(handle="jack", name="Jack", followers=1000, bio="just setting up"),
    text="hello",
    posted_at=AT - timedelta(days=2),
    format="video",
    seconds=12.5,
    metrics=Metrics(likes=70, comments=5, views=1000),
    media=(
        Media(kind="video", url="https://video.example/1.mp4"),
        Media(kind="thumbnail", url="https://i.example/1.jpg"),
    ),
    captions=(Captions(language="en", automatic=True, form="vtt", url="https://c.example/1"),),
    details={"hashtags": ["a"]},
    raw={"id": "1", "text": "hello"},
)
LISTED = ScrapedPost(address=ADDRESS, text="hel...", metrics=Metrics(likes=71), format="text", listed=True)


def save(post, *, at=AT, source="test"):
    return save_posts([post], source=source, at=at)[("x", ADDRESS.post_id)]


def saved():
    return Post.objects.get()


def test_a_post_is_saved_with_all_that_is_known():
    post_id, post = save(FULL), saved()
    assert (post.pk, post.author, post.text, post.seconds, post.collected_at) == (post_id, "jack", "hello", 12.5, AT)
    assert post.metrics == {"likes": 70, "comments": 5, "views": 1000}
    assert post.author_profile == {"name": "Jack", "followers": 1000, "bio": "just setting up"}
    assert (post.captions[0]["language"], post.details, post.raw_until > AT) == ("en", {"hashtags": ["a"]}, True)
    assert post.engagement_score == pytest.approx(0.08)
    assert MetricSnapshot.objects.values_list("likes", "followers").get() == (70, 1000)
    assert PostMedia.objects.count() == 2


def test_a_list_never_blanks_what_a_full_word_knew():
    save(FULL)
    before = saved()
    rounded = {"title": "A...", "posted_at": AT, "seconds": 12.0, "raw": {"short": 1}}
    save(replace(LISTED, **rounded), at=AT + timedelta(hours=1), source="list")
    post = saved()
    assert (post.text, post.format, post.author, post.collected_at, post.source) == (
        "hello",
        "video",
        "jack",
        AT,
        "test",
    )
    assert post.metrics == {"likes": 71, "comments": 5, "views": 1000}
    assert (post.details, len(post.captions), post.raw) == ({"hashtags": ["a"]}, 1, before.raw)
    assert (post.posted_at, post.seconds, post.title) == (before.posted_at, 12.5, "A...")
    assert (post.engagement_score, post.raw_until) == (before.engagement_score, before.raw_until)
    assert post.seen_at == AT + timedelta(hours=1)


def test_a_full_word_counts_although_a_list_was_faster_by_a_moment():
    save(LISTED, at=AT + timedelta(seconds=1), source="list")
    save(FULL)
    post = saved()
    assert (post.text, post.collected_at, post.source, post.seen_at) == ("hello", AT, "test", AT + timedelta(seconds=1))
    assert post.metrics == {"likes": 71, "comments": 5, "views": 1000}


def test_what_was_only_listed_is_not_collected_until_it_is():
    save(LISTED)
    assert saved().collected_at is None
    save(FULL, at=AT + timedelta(hours=1))
    assert (saved().collected_at, saved().text) == (AT + timedelta(hours=1), "hello")


def test_an_older_word_that_comes_late_changes_nothing_and_leaves_its_snapshot():
    save(FULL)
    PostMedia.objects.filter(kind="video").update(state="failed")
    old = tuple(replace(medium, url="https://gone.example/1") for medium in FULL.media)
    save(replace(FULL, text="old", metrics=Metrics(likes=3), media=old), at=AT - timedelta(hours=1))
    assert (saved().text, saved().metrics["likes"], saved().seen_at) == ("hello", 70, AT)
    assert PostMedia.objects.values_list("state", "source_url").get(kind="video") == ("failed", FULL.media[0].url)
    assert [*MetricSnapshot.objects.order_by("taken_at").values_list("likes", flat=True)] == [3, 70]


def test_stored_media_keep_their_file_and_failed_ones_get_another_try():
    save(FULL)
    PostMedia.objects.filter(kind="video").update(state="stored")
    PostMedia.objects.filter(kind="thumbnail").update(state="failed", error="source_expired")
    save(replace(FULL, media=tuple(replace(medium, url=medium.url + "?new") for medium in FULL.media)))
    states = dict(PostMedia.objects.values_list("kind", "state"))
    assert states == {"video": "stored", "thumbnail": "waiting"}
    assert all(url.endswith("?new") for url in PostMedia.objects.values_list("source_url", flat=True))


def test_the_fuller_of_two_in_one_call_is_taken():
    save_posts([LISTED, FULL, LISTED], source="test", at=AT)
    assert (saved().text, MetricSnapshot.objects.count()) == ("hello", 1)


def test_many_posts_take_as_many_statements_as_one():
    def statements(count):
        posts = [replace(FULL, address=platforms.address("x", str(count * 1000 + n))) for n in range(1, count + 1)]
        with CaptureQueriesContext(connection) as seen:
            assert len(save_posts(posts, source="test", at=AT)) == count
        return len(seen)

    assert statements(1) == statements(200) <= 6


def test_comments_are_kept_with_how_many_there_are():
    post_id = save(FULL)
    comment = ScrapedComment(comment_id="1", text="part \0 2?", likes=3, posted_at=AT)
    save_comments(post_id, CommentSample(comments=(comment,), total=40), source="test", at=AT)
    save_comments(post_id, CommentSample(), source="late", at=AT - timedelta(hours=1))
    save_comments(post_id, CommentSample(comments=(comment, comment)), source="test", at=AT + timedelta(hours=1))
    held = PostComment.objects.get()
    assert (held.seen, held.total, held.sample[0]["text"], held.source) == (2, 40, "part  2?", "test")


whatever = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)
numbers = st.none() | st.integers(-(2**70), 2**70)
strange_posts = st.builds(
    ScrapedPost,
    address=st.just(ADDRESS),
    author=st.builds(Author, handle=st.text(), author_id=st.text(), name=st.text(), followers=numbers, bio=st.text()),
    title=st.text(),
    text=st.text(st.characters(), max_size=50),
    posted_at=st.none() | st.datetimes() | st.datetimes(timezones=st.just(UTC)),
    metrics=st.builds(Metrics, likes=numbers, comments=numbers, shares=numbers, views=numbers, saves=numbers),
    seconds=st.none() | st.floats(),
    media=st.lists(
        st.builds(
            Media,
            kind=st.just("image"),
            url=st.text(),
            width=numbers,
            seconds=st.none() | st.floats(),
            alt_text=st.text(),
        ),
        max_size=3,
    ).map(tuple),
    details=st.dictionaries(st.text(), whatever, max_size=4),
    raw=st.dictionaries(st.text(), whatever, max_size=4),
    listed=st.booleans(),
)


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(strange_posts)
def test_nothing_a_vendor_says_breaks_it(post):
    save(post)
    assert Post.objects.count() == 1
    assert json.dumps(saved().details)


def test_what_is_nested_without_end_is_cut_off_and_the_rest_is_kept():
    bottomless: dict = {}
    for _ in range(900):
        bottomless = {"in": bottomless}
    save(replace(FULL, raw={"id": "1", "deep": bottomless}, details={"music": "a \0 song", "deep": [bottomless]}))
    assert orjson.loads(zlib.decompress(saved().raw))["id"] == "1"
    assert saved().details["music"] == "a  song"


@pytest.mark.django_db(transaction=True, serialized_rollback=True)
def test_fifty_workers_leave_one_row_and_a_snapshot_for_each_moment():
    def work(number):
        try:
            return save(FULL, at=AT + timedelta(seconds=number % 5))
        finally:
            connection.close()

    with ThreadPoolExecutor(50) as workers:
        assert len(set(workers.map(work, range(50)))) == 1
    assert (Post.objects.count(), MetricSnapshot.objects.count(), PostMedia.objects.count()) == (1, 5, 2)
    assert saved().collected_at == AT + timedelta(seconds=4)


def test_engagement_is_measured_where_there_is_something_to_measure():
    assert engagement_score(Metrics(likes=10, comments=5, shares=1), 1000) == pytest.approx(0.023)
    assert engagement_score(Metrics(likes=10, views=100), 1000) == pytest.approx(0.1)
    assert engagement_score(Metrics(views=100), 1000) is engagement_score(Metrics(likes=1), None) is None
