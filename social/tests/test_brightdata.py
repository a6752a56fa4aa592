"""BrightData over its sandbox: jobs, rows matched to what was asked, and what they come to."""

import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest
from pytest_django import Settings
from structlog.testing import capture_logs

from sandbox.brightdata import BrightDataSandbox
from social.errors import JobFailed
from social.facts import CommentSample, Found, Lost, NotReady, Outcome, PostAddress
from social.scrapers.brightdata import BrightData


@pytest.fixture
def bright(settings: Settings) -> Iterator[BrightDataSandbox]:
    with BrightDataSandbox() as sandbox:
        for name, value in sandbox.settings().items():
            setattr(settings, name, value)
        yield sandbox


def instagram(code: str) -> PostAddress:
    return PostAddress(platform="instagram", post_id=code, url=f"https://www.instagram.com/p/{code}/")


def youtube(video_id: str) -> PostAddress:
    return PostAddress(platform="youtube", post_id=video_id, url=f"https://www.youtube.com/watch?v={video_id}")


def x(post_id: str) -> PostAddress:
    return PostAddress(platform="x", post_id=post_id, url=f"https://x.com/i/status/{post_id}")


def until_ready(ask: Callable[[str], Any], *, most: int = 20) -> Any:
    answer = ask("")
    while isinstance(answer, NotReady):
        most -= 1
        assert most, "it is never ready"
        assert answer.retry_in >= 10
        answer = ask(answer.job)
    return answer


def collected(addresses: Sequence[PostAddress]) -> dict[str, Outcome]:
    ended = until_ready(lambda job: BrightData().collect(addresses, job=job))
    assert [each.address for each in ended] == list(addresses)
    return {each.address.post_id: each for each in ended}


def test_it_offers_what_it_has_a_key_and_a_dataset_for(bright, settings):
    offered = {(platform, kind) for platform in ("instagram", "x", "youtube", "else")
               for kind in ("post", "recent", "comments") if BrightData().offers(platform, kind)}  # fmt: skip
    assert len(offered) == 8
    assert ("x", "comments") not in offered
    settings.BRIGHTDATA_DATASETS = {"x_posts": "gd_other"}
    assert not BrightData().offers("instagram", "post")
    settings.BRIGHTDATA_API_KEY = ""
    assert not BrightData().offers("x", "post")


def test_a_job_is_triggered_once_and_asked_after_until_it_is_ready(bright):
    bright.knobs.polls, bright.knobs.building = 3, 2
    ended = collected([x("1990000000000000001"), x("42")])
    assert all(isinstance(each, Found) for each in ended.values())
    assert (bright.count("trigger"), bright.count("progress"), bright.count("download")) == (1, 6, 3)
    (snapshot,) = bright.snapshots.values()
    assert snapshot.query == {"dataset_id": "gd_lwxkxvnf1cynvib9co", "include_errors": "true", "format": "json"}


def test_rows_are_matched_by_what_was_asked_whatever_their_order_and_number(bright):
    bright.knobs.shuffled = bright.knobs.repeated = True
    bright.knobs.foreign = 3
    bright.knobs.instead["gone"] = {"error": "Dead page", "error_code": "dead_page"}
    addresses = [youtube(f"Video{n:06}") for n in range(20)] + [youtube("gone")]
    ended = collected(addresses)
    assert isinstance(ended.pop("gone"), Lost)
    for video_id, outcome in ended.items():
        assert isinstance(outcome, Found)
        assert outcome.post.raw["video_id"] == video_id


@pytest.mark.parametrize(
    ("row", "state", "code", "retryable"),
    [
        ({"error": "Dead page", "error_code": "dead_page"}, "not_found", "", False),
        ({"warning": "Invalid input.url", "warning_code": "dead_page"}, "not_found", "", False),
        ({"error": "It is private", "error_code": "private_account"}, "private", "", False),
        ({"error": "Bad input", "error_code": "bad_input"}, "failed", "vendor_refused", False),
        ({"error": "502 (no_peer)", "error_code": "no_peers"}, "failed", "vendor_unavailable", True),
        ({"error": "blocked", "error_code": "blocked"}, "failed", "vendor_unavailable", True),
        ({"error": "late", "error_code": "page_timeout"}, "failed", "vendor_timeout", True),
        ({"error": ["?"], "error_code": {"a": 1}}, "failed", "vendor_unavailable", True),
        ({"warning": "no posts found"}, "failed", "vendor_answer_invalid", True),
        ({"id": "4711", "url": "https://x.com/a/status/4711"}, "failed", "vendor_answer_invalid", True),
        ({}, "failed", "vendor_answer_invalid", True),
    ],
)
def test_a_row_that_is_no_post_loses_its_address_and_no_other(bright, row, state, code, retryable):
    bright.knobs.instead["13"] = row
    ended = collected([x("12"), x("13"), x("14")])
    assert [type(ended[each]) for each in ("12", "14")] == [Found, Found]
    lost = ended["13"]
    assert isinstance(lost, Lost)
    assert (lost.state, lost.code, lost.retryable) == (state, code, retryable)


def test_an_address_without_a_row_is_lost_and_may_be_asked_for_again(bright):
    bright.knobs.empty = True
    lost = collected([x("1")])["1"]
    assert isinstance(lost, Lost)
    assert (lost.state, lost.retryable) == ("failed", True)


def test_it_sounds_the_alarm_when_every_row_of_a_batch_fails(bright):
    bright.knobs.instead |= {str(n): {"error": "no peers", "error_code": "no_peers"} for n in range(5)}
    with capture_logs() as lines:
        collected([x(str(n)) for n in range(4)])
        assert [line for line in lines if line["event"] == "brightdata_all_rows_failed"] == []
        collected([x(str(n)) for n in range(5)])
    (alarm,) = [line for line in lines if line["event"] == "brightdata_all_rows_failed"]
    assert (alarm["rows"], alarm["codes"]) == (5, ["no_peers"])


def test_only_videos_are_looked_up_among_the_reels_and_paid_for_there(bright):
    ended = collected([instagram("DSbxPhoto01"), instagram("DSbxCarou01"), instagram("DSbxReel001")])
    views = {code: each.post.metrics.views for code, each in ended.items() if isinstance(each, Found)}
    assert views == {"DSbxPhoto01": None, "DSbxCarou01": None, "DSbxReel001": 314500}
    assert bright.asked_for == {"instagram_posts": 3, "instagram_reels": 1}
    reel = ended["DSbxReel001"]
    assert isinstance(reel, Found)
    assert (reel.post.format, reel.post.seconds, reel.post.details["plays"]) == ("short", 15.033, 1080200)
    assert reel.post.details["collaborators"] == ["moinho.serra"]


def test_a_reels_job_that_cannot_begin_costs_the_views_only(bright):
    bright.fail("trigger", status=200, body={"snapshot_id": "s_first00"})
    first = BrightData().collect([instagram("DSbxReel001")])
    assert first == NotReady(job="posts:s_first00", retry_in=10)
    bright.reset()
    until_ready_with_trouble(bright, trouble=("trigger", {"status": 500}))


@pytest.mark.parametrize(
    "trouble",
    [
        ("progress", {"status": 200, "body": {"status": "failed"}}),
        ("progress", {"status": 404}),
        ("progress", {"status": 400}),
        ("download", {"status": 200, "body": b"<html>"}),
    ],
)
def test_a_reels_job_that_fails_costs_the_views_only(bright, trouble):
    until_ready_with_trouble(bright, trouble=trouble)


def until_ready_with_trouble(bright: BrightDataSandbox, *, trouble: tuple[str, dict[str, Any]]) -> None:
    addresses = [instagram("DSbxReel001")]
    answer = BrightData().collect(addresses)
    assert isinstance(answer, NotReady)
    if trouble[0] == "trigger":
        bright.fail(trouble[0], **trouble[1])
    else:
        answer = BrightData().collect(addresses, job=answer.job)
        assert isinstance(answer, NotReady)
        assert answer.job.startswith("posts:")
        assert ",reels:" in answer.job
        bright.fail(trouble[0], **trouble[1])
    ended = BrightData().collect(addresses, job=answer.job)
    assert isinstance(ended, list)
    assert isinstance(ended[0], Found)
    assert ended[0].post.metrics.views is None
    assert ended[0].post.metrics.likes == 48210


def test_a_reels_job_that_takes_too_long_costs_the_views_only(bright):
    addresses = [instagram("DSbxReel001")]
    answer = until_reels(addresses)
    bright.snapshots[answer.job.split("reels:")[1].split(",")[0]].polls = 100
    assert BrightData().collect(addresses, job=answer.job) == NotReady(job=answer.job, retry_in=10)
    late = answer.job.split(",until:")[0] + f",until:{int(time.time()) - 1}"
    (ended,) = BrightData().collect(addresses, job=late)  # type: ignore[misc]
    assert isinstance(ended, Found)


def test_a_reels_job_is_waited_for_while_the_vendor_is_busy(bright):
    addresses = [instagram("DSbxReel001")]
    answer = until_reels(addresses)
    bright.fail("progress", status=503)
    assert isinstance(BrightData().collect(addresses, job=answer.job), NotReady)


def until_reels(addresses: list[PostAddress]) -> NotReady:
    answer = BrightData().collect(addresses)
    assert isinstance(answer, NotReady)
    second = BrightData().collect(addresses, job=answer.job)
    assert isinstance(second, NotReady)
    return second


@pytest.mark.parametrize("job", ["", "else:s_1", "posts:", "posts:../progress", "posts:s_1/cancel", ",,:", "posts"])
def test_a_job_that_is_none_is_not_asked_after(bright, job):
    with pytest.raises(JobFailed):
        BrightData().collect([x("1")], job=job or "recent:s_1")
    assert bright.calls == []


def test_comments_and_their_replies_come_home(bright):
    bright.knobs.repeated = True
    sample = until_ready(lambda job: BrightData().comments(instagram("DSbxPhoto01"), limit=2, job=job))
    assert [(each.author, each.likes, each.reply_to, each.by_post_author) for each in sample.comments] == [
        ("lia.mora", 12, "", False),
        ("padaria.aurora", 3, "18000000000000001", None),
        ("noor.bakes", 41, "", False),
    ]
    sample = until_ready(lambda job: BrightData().comments(youtube("SbxVideo004"), limit=10, job=job))
    assert [(each.author, each.likes, each.replies) for each in sample.comments] == [
        ("quietcables", 320, 4),
        ("marta.eng", 95, 0),
    ]


def test_a_post_without_comments_is_an_answer_and_a_dead_one_is_lost(bright):
    bright.knobs.empty = True
    ask = BrightData().comments
    assert until_ready(lambda job: ask(instagram("DSbxPhoto01"), limit=5, job=job)) == CommentSample()
    bright.knobs.empty, bright.knobs.instead["DSbxPhoto01"] = False, {"error": "x", "error_code": "dead_page"}
    lost = until_ready(lambda job: ask(instagram("DSbxPhoto01"), limit=5, job=job))
    assert (type(lost), lost.state) == (Lost, "not_found")


def test_it_asks_to_be_told_only_where_it_can_be_reached(bright, settings):
    settings.PUBLIC_URL, settings.BRIGHTDATA_WEBHOOK_TOKEN = "http://localhost:8000", "a-secret-token"
    BrightData().collect([x("1")])
    settings.PUBLIC_URL = "https://whyral.example"
    BrightData().collect([x("1")])
    queries = [each.query for each in bright.snapshots.values()]
    assert [query.get("notify") for query in queries] == [
        None,
        "https://whyral.example/api/social/webhook/brightdata/a-secret-token/",
    ]
    assert queries[1]["auth_header"] == "a-secret-token"
