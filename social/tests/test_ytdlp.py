"""yt-dlp: what it says in our words, and the walls around it."""

from contextlib import suppress
from datetime import UTC, datetime

import pytest
import yt_dlp.version
from hypothesis import given
from hypothesis import strategies as st

from core import errors
from sandbox.control import Reply, Route, Sandbox
from social import platforms
from social.facts import CommentSample, Found, Lost, PostAddress
from social.jailed import ytdlp as jailed
from social.scrapers.ytdlp import YtDlp, translate
from social.scrapers.ytdlp.problems import lost
from social.tests.damage import damaged

ADDRESS = platforms.address("youtube", "jNQXAC9IVRw")
INFO = {
    "id": "jNQXAC9IVRw",
    "title": "Me at the zoo",
    "description": "The first one.",
    "uploader_id": "@jawed",
    "channel": "jawed",
    "channel_id": "UC4QobU6STFB0P71PMvOGN5A",
    "channel_follower_count": 5_000_000,
    "duration": 19,
    "view_count": 300_000_000,
    "like_count": 16_000_000,
    "comment_count": 10_000_000,
    "timestamp": 1114316820,
    "media_type": "video",
    "language": "en",
    "tags": ["zoo"],
    "chapters": [{"start_time": 0, "end_time": 5, "title": "Intro"}],
    "heatmap": [{"start_time": 0, "end_time": 1, "value": 0.5}],
    "thumbnails": [
        {"url": "https://i.example/small.jpg", "width": 120},
        {"url": "https://i.example/large.jpg", "width": 1280},
    ],
    "subtitles": {
        "de": [{"ext": "vtt", "url": "https://c.example/de"}],
        "live_chat": [{"ext": "json", "url": "https://c"}],
    },
    "automatic_captions": {
        "en-orig": [{"ext": "json3", "url": "https://c.example/en"}],
        "fr": [{"ext": "json3", "url": "https://c.example/fr"}],
    },
    "formats": [
        {
            "url": "https://v.example/18",
            "ext": "mp4",
            "height": 360,
            "vcodec": "avc1",
            "acodec": "mp4a",
            "protocol": "https",
        },
        {
            "url": "https://v.example/22",
            "ext": "mp4",
            "height": 1080,
            "vcodec": "avc1",
            "acodec": "mp4a",
            "protocol": "https",
        },
        {
            "url": "https://v.example/137",
            "ext": "mp4",
            "height": 720,
            "vcodec": "avc1",
            "acodec": "none",
            "protocol": "https",
        },
        {
            "url": "https://v.example/hls",
            "ext": "mp4",
            "height": 720,
            "vcodec": "avc1",
            "acodec": "mp4a",
            "protocol": "m3u8",
        },
    ],
    "comments": [
        {"id": "a", "parent": "root", "text": "first", "author": "@x", "like_count": 3, "is_pinned": True},
        {"id": "b", "parent": "a", "text": "reply", "author_is_uploader": True},
    ],
}


def test_a_video_is_told_in_our_words():
    post = translate.post(jailed.trimmed(INFO), ADDRESS)
    assert (post.title, post.author.handle, post.author.followers) == ("Me at the zoo", "jawed", 5_000_000)
    assert (post.format, post.seconds, post.posted_at) == ("video", 19.0, datetime(2005, 4, 24, 4, 27, tzinfo=UTC))
    assert (post.metrics.views, post.metrics.likes, post.metrics.comments) == (300_000_000, 16_000_000, None)
    assert [medium.url for medium in post.media] == ["https://v.example/18", "https://i.example/large.jpg"]
    told = [(caption.language, caption.automatic, caption.spoken, caption.form) for caption in post.captions]
    assert told == [("en", True, True, "json3"), ("de", False, False, "vtt")]
    assert post.details["chapters"] == [{"start": 0.0, "end": 5.0, "title": "Intro"}]


def test_what_is_spoken_is_kept_of_too_many_captions():
    names = [f"{first}{second}" for first in "abc" for second in "abcdefgh"]
    tracks = {name: [{"ext": "vtt", "url": f"https://c.example/{name}"}] for name in [*names, "en"]}
    captions = translate.post(jailed.trimmed(INFO | {"subtitles": tracks}), ADDRESS).captions
    assert [(each.language, each.automatic) for each in captions[:3]] == [("en", False), ("en", True), ("aa", False)]


def test_an_author_of_instagram_is_known_by_the_handle_and_one_of_x_too():
    told = {"uploader_id": "2815873", "uploader": "Porsche AG", "channel": "porsche"}
    author = translate.post(told, platforms.address("instagram", "DTGAZJQkg5k")).author
    assert (author.handle, author.author_id, author.name) == ("porsche", "2815873", "Porsche AG")
    told = {"uploader_id": "jack", "uploader": "Jack", "channel_id": "12"}
    author = translate.post(told, platforms.address("x", "20")).author
    assert (author.handle, author.author_id, author.name) == ("jack", "12", "Jack")


def test_comments_are_told_in_our_words():
    first, reply = translate.comments(jailed.trimmed(INFO), limit=10).comments
    assert (first.text, first.author, first.likes, first.reply_to, first.pinned) == ("first", "x", 3, "", True)
    assert (reply.reply_to, reply.by_post_author) == ("a", True)


def test_a_channels_list_is_told_without_what_it_leaves_out():
    row = {"id": "jNQXAC9IVRw", "title": "Me at the zoo", "view_count": 7}
    [post] = translate.listed({"entries": [row, {"id": "not an id"}, None, 7]}, "youtube")
    assert (post.address, post.listed, post.metrics.views, post.metrics.likes) == (ADDRESS, True, 7, None)


@given(damaged(INFO))
def test_no_damage_breaks_the_reading(info):
    if isinstance(info, dict):
        assert isinstance(translate.refusal(info), str)
        assert translate.post(info, ADDRESS).address == ADDRESS
        assert isinstance(translate.comments(info, limit=5), CommentSample)
        translate.listed(info, "youtube")


@pytest.mark.parametrize(
    ("said", "state", "code"),
    [
        ("ERROR: [youtube] x: Private video. Sign in if you've been granted access to this video", "private", ""),
        ("ERROR: [youtube] x: Join this channel to get access to members-only content", "private", ""),
        ("ERROR: [youtube] x: Sign in to confirm your age. This video may be inappropriate", "private", ""),
        ("ERROR: [youtube] x: Video unavailable. This video has been removed by the uploader", "not_found", ""),
        ("ERROR: [youtube] x: Video unavailable", "not_found", ""),
        ("ERROR: [youtube] x: Premieres in 3 hours", "failed", "not_yet"),
        ("ERROR: [youtube:tab] @x: This channel does not have a shorts tab", "not_found", ""),
        ("ERROR: [twitter] 20: Requested tweet is unavailable", "not_found", ""),
        (
            "ERROR: [youtube] x: Video unavailable. The uploader has not made this video available in your country",
            "failed",
            "not_available_here",
        ),
        (
            "ERROR: [youtube] x: Video unavailable. X, who has blocked it in your country on copyright grounds",
            "failed",
            "not_available_here",
        ),
        (
            "ERROR: [youtube] x: The uploader has not made this video available in your country",
            "failed",
            "not_available_here",
        ),
        ("ERROR: [Instagram] x: There is no video in this post", "failed", "not_offered"),
        (
            "ERROR: [Instagram] x: Requested content is not available, rate-limit reached or login required",
            "failed",
            "not_offered",
        ),
        ("ERROR: [twitter] 20: No video could be found in this tweet", "failed", "not_offered"),
        ("ERROR: No suitable extractor (['youtube$']) found for URL http://127.0.0.1/", "failed", "not_offered"),
    ],
)
def test_its_words_are_understood(said, state, code):
    found = lost(said, ADDRESS)
    assert (found.state, found.code, found.retryable) == (state, code, False)


@pytest.mark.parametrize(
    ("said", "problem", "rest"),
    [
        ("ERROR: [youtube] x: Sign in to confirm you\u2019re not a bot. Use --cookies", errors.VendorBusy, 3600),
        ("ERROR: unable to download video data: HTTP Error 429: Too Many Requests", errors.VendorBusy, 3600),
        ("ERROR: Unable to download webpage: <urlopen error timed out>", errors.VendorUnavailable, None),
        ("ERROR: something nobody has seen before", errors.VendorRefused, None),
    ],
)
def test_what_says_nothing_of_the_post_is_an_error_of_ours(said, problem, rest):
    with pytest.raises(problem) as raised:
        lost(said, ADDRESS)
    assert raised.value.retry_after == rest


@given(st.text())
def test_no_words_break_it(said):
    with suppress(errors.VendorProblem):
        assert isinstance(lost(said, ADDRESS), Lost)


class Pages(Sandbox):
    """What stands in for YouTube's pages."""

    def __init__(self):
        super().__init__()
        self.info = INFO

    routes = [
        Route("page", "GET", r"/video", lambda self, asked: Reply(body=self.info)),
        Route("away", "GET", r"/away", lambda self, asked: Reply(status=302, headers={"Location": self.info})),
    ]


@pytest.fixture
def pages(settings):
    with Pages() as pages:
        settings.OUTBOUND_ALLOWED_HOSTS = [pages.address]
        yield pages


def address(pages, path="video"):
    return PostAddress(platform="youtube", post_id="jNQXAC9IVRw", url=f"{pages.url}/{path}")


def test_a_video_comes_through_the_jail(pages):
    [found] = YtDlp(child="social.tests.jailed_ytdlp").collect([address(pages)])
    assert isinstance(found, Found)
    assert (found.post.title, found.post.metrics.views) == ("Me at the zoo", 300_000_000)
    assert pages.count("page") == 1


@pytest.mark.parametrize(
    ("why", "state"),
    [
        ("Private video. Sign in if you've been granted access to this video", "private"),
        ("Video unavailable. This video has been removed by the uploader", "not_found"),
    ],
)
def test_a_video_of_which_nothing_is_told_is_lost_for_the_reason_that_is_given(pages, why, state):
    pages.info = {"id": "jNQXAC9IVRw", "title": "", "formats": [], "cannot_be_played": why}
    [outcome] = YtDlp(child="social.tests.jailed_ytdlp").collect([address(pages)])
    assert isinstance(outcome, Lost)
    assert outcome.state == state


def test_a_machine_that_is_found_out_rests_even_where_something_is_told(pages):
    why = "Sign in to confirm you\u2019re not a bot"
    pages.info = {"id": "jNQXAC9IVRw", "title": "Me", "view_count": 7, "formats": [], "cannot_be_played": why}
    with pytest.raises(errors.VendorBusy):
        YtDlp(child="social.tests.jailed_ytdlp").collect([address(pages)])
    with pytest.raises(errors.VendorBusy):
        YtDlp(child="social.tests.jailed_ytdlp").collect([address(pages)])
    assert pages.count("page") == 1


def test_what_cannot_be_played_here_is_told_all_the_same(pages):
    pages.info = INFO | {"formats": [], "cannot_be_played": "The uploader has not made this video available here"}
    [found] = YtDlp(child="social.tests.jailed_ytdlp").collect([address(pages)])
    assert isinstance(found, Found)
    assert (found.post.metrics.likes, [medium.kind for medium in found.post.media]) == (16_000_000, ["thumbnail"])


def test_a_whole_file_is_found_among_a_hundred_parts():
    parts = [{"url": f"https://v.example/{n}", "vcodec": "avc1", "acodec": "none"} for n in range(100)]
    info = jailed.trimmed(INFO | {"formats": [INFO["formats"][0], *parts]})
    assert translate.post(info, ADDRESS).media[0].url == "https://v.example/18"


def test_what_hangs_is_given_up_in_time(pages):
    pages.fail("page", delay=60, times=-1)
    with pytest.raises(errors.VendorTimeout):
        YtDlp(child="social.tests.jailed_ytdlp", seconds=3.0).collect([address(pages)])


def test_no_redirect_leads_into_our_network(pages):
    with Pages() as inside:
        # Not among those allowed: a service of this machine that it has no business with.
        pages.info = f"{inside.url}/video"
        with pytest.raises(errors.VendorProblem):
            YtDlp(child="social.tests.jailed_ytdlp").collect([address(pages, "away")])
        assert inside.calls == []
    assert pages.count("away") >= 1


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:1/video.mp4", "file:///etc/passwd", "https://example.com/a.mp4", "ytsearch:x"]
)
def test_nothing_but_the_platforms_own_extractor_is_used(settings, url):
    [found] = YtDlp().collect([PostAddress(platform="youtube", post_id="jNQXAC9IVRw", url=url)])
    assert isinstance(found, Lost)
    assert (found.state, found.code) == ("failed", "not_offered")


def test_it_is_newer_than_its_known_weaknesses():
    # GHSA-6v4j-43gg-vj32, GHSA-vx4q-3cr2-7cg2, GHSA-f7j3-774f-rfhj, GHSA-c6mh-fpjc-4pr3, GHSA-69qj-pvh9-c5wg,
    # GHSA-g3gw-q23r-pgqm: mended by July 2026.
    assert tuple(map(int, yt_dlp.version.__version__.split(".")[:3])) >= (2026, 8, 19)
