"""YouTube through its Data API: videos in our words, and a quota that is never overdrawn."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pytest
from pytest_django import Settings

from core import redis
from core.errors import VendorBusy, VendorUnavailable
from sandbox.youtube_api import YouTubeApiSandbox
from social.facts import AuthorAddress, CommentSample, Found, Lost, PostAddress, ScrapedPost
from social.scrapers.youtube_api import YouTubeApi, quota

VIDEO = "aB3_dE-7hJk"
SOMEBODY = AuthorAddress(platform="youtube", handle="slowharbour")


@pytest.fixture
def youtube(settings: Settings) -> Iterator[YouTubeApiSandbox]:
    with YouTubeApiSandbox(invents=False) as sandbox:
        for name, value in sandbox.settings().items():
            setattr(settings, name, value)
        yield sandbox


def address(post_id: str = VIDEO) -> PostAddress:
    return PostAddress(platform="youtube", post_id=post_id, url=f"https://www.youtube.com/watch?v={post_id}")


def collected(post_id: str = VIDEO) -> ScrapedPost:
    [outcome] = YouTubeApi().collect([address(post_id)])
    assert isinstance(outcome, Found)
    return outcome.post


def ids_of(posts: list[ScrapedPost] | Lost) -> list[str]:
    assert isinstance(posts, list)
    return [post.address.post_id for post in posts]


def add_videos(youtube: YouTubeApiSandbox, channel_id: str, number: int) -> list[str]:
    """Their ids, the newest first."""
    days = [f"2026-{1 + day // 28:02}-{1 + day % 28:02}T12:00:00Z" for day in range(number)]
    ids = [
        youtube.add_video(f"video{day:05}0", channel_id=channel_id, snippet={"publishedAt": moment})
        for day, moment in enumerate(days)
    ]
    return ids[::-1]


def test_it_offers_youtube_where_there_is_a_key(settings):
    settings.YOUTUBE_API_KEY = ""
    assert not YouTubeApi().offers("youtube", "post")
    settings.YOUTUBE_API_KEY = "k"
    assert YouTubeApi().offers("youtube", "recent")
    assert not YouTubeApi().offers("x", "recent")


def test_a_video_in_our_words(youtube):
    youtube.add_video(VIDEO)
    post = collected()
    assert (post.title, post.text) == ("A boat from one plank", "Three weeks, one plank.\n\n#woodworking #boats")
    assert (post.format, post.seconds, post.language) == ("video", 751.0, "en-GB")
    assert post.posted_at == datetime(2026, 5, 14, 17, 0, 9, tzinfo=UTC)
    counts = post.metrics
    assert (counts.views, counts.likes, counts.comments, counts.shares, counts.saves) == (184220, 9120, 641, None, None)
    who = post.author
    assert (who.handle, who.name, who.followers) == ("slowharbour", "Slow Harbour", 215_000)
    assert (who.author_id, who.bio) == (next(iter(youtube.channels)), "Wood, water, patience.")
    [still] = post.media
    assert (still.kind, still.width, still.url) == (
        "thumbnail",
        1280,
        "https://i.ytimg.com/vi/aB3_dE-7hJk/maxresdefault.jpg",
    )
    assert post.details == {
        "hashtags": ["woodworking", "boats"],
        "tags": ["woodworking", "boat building"],
        "category": "26",
        "definition": "hd",
        "has_captions": True,
    }
    assert post.captions == ()


def test_what_is_hidden_is_not_zero(youtube):
    channel_id = youtube.add_channel(hiddenSubscriberCount=True, subscriberCount="0")
    youtube.add_video(VIDEO, channel_id=channel_id, statistics={"likeCount": None, "commentCount": None})
    post = collected()
    assert (post.metrics.likes, post.metrics.comments, post.metrics.views) == (None, None, 184220)
    assert post.author.followers is None


@pytest.mark.parametrize(
    ("duration", "live", "form", "seconds"),
    [
        ("PT1M", "none", "short", 60.0),
        ("PT1M1S", "none", "video", 61.0),
        ("PT1H2M3S", "none", "video", 3723.0),
        ("P1DT1S", "none", "video", 86401.0),
        ("P0D", "live", "live", None),
        ("P0D", "none", "live", None),
        ("PT5M", "upcoming", "live", 300.0),
        (None, "none", "video", None),
    ],
)
def test_the_format_is_told_by_the_length(duration, live, form, seconds, youtube):
    youtube.add_video(VIDEO, contentDetails={"duration": duration}, snippet={"liveBroadcastContent": live})
    post = collected()
    assert (post.format, post.seconds) == (form, seconds)


def test_fifty_videos_are_two_requests_in_any_order(youtube):
    ids = [youtube.add_video(f"video{number:06}") for number in range(49)]
    outcomes = YouTubeApi().collect([address(each) for each in [*ids, "gone0000000"]])
    assert [each.address.post_id for each in outcomes] == [*ids, "gone0000000"]
    assert all(isinstance(each, Found) and each.post.address == each.address for each in outcomes[:-1])
    assert outcomes[-1] == Lost(state="not_found", address=address("gone0000000"))
    assert (youtube.count("videos"), youtube.count("channels")) == (1, 1)


def test_without_its_channel_a_video_is_found_all_the_same(youtube):
    youtube.add_video(VIDEO)
    youtube.fail("channels", status=403)
    post = collected()
    assert (post.author.name, post.author.followers) == ("Slow Harbour", None)


def test_recent_posts_come_from_the_uploads_of_a_handle_or_a_channel(youtube):
    channel_id = youtube.add_channel()
    ids = add_videos(youtube, channel_id, 8)
    youtube.page_size = 3
    posts = YouTubeApi().recent_posts(SOMEBODY, limit=5)
    assert ids_of(posts) == ids[:5]
    assert isinstance(posts, list)
    assert all(post.listed and post.author.followers == 215_000 for post in posts)
    assert [post.address for post in posts] == [address(each) for each in ids[:5]]
    asked = youtube.count("channels")
    by_id = AuthorAddress(platform="youtube", handle="", author_id=channel_id)
    assert ids_of(YouTubeApi().recent_posts(by_id, limit=50)) == ids
    assert youtube.count("channels") == asked + 1


def test_recent_posts_of_more_than_fifty_are_asked_for_in_batches(youtube):
    ids = add_videos(youtube, youtube.add_channel(), 60)
    assert ids_of(YouTubeApi().recent_posts(SOMEBODY, limit=60)) == ids
    assert youtube.count("videos") == 2


@pytest.mark.parametrize("author_id", ["", "UC9999999999999999999999"])
def test_nobody_has_no_recent_posts(author_id, youtube):
    nobody = AuthorAddress(platform="youtube", handle="nobody", author_id=author_id)
    lost = YouTubeApi().recent_posts(nobody, limit=5)
    assert isinstance(lost, Lost)
    assert (lost.state, lost.address) == ("not_found", nobody)


def test_comments_are_threads_with_the_words_as_written(youtube):
    youtube.add_video(VIDEO)
    owner = {"authorChannelId": {"value": next(iter(youtube.channels))}, "authorDisplayName": "@slowharbour"}
    youtube.add_thread(VIDEO, "Ship <it>", replies=2, likeCount=7)
    youtube.add_thread(VIDEO, "Thank you", **owner)
    sample = YouTubeApi().comments(address(), limit=10)
    assert isinstance(sample, CommentSample)
    first, second = sample.comments
    assert (first.text, first.author, first.likes, first.replies) == ("Ship <it>", "tidewatcher", 7, 2)
    assert first.posted_at == datetime(2026, 5, 14, 18, 22, 41, tzinfo=UTC)
    assert (first.by_post_author, second.by_post_author) == (False, True)
    assert (sample.total, sample.closed) == (None, False)


def test_comments_are_paged_to_the_limit(youtube):
    youtube.add_video(VIDEO)
    youtube.page_size = 4
    for number in range(20):
        youtube.add_thread(VIDEO, f"Comment {number}")
    sample = YouTubeApi().comments(address(), limit=10)
    assert isinstance(sample, CommentSample)
    assert [each.text for each in sample.comments] == [f"Comment {number}" for number in range(10)]
    assert youtube.count("commentThreads") == 3


def test_closed_comments_and_gone_videos_say_so(youtube):
    youtube.without_comments.add(youtube.add_video(VIDEO))
    assert YouTubeApi().comments(address(), limit=5) == CommentSample(closed=True)
    lost = YouTubeApi().comments(address("gone0000000"), limit=5)
    assert lost == Lost(state="not_found", address=address("gone0000000"), note="videoNotFound")


def test_the_quota_is_kept_by_all_together(youtube, settings):
    settings.YOUTUBE_API_UNITS_PER_DAY = 30

    def spent(_: int) -> bool:
        try:
            quota.spend(1)
        except VendorBusy:
            return False
        return True

    with ThreadPoolExecutor(16) as pool:
        assert sum(pool.map(spent, range(100))) == 30
    with pytest.raises(VendorBusy) as busy:
        YouTubeApi().collect([address()])
    assert 0 < (busy.value.retry_after or 0) <= 25 * 3600
    assert youtube.calls == []


def test_a_quota_that_youtube_calls_used_up_is_not_asked_again(youtube):
    youtube.units_left = 0
    for _ in range(3):
        with pytest.raises(VendorBusy) as busy:
            YouTubeApi().collect([address()])
        assert busy.value.details == {"problem": "quota_used_up"}
    assert youtube.count("videos") == 1


def test_without_redis_nothing_is_asked(youtube, settings):
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    with pytest.raises(VendorUnavailable) as away:
        YouTubeApi().collect([address()])
    assert away.value.retry_after == redis.REST_SECONDS
    assert youtube.calls == []


@pytest.mark.parametrize(
    ("now", "hours"),
    [
        (datetime(2026, 7, 1, 6, 0, tzinfo=UTC), 1),  # summer: seven hours behind
        (datetime(2026, 12, 1, 6, 0, tzinfo=UTC), 2),  # winter: eight
        (datetime(2026, 3, 8, 8, 0, tzinfo=UTC), 23),  # the short day
        (datetime(2026, 11, 1, 7, 0, tzinfo=UTC), 25),  # the long one
    ],
)
def test_the_quota_is_full_again_at_midnight_in_california(now, hours):
    assert quota.seconds_left(now.astimezone(quota.PACIFIC)) == hours * 3600
