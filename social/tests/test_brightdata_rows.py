"""BrightData's rows in our words: nothing of what we keep is lost, and no damage to a row gets further than it."""

import copy
import math
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import VendorAnswerInvalid
from sandbox.brightdata import RECORDS
from social.facts import Author, CommentSample, Found, Lost, Media, Metrics, PostAddress, ScrapedPost
from social.scrapers.brightdata import comments, instagram, rows, x, youtube
from social.scrapers.brightdata.client import read_rows
from social.scrapers.reading import count, flag, items, link, moment, seconds, text, texts

READERS = {
    "instagram_posts": instagram.READER,
    "instagram_reels": instagram.READER,
    "x_posts": x.READER,
    "youtube_videos": youtube.READER,
}
CDN = "https://cdn.sandbox.test"


def read(dataset: str, position: int = 0, **changes: Any) -> ScrapedPost:
    row = RECORDS[dataset][position] | changes
    reader = READERS[dataset]
    return reader.post(row, PostAddress(platform="any", post_id=reader.post_id(row), url="https://example.com/"))


def test_a_picture_of_instagram():
    post = read("instagram_posts")
    assert (post.address.post_id, post.format, post.seconds) == ("DSbxPhoto01", "image", None)
    assert post.author == Author(
        handle="padaria.aurora",
        author_id="48111222333",
        followers=18250,
        verified=False,
        avatar_url=f"{CDN}/aurora.jpg",
    )
    assert post.metrics == Metrics(likes=5410, comments=212)
    assert post.posted_at == datetime(2026, 10, 2, 11, 30, tzinfo=UTC)
    assert post.details == {
        "hashtags": ["padaria", "fermentacaonatural"],
        "paid_partnership": True,
        "partner": "farinha.boa",
        "collaborators": ["moinho.serra"],
        "tagged": ["moinho.serra"],
        "author_posts": 342,
    }
    alt = "Pães redondos sobre uma mesa de madeira"
    assert post.media == (
        Media(kind="image", url=f"{CDN}/DSbxPhoto01/0.jpg", alt_text=alt),
        Media(kind="thumbnail", url=f"{CDN}/DSbxPhoto01/thumb.jpg"),
    )
    assert read("instagram_posts", post_content=None).media == post.media


def test_a_carousel_keeps_its_order_and_the_length_of_its_video():
    post = read("instagram_posts", 1)
    assert [(each.kind, each.position, each.seconds) for each in post.media] == [
        ("image", 0, None),
        ("video", 1, 8.4),
        ("image", 2, None),
        ("thumbnail", 0, None),
    ]
    assert (post.format, post.seconds) == ("carousel", 8.4)
    kinds = [each.kind for each in read("instagram_posts", 1, post_content=[], content_type=None).media]
    assert kinds == ["image", "image", "video", "thumbnail"]
    assert read("instagram_posts", 1, content_type=None).format == "carousel"


def test_a_reel_brings_views_music_and_its_length():
    post, reel = read("instagram_posts", 2), read("instagram_reels")
    assert (post.format, post.seconds, post.details["music"]["title"]) == ("short", 15.033, "Original audio")
    assert post.metrics.views is None
    assert (reel.metrics.views, reel.details["plays"], reel.author.author_id) == (314500, 1080200, "48111222333")
    assert read("instagram_reels", views=None).metrics.views == 1080200
    assert read("instagram_reels", views=0).metrics.views == 0
    assert [each.seconds for each in reel.media if each.kind == "video"] == [15.033]
    both = instagram.with_reel(post, RECORDS["instagram_reels"][0])
    assert (both.metrics.views, both.metrics.likes) == (314500, 48210)
    assert both.details["music"]["title"] == "Original audio"
    assert sum(each.kind == "video" for each in both.media) == 1


def test_hidden_likes_are_not_zero():
    assert read("instagram_posts", likes=-1).metrics.likes is None
    assert read("instagram_posts", likes="1,234").metrics.likes == 1234


def test_a_post_of_x_with_what_it_quotes_and_answers():
    post, reply = read("x_posts"), read("x_posts", 1)
    assert post.metrics == Metrics(likes=51800, comments=420, shares=6100, views=2210000, saves=4400)
    assert [(each.kind, each.seconds) for each in post.media] == [("image", None), ("video", 11.24)]
    assert (post.format, post.author.handle, post.author.bio) == (
        "video",
        "tidepool_lab",
        "Small animals, big questions.",
    )
    assert post.details["quotes"] == {
        "post_id": "1989000000000000777",
        "author": "Tidepool Lab",
        "text": "New puzzle day.",
        "url": "https://x.com/tidepool_lab/status/1989000000000000777",
        "posted_at": "2026-10-10T09:00:00+00:00",
    }
    assert post.details["links"] == ["https://tidepool.example/octopus"]
    assert (reply.format, reply.metrics.views, reply.details["reply_to"]) == ("text", None, "1990000000000000001")


def test_a_video_of_youtube_with_its_transcript():
    post = read("youtube_videos")
    assert post.author == Author(
        handle="SpanAndString",
        author_id="UCSandboxSpanAndString01",
        name="Span & String",
        followers=512000,
        verified=True,
        avatar_url=f"{CDN}/yt/span.jpg",
    )
    assert (post.title, post.format, post.seconds) == ("Why bridges hum", "video", 95)
    assert post.details["chapters"] == [{"title": "The hum", "start": 0}, {"title": "The cables", "start": 62}]
    assert (post.details["hashtags"], post.details["tags"]) == (["engineering"], ["bridges", "resonance"])
    (captions,) = post.captions
    assert (captions.language, captions.automatic, captions.form, captions.spoken) == ("en", False, "vtt", True)
    assert captions.text.startswith("WEBVTT\n\n00:00:00.060 --> 00:00:02.632\nStand under this bridge")
    assert captions.text.endswith("00:00:07.741\nIt is the wind, playing the cables.\n")
    assert read("youtube_videos", url="https://www.youtube.com/shorts/SbxVideo004").format == "short"
    swapped = read("youtube_videos", youtuber="Span & String", handle_name="@SpanAndString")
    assert (swapped.author.handle, swapped.author.name) == ("SpanAndString", "Span & String")
    assert read("youtube_videos", youtuber=None, handle_name=None).author.handle == "SpanAndString"


def test_words_of_a_transcript_cannot_write_cues():
    cue = {"start_time": 0, "end_time": 900, "text": "a\n\n00:00:09.000 --> 00:00:10.000\n<b>x</b>"}
    (captions,) = read("youtube_videos", formatted_transcript=[cue]).captions
    assert captions.text == "WEBVTT\n\n00:00:00.000 --> 00:00:00.900\na 00:00:09.000 --&gt; 00:00:10.000 &lt;b&gt;x&lt;/b&gt;\n"  # fmt: skip # noqa: E501


def test_every_field_that_is_listed_can_be_missing():
    for dataset, reader in READERS.items():
        for row in RECORDS[dataset]:
            for name in row:
                less = {each: value for each, value in row.items() if each != name}
                reader.post(less, PostAddress(platform="any", post_id="1", url="https://example.com/"))


@pytest.mark.parametrize(
    ("written", "read"),
    [
        (12, 12), (12.9, 12), ("12", 12), ("1,234", 1234), ("12.5", 12), (" 7 ", 7), (0, 0), (True, None),
        (-1, None), ("1,23", None), ("9" * 29, None), (10**40, None), (math.nan, None), (math.inf, None), ("1e5", None),
        (None, None), ([1], None), ({}, None), ("٣", None), ("", None),
    ],
)  # fmt: skip
def test_it_reads_counts(written, read):
    assert count(written) == read


@pytest.mark.parametrize(
    "written",
    [
        "2025-07-01T12:00:00.000Z", "2025-07-01T14:00:00+02:00", "2025-07-01 12:00:00", 1751371200, 1751371200.0,
        "1751371200", 1751371200000, "Tue Jul 01 12:00:00 +0000 2025", "Tue Jul 1 14:00:00 +0200 2025",
    ],
)  # fmt: skip
def test_it_reads_moments(written):
    assert moment(written) == datetime(2025, 7, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize("written", ["", "soon", "0001-01-01", "9999-12-31T23:59:59-14:00", -5, 1e300, True, None, {}])
def test_it_reads_no_moment_where_there_is_none(written):
    assert moment(written) is None


def test_it_reads_lengths_and_flags_and_links():
    assert [seconds(each) for each in ("15.033", "1:02:03", "2:05", "PT1H2M3S", 62, "P", -1, "x")] == [
        15.033, 3723, 125, 3723, 62, None, None, None,
    ]  # fmt: skip
    assert [flag(each) for each in (True, "true", 1, "False", 0, None, "maybe")] == [
        True, True, True, False, False, None, None,
    ]  # fmt: skip
    assert [link(each) for each in ("https://a.test/x", "javascript:alert(1)", "https://" + "a" * 5000, None)] == [
        "https://a.test/x", "", "", "",
    ]  # fmt: skip


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(), max_size=30)
    | st.sampled_from(["\x00", "\ud800", "█" * 9, "1,234", "-1", "https://a.test/\x00"])
    | st.sampled_from(["Tue Jul 99 99:00:00 +0000 2025", "2025-07-01", "PT1H", 1751371200000]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=8,
)  # fmt: skip


@given(ANYTHING)
def test_a_reader_never_raises_and_keeps_what_can_be_stored(value):
    texts(value), items(value), flag(value), seconds(value), moment(value)
    for written in (text(value), link(value)):
        assert "\x00" not in written
        written.encode()
    assert 0 <= (count(value) or 0) < 2**63


@st.composite
def damaged(draw: st.DrawFn, datasets: tuple[str, ...]) -> tuple[str, dict[str, Any]]:
    """A row with some of its values, at any depth, gone or replaced by anything."""
    dataset = draw(st.sampled_from(datasets))
    row = copy.deepcopy(draw(st.sampled_from(RECORDS[dataset])))
    for _ in range(draw(st.integers(1, 6))):
        place: Any = row
        while isinstance(place, dict | list) and place:
            key = draw(st.sampled_from(sorted(place) if isinstance(place, dict) else range(len(place))))
            if not isinstance(place[key], dict | list) or draw(st.booleans()):
                place[key] = draw(ANYTHING)
                break
            place = place[key]
    for name in draw(st.lists(st.sampled_from(sorted(row)), max_size=5)):
        row.pop(name, None)
    return dataset, row


@given(damaged(tuple(READERS)))
def test_a_damaged_row_is_found_or_lost(damage):
    dataset, row = damage
    address = PostAddress(platform="any", post_id="code", url="https://example.com/p/code/")
    known = READERS[dataset].post_id(row)
    changed = row | {"input": {"url": address.url}, "shortcode": "code", "id": "code", "video_id": "code"}
    for each in (row, changed):
        (outcome,) = rows.outcomes([each], [address], READERS[dataset])
        assert isinstance(outcome, Found | Lost)
        if isinstance(outcome, Found):
            stored = orjson.dumps([outcome.post.details, outcome.post.title, outcome.post.text, outcome.post.media])
            assert b"\\u0000" not in stored
    assert isinstance(known, str)
    instagram.with_reel(read("instagram_posts", 2), row)


@given(damaged(("instagram_comments", "youtube_comments")))
def test_damaged_comments_are_read_or_lost(damage):
    _, row = damage
    post = PostAddress(platform="any", post_id="code", url="https://example.com/p/code/")
    sample = comments.sample([row | {"input": {"url": post.url}}, row], post, limit=5)
    assert isinstance(sample, CommentSample | Lost)


@given(st.binary(max_size=200) | ANYTHING.map(lambda value: repr(value).encode("utf-8", "ignore")))
def test_any_body_is_rows_or_invalid(body):
    with suppress(VendorAnswerInvalid):
        assert isinstance(read_rows(body), list)
