"""YouTube's Data API on a bad day: each failure has its category, and harms no other address."""

import json
import pickle
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as examples
from hypothesis import strategies as st
from pytest_django import Settings

from core import calls, redis
from core.calls import VendorCall
from core.errors import (
    Problem,
    VendorAnswerInvalid,
    VendorAnswerTooLarge,
    VendorBusy,
    VendorProblem,
    VendorRefused,
    VendorTimeout,
    VendorUnavailable,
)
from sandbox.youtube_api import YouTubeApiSandbox, problem
from social.facts import AuthorAddress, CommentSample, Found, Lost, PostAddress
from social.scrapers.youtube_api import YouTubeApi
from social.tests.damage import damaged

VIDEO, OTHER = "aB3_dE-7hJk", "zz000000000"
heard: list[VendorCall] = []
calls.on_call(heard.append)


@pytest.fixture
def youtube(settings: Settings) -> Iterator[YouTubeApiSandbox]:
    heard.clear()
    with YouTubeApiSandbox(invents=False) as sandbox:
        for name, value in sandbox.settings().items():
            setattr(settings, name, value)
        sandbox.add_video(VIDEO)
        sandbox.add_thread(VIDEO, "Nice")
        yield sandbox


def address(post_id: str = VIDEO) -> PostAddress:
    return PostAddress(platform="youtube", post_id=post_id, url=f"https://www.youtube.com/watch?v={post_id}")


def refused(status: int, reason: str) -> dict[str, Any]:
    return {"status": status, "body": problem(status, reason).body}


def endless() -> Iterator[bytes]:
    """300 MB of JSON."""
    yield b'{"items": ["'
    for _ in range(4800):
        yield b"x" * 65_536


@pytest.mark.parametrize(
    ("fault", "state"),
    [
        (refused(400, "keyInvalid"), VendorRefused),
        (refused(400, "processingFailure"), VendorUnavailable),
        ({"status": 401, "body": {}}, VendorRefused),
        ({"status": 402, "body": b"pay"}, VendorRefused),
        (refused(403, "forbidden"), VendorRefused),
        (refused(403, "rateLimitExceeded"), VendorBusy),
        ({"status": 404, "body": b"<html>Not Found</html>"}, VendorRefused),
        ({"status": 429, "headers": {"Retry-After": "60"}}, VendorBusy),
        ({"status": 429}, VendorBusy),
        ({"status": 500, "body": b"oops"}, VendorUnavailable),
        ({"status": 502, "body": b"<html>Bad Gateway</html>"}, VendorUnavailable),
        ({"reset": True}, VendorUnavailable),
        ({"truncate": 90}, VendorProblem),
        ({"status": 200, "body": b"<html>Hello</html>"}, VendorAnswerInvalid),
        ({"status": 200, "body": b'{"items": [{"id": '}, VendorAnswerInvalid),
        ({"status": 200, "body": {}}, VendorAnswerInvalid),
        ({"status": 200, "body": []}, VendorAnswerInvalid),
    ],
)
def test_a_call_that_fails_as_a_whole_has_its_category(fault, state, youtube):
    youtube.fail("videos", times=-1, **fault)
    with pytest.raises(state) as raised:
        YouTubeApi().collect([address(), address(OTHER)])
    assert raised.value.retry_after == (60 if "headers" in fault else None)
    assert [(call.vendor, call.operation, call.units) for call in heard] == [("youtube_api", "videos", {})]
    assert pickle.loads(pickle.dumps(raised.value)).details == raised.value.details  # noqa: S301


def test_it_gives_up_after_the_deadline(youtube):
    youtube.fail("videos", delay=30, times=-1)
    begun = time.monotonic()
    with pytest.raises(VendorTimeout):
        YouTubeApi(seconds=0.4).collect([address()])
    assert time.monotonic() - begun < 2


def test_the_deadline_is_for_all_that_a_call_asks_together(youtube):
    youtube.fail("channels", delay=0.5)
    youtube.fail("playlistItems", delay=30)
    begun = time.monotonic()
    with pytest.raises(VendorTimeout):
        YouTubeApi(seconds=1.0).recent_posts(AuthorAddress(platform="youtube", handle="slowharbour"), limit=5)
    assert 0.9 < time.monotonic() - begun < 2


def test_a_channel_that_is_too_slow_costs_its_followers_only(youtube):
    youtube.fail("channels", delay=30)
    [found] = YouTubeApi(seconds=1.0).collect([address()])
    assert isinstance(found, Found)
    assert (found.post.author.followers, found.post.metrics.views is None) == (None, False)


def test_an_answer_of_300_megabytes_is_not_read_to_its_end(youtube):
    youtube.fail("videos", status=200, body=endless(), times=-1)
    with pytest.raises(VendorAnswerTooLarge):
        YouTubeApi().collect([address()])
    assert heard[-1].bytes < 11_000_000


def test_an_empty_list_is_every_address_not_found(youtube):
    youtube.fail("videos", status=200, body={"items": []})
    outcomes = YouTubeApi().collect([address(), address(OTHER)])
    assert [each.state for each in outcomes if isinstance(each, Lost)] == ["not_found", "not_found"]
    assert youtube.count("channels") == 0


def test_duplicate_and_foreign_rows_change_nothing(youtube):
    mine = youtube.videos[VIDEO]
    again = mine | {"snippet": mine["snippet"] | {"title": "Another"}}
    rows = [mine | {"id": "foreign0000"}, mine, again]
    youtube.fail("videos", status=200, body={"items": rows})
    found, lost = YouTubeApi().collect([address(), address(OTHER)])
    assert isinstance(found, Found)
    assert found.post.title == "A boat from one plank"
    assert lost == Lost(state="not_found", address=address(OTHER))


@pytest.mark.parametrize("rubbish", [None, 7, [], {}, {"id": None}, {"id": OTHER}, {"id": OTHER, "snippet": []}])
def test_a_row_that_cannot_be_read_harms_no_other(rubbish, youtube):
    youtube.fail("videos", status=200, body={"items": [rubbish, youtube.videos[VIDEO]]})
    found, lost = YouTubeApi().collect([address(), address(OTHER)])
    assert isinstance(found, Found)
    assert (lost.state, lost.code) == ("failed", "vendor_answer_invalid")


def test_a_later_page_that_fails_leaves_what_came_before(youtube):
    youtube.page_size = 1
    youtube.add_thread(VIDEO, "And again")
    youtube.fail("commentThreads")
    youtube.fail("commentThreads", status=401)
    sample = YouTubeApi().comments(address(), limit=5)
    assert isinstance(sample, CommentSample)
    assert [each.text for each in sample.comments] == ["Nice"]


def test_the_key_is_in_no_record(youtube, settings):
    settings.YOUTUBE_API_KEY = "a-key-that-is-secret"
    with pytest.raises(VendorRefused) as raised:
        YouTubeApi().collect([address()])
    assert raised.value.details == {"status": 400, "reason": "badRequest"}
    assert "a-key-that-is-secret" not in repr(heard)


KNOWN = YouTubeApiSandbox()
CHANNEL = KNOWN.add_channel()
KNOWN.add_video(VIDEO)
KNOWN.add_video(OTHER)
KNOWN.add_thread(VIDEO, "Nice")
BODIES = {
    "videos": {"items": list(KNOWN.videos.values())},
    "channels": {"items": list(KNOWN.channels.values())},
    "playlistItems": {"items": [{"contentDetails": {"videoId": VIDEO}}], "nextPageToken": "P1"},
    "commentThreads": {"items": KNOWN.threads[VIDEO], "nextPageToken": "P1"},
}


@st.composite
def answers(draw: st.DrawFn) -> tuple[str, Any]:
    operation = draw(st.sampled_from(sorted(BODIES)))
    return operation, draw(damaged(BODIES[operation]))


@examples(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(answer=answers())
def test_no_damage_raises_anything_but_our_own_errors(youtube, answer):
    operation, body = answer
    youtube.reset()
    redis.client().flushall()
    youtube.fail(operation, status=200, body=body)
    author = AuthorAddress(platform="youtube", handle="slowharbour", author_id=CHANNEL)
    asked: dict[str, Callable[[], Any]] = {
        "playlistItems": lambda: YouTubeApi().recent_posts(author, limit=3),
        "commentThreads": lambda: YouTubeApi().comments(address(), limit=3),
    }
    try:
        outcome = asked.get(operation, lambda: YouTubeApi().collect([address(), address(OTHER)]))()
    except VendorBusy:
        raise
    except Problem:
        return
    assert isinstance(outcome, list | CommentSample | Lost)
    if operation in {"videos", "channels"}:
        assert [each.address.post_id for each in outcome] == [VIDEO, OTHER]
        for post in [each.post for each in outcome if isinstance(each, Found)]:
            kept = json.dumps([post.details, post.text, post.title, post.author.name], allow_nan=False)
            assert "\\u0000" not in kept
            assert "\\ud800" not in kept
