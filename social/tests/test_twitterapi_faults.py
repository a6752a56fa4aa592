"""TwitterAPI.io on a bad day: each failure has its category and its cost, and harms no other address."""

import json
import pickle
import time
from collections.abc import Iterator

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
from sandbox.twitterapi import TwitterApiSandbox, media
from social.facts import AuthorAddress, CommentSample, Found, Lost, PostAddress
from social.scrapers.twitterapi import TwitterApi
from social.tests.damage import damaged

SOMEBODY = AuthorAddress(platform="x", handle="harbourbakes")
heard: list[VendorCall] = []
calls.on_call(heard.append)


@pytest.fixture
def x(settings: Settings) -> Iterator[TwitterApiSandbox]:
    heard.clear()
    with TwitterApiSandbox(invents=False) as sandbox:
        for name, value in sandbox.settings().items():
            setattr(settings, name, value)
        yield sandbox


def address(post_id: str) -> PostAddress:
    return PostAddress(platform="x", post_id=post_id, url=f"https://x.com/i/status/{post_id}")


def credits_spent() -> int:
    return sum(call.units.get("credits", 0) for call in heard)


def endless() -> Iterator[bytes]:
    """300 MB of JSON."""
    yield b'{"tweets": ["'
    for _ in range(4800):
        yield b"x" * 65_536


@pytest.mark.parametrize(
    ("fault", "problem", "credits_each"),
    [
        ({"status": 400, "body": {"detail": "tweet_ids is required"}}, VendorRefused, 15),
        ({"status": 401, "body": {"error": "Unauthorized", "message": "API key is invalid"}}, VendorRefused, 0),
        ({"status": 402, "body": {"message": "Credits is not enough.Please recharge"}}, VendorRefused, 0),
        ({"status": 403, "body": {"error": "Forbidden"}}, VendorRefused, 0),
        ({"status": 404, "body": {"detail": "Not Found"}}, VendorRefused, 15),
        ({"status": 429, "headers": {"Retry-After": "60"}}, VendorBusy, 0),
        ({"status": 429}, VendorBusy, 0),
        ({"status": 500, "body": b"oops"}, VendorUnavailable, 0),
        ({"status": 502, "body": b"<html>Bad Gateway</html>"}, VendorUnavailable, 0),
        ({"drop": True}, VendorUnavailable, 0),
        ({"truncate": 90}, VendorProblem, 0),
        ({"status": 200, "body": b"<html>Hello</html>"}, VendorAnswerInvalid, 15),
        ({"status": 200, "body": b'{"tweets": [{"id": "1", '}, VendorAnswerInvalid, 15),
        ({"status": 200, "body": {"status": "success"}}, VendorAnswerInvalid, 15),
        ({"status": 200, "body": [1, 2]}, VendorAnswerInvalid, 15),
        ({"status": 200, "body": {"status": "error", "msg": "internal"}}, VendorRefused, 15),
        ({"status": 200, "body": {"status": "error", "message": "Too Many Requests"}}, VendorBusy, 15),
    ],
)
def test_a_call_that_fails_as_a_whole_has_its_category_and_its_cost(fault, problem, credits_each, x):
    x.add_tweet(tweet_id="5")
    x.fail("tweets", times=-1, **fault)
    with pytest.raises(problem) as raised:
        TwitterApi().collect([address("5"), address("6")])
    assert raised.value.retry_after == (60 if "headers" in fault else None)
    assert credits_spent() == credits_each
    assert {call.vendor for call in heard} == {"twitterapi"}


def test_it_gives_up_after_the_deadline(x):
    x.fail("tweets", delay=30, times=-1)
    begun = time.monotonic()
    with pytest.raises(VendorTimeout):
        TwitterApi(seconds=0.4).collect([address("5")])
    assert time.monotonic() - begun < 2


def test_the_deadline_is_for_all_that_a_call_asks_together(x):
    root = x.add_tweet()
    x.add_reply(root, "reader", "Nice")
    x.fail("replies.v2", status=400, body={"detail": "queryType"}, delay=0.5)
    x.fail("replies", delay=30)
    begun = time.monotonic()
    with pytest.raises(VendorTimeout):
        TwitterApi(seconds=1.0).comments(address(root), limit=5)
    assert 0.9 < time.monotonic() - begun < 2
    with pytest.raises(VendorTimeout):
        TwitterApi(seconds=0.0).comments(address(root), limit=5)
    assert x.count("replies.v2") == 1


def test_pages_that_are_too_slow_leave_those_that_came(x):
    x.page_size = 2
    for _ in range(6):
        x.add_tweet()
    x.fail("last_tweets")
    x.fail("last_tweets", delay=30)
    posts = TwitterApi(seconds=1.0).recent_posts(SOMEBODY, limit=6)
    assert isinstance(posts, list)
    assert len(posts) == 2


def test_an_answer_of_300_megabytes_is_not_read_to_its_end(x):
    x.fail("tweets", status=200, body=endless(), times=-1)
    with pytest.raises(VendorAnswerTooLarge):
        TwitterApi().collect([address("5")])
    assert heard[-1].bytes < 11_000_000


def test_what_fails_once_is_tried_again(x):
    x.add_tweet(tweet_id="5")
    x.fail("tweets", status=503)
    assert isinstance(TwitterApi().collect([address("5")])[0], Found)
    assert (heard[-1].attempts, credits_spent()) == (2, 15)


@pytest.mark.parametrize(
    ("knob", "value", "status", "problem"),
    [("has_credit", False, 402, "out of credit"), ("api_key", "another", 401, "key refused")],
)
def test_nobody_asks_for_a_while_where_somebody_must_act_first(knob, value, status, problem, x):
    setattr(x, knob, value)
    with pytest.raises(VendorRefused) as refused:
        TwitterApi().collect([address("5")])
    assert refused.value.details == {"status": status, "problem": problem}
    with pytest.raises(VendorBusy) as busy:
        TwitterApi().collect([address("5")])
    assert 30 < (busy.value.retry_after or 0) <= 300
    assert x.count("tweets") == 1


def test_a_purse_may_be_empty_under_a_success_too(x):
    x.fail("tweets", status=200, body={"status": "error", "msg": "Credits is not enough.Please recharge"})
    with pytest.raises(VendorRefused) as refused:
        TwitterApi().collect([address("5")])
    assert refused.value.details == {"status": 200, "problem": "out of credit"}


def test_the_key_is_in_no_detail(x, settings):
    settings.TWITTERAPI_KEY = "a-key-that-is-secret"
    x.fail("tweets", status=400, body={"detail": "no such key: a-key-that-is-secret"})
    with pytest.raises(VendorRefused) as refused:
        TwitterApi().collect([address("5")])
    assert "a-key-that-is-secret" not in json.dumps(refused.value.details)


def test_an_empty_list_is_every_address_not_found_and_costs_the_least(x):
    outcomes = TwitterApi().collect([address("5"), address("6")])
    assert [(each.state, each.address.post_id) for each in outcomes] == [("not_found", "5"), ("not_found", "6")]
    assert credits_spent() == 15


def test_not_found_is_believed_of_one_address_and_not_of_many(x):
    said = {"status": "error", "msg": "tweet not found"}
    x.fail("tweets", status=200, body=said, times=2)
    [lost] = TwitterApi().collect([address("5")])
    assert (lost.state, lost.note) == ("not_found", "tweet not found")
    with pytest.raises(VendorRefused) as refused:
        TwitterApi().collect([address("5"), address("6")])
    # It may travel between processes.
    assert pickle.loads(pickle.dumps(refused.value)).details == {"state": "not_found", "said": "tweet not found"}  # noqa: S301


def test_duplicate_and_foreign_rows_change_nothing(x):
    mine, foreign = x.tweets[x.add_tweet(tweet_id="5")], x.tweets[x.add_tweet(tweet_id="99")]
    rows = [foreign, mine, mine | {"text": "another"}, foreign]
    x.fail("tweets", status=200, body={"tweets": rows, "status": "success"})
    found, lost = TwitterApi().collect([address("5"), address("6")])
    assert isinstance(found, Found)
    assert found.post.text.startswith("Forty loaves")
    assert lost.state == "not_found"
    assert credits_spent() == 60


@pytest.mark.parametrize("rubbish", [None, 7, "text", [], {}, {"id": None}, {"id": 1.5e18}, {"id": "7"}])
def test_a_row_that_cannot_be_read_harms_no_other(rubbish, x):
    good = x.tweets[x.add_tweet(tweet_id="5")]
    x.fail("tweets", status=200, body={"tweets": [rubbish, good], "status": "success"})
    found, lost = TwitterApi().collect([address("5"), address("7")])
    assert isinstance(found, Found)
    # Nothing says that it was not the one that is missing.
    assert (lost.state, lost.code, lost.retryable) == ("failed", "vendor_answer_invalid", False)


@pytest.mark.parametrize("fault", [{"status": 401}, {"status": 200, "body": {"status": "success"}}])
def test_a_later_page_that_fails_leaves_what_came_before(fault, x):
    x.page_size = 2
    ids = [x.add_tweet() for _ in range(6)]
    x.fail("last_tweets")
    x.fail("last_tweets", **fault)
    posts = TwitterApi().recent_posts(SOMEBODY, limit=6)
    assert isinstance(posts, list)
    assert [post.address.post_id for post in posts] == ids[:3:-1]


TWEET = TwitterApiSandbox()
ROOT = TWEET.add_tweet(
    extendedEntities={"media": [media("photo"), media("video")]},
    card={"binding_values": [{"key": "choice1_label", "value": {"string_value": "Rye"}}]},
)
REPLY = TWEET.add_reply(ROOT, "reader", "Nice", quoted_tweet=TWEET.tweets[ROOT])
RETWEET = TWEET.add_retweet(ROOT, "fan")
BODY = {
    "tweets": [TWEET.tweets[each] for each in (ROOT, REPLY, RETWEET)],
    "status": "success",
    "has_next_page": True,
    "next_cursor": "c3",
}


@examples(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(body=damaged(BODY), kind=st.sampled_from(["tweets", "last_tweets", "replies.v2"]))
def test_no_damage_raises_anything_but_our_own_errors(x, body, kind):
    x.reset()
    redis.client().flushall()
    x.fail(kind, status=200, body=body)
    asked = {
        "tweets": lambda: TwitterApi().collect([address(each) for each in (ROOT, REPLY, RETWEET)]),
        "last_tweets": lambda: TwitterApi().recent_posts(SOMEBODY, limit=3),
        "replies.v2": lambda: TwitterApi().comments(address(ROOT), limit=3),
    }
    try:
        outcome = asked[kind]()
    except VendorBusy:
        raise
    except Problem:
        return
    if kind == "tweets":
        assert [each.address.post_id for each in outcome] == [ROOT, REPLY, RETWEET]
    assert isinstance(outcome, list | CommentSample | Lost)
    for post in [each.post for each in outcome if isinstance(each, Found)] if kind == "tweets" else []:
        kept = json.dumps([post.details, post.text, post.author.name], allow_nan=False)
        assert "\\u0000" not in kept
        assert "\\ud800" not in kept
