"""X through TwitterAPI.io: tweets in our words, whichever way they are spelled."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from pytest_django import Settings

from sandbox.twitterapi import TwitterApiSandbox, media
from social.facts import AuthorAddress, CommentSample, Found, Lost, PostAddress, ScrapedPost
from social.scrapers.twitterapi import TwitterApi

SOMEBODY = AuthorAddress(platform="x", handle="harbourbakes")


@pytest.fixture
def x(settings: Settings) -> Iterator[TwitterApiSandbox]:
    with TwitterApiSandbox(invents=False) as sandbox:
        for name, value in sandbox.settings().items():
            setattr(settings, name, value)
        yield sandbox


def address(post_id: str) -> PostAddress:
    return PostAddress(platform="x", post_id=post_id, url=f"https://x.com/i/status/{post_id}")


def collected(post_id: str) -> ScrapedPost:
    [outcome] = TwitterApi().collect([address(post_id)])
    assert isinstance(outcome, Found)
    return outcome.post


def ids_of(posts: list[ScrapedPost] | Lost) -> list[str]:
    assert isinstance(posts, list)
    return [post.address.post_id for post in posts]


def sampled(post_id: str, *, limit: int = 10) -> CommentSample:
    sample = TwitterApi().comments(address(post_id), limit=limit)
    assert isinstance(sample, CommentSample)
    return sample


def test_it_offers_x_where_there_is_a_key(settings):
    settings.TWITTERAPI_KEY = ""
    assert not TwitterApi().offers("x", "post")
    settings.TWITTERAPI_KEY = "k"
    assert TwitterApi().offers("x", "comments")
    assert not TwitterApi().offers("youtube", "post")


def test_a_tweet_in_our_words(x):
    post = collected(x.add_tweet())
    assert (
        post.text == "Forty loaves & one very patient cat #sourdough with @millersdaughter https://bakes.example/recipe"
    )
    assert (post.format, post.language, post.title, post.listed) == ("text", "en", "", False)
    assert post.posted_at == datetime(2026, 6, 6, 6, 15, 9, tzinfo=UTC)
    counts = post.metrics
    assert (counts.likes, counts.comments, counts.shares, counts.views, counts.saves) == (2210, 64, 138, 91344, 77)
    who = post.author
    assert (who.handle, who.author_id, who.name) == ("harbourbakes", "900100200300", "Harbour Bakes")
    assert (who.followers, who.verified, who.bio) == (48213, True, "Bread before sunrise.")
    assert post.details == {
        "hashtags": ["sourdough"],
        "mentions": ["millersdaughter"],
        "links": ["https://bakes.example/recipe"],
        "quote_count": 18,
        "author_posts": 4021,
        "author_following": 310,
    }
    assert post.raw["id"] == post.address.post_id


@pytest.mark.parametrize("views", [0, None, "", "many"])
def test_views_that_x_did_not_count_are_not_known(views, x):
    assert collected(x.add_tweet(viewCount=views)).metrics.views is None


def test_counts_that_are_missing_are_not_zero(x):
    tweet_id = x.add_tweet(retweetCount=None, quoteCount="7", likeCount=0)
    del x.tweets[tweet_id]["bookmarkCount"]
    counts = collected(tweet_id).metrics
    assert (counts.likes, counts.shares, counts.saves) == (0, 7, None)


@pytest.mark.parametrize(("code", "language"), [("qme", ""), ("und", ""), ("zxx", ""), ("pt", "pt"), ("in", "id")])
def test_a_state_is_not_a_language(code, language, x):
    assert collected(x.add_tweet(lang=code)).language == language


@pytest.mark.parametrize("nothing", [None, {}, {"media": None}, {"media": []}, "", []])
def test_media_may_be_missing_in_many_ways(nothing, x):
    post = collected(x.add_tweet(extendedEntities=nothing))
    assert (post.format, post.media) == ("text", ())


def test_a_video_is_its_finest_file_and_a_thumbnail(x):
    post = collected(x.add_tweet(text="Oven https://t.co/video1", extendedEntities={"media": [media("video")]}))
    film, still = post.media
    assert (post.format, post.seconds, post.text) == ("video", 21.4, "Oven")
    assert (film.kind, film.url) == ("video", "https://video.twimg.com/901/vid/1080x1920/oven.mp4")
    assert (film.seconds, film.width, film.height) == (21.4, 1080, 1920)
    assert (still.kind, still.url) == ("thumbnail", "https://pbs.twimg.com/ext_tw_video_thumb/901/pu/img/oven.jpg")


def test_a_moving_picture_is_a_video_without_a_rate(x):
    files = [{"bitrate": 0, "content_type": "video/mp4", "url": "https://video.twimg.com/tweet_video/loaf.mp4"}]
    gif = media("video", type="animated_gif", video_info={"aspect_ratio": [1, 1], "variants": files})
    post = collected(x.add_tweet(extendedEntities={"media": [gif]}))
    assert (post.format, post.media[0].url, post.seconds) == ("video", files[0]["url"], None)


def test_several_pictures_are_a_carousel_with_their_alt_texts(x):
    both = [media("photo"), media("photo", media_url_https="https://pbs.twimg.com/media/b.jpg", ext_alt_text=None)]
    post = collected(x.add_tweet(extendedEntities={"media": both}))
    assert post.format == "carousel"
    assert [(each.position, each.alt_text) for each in post.media] == [(0, "Loaves on a rack"), (1, "")]


def test_a_retweet_has_the_words_and_counts_of_what_it_repeats(x):
    original = x.add_tweet(text="x" * 300, extendedEntities={"media": [media("photo")]})
    post = collected(x.add_retweet(original, "fan"))
    assert post.text == "x" * 300
    assert (post.metrics.likes, post.metrics.views, post.format) == (2210, 91344, "image")
    assert post.author.handle == "fan"
    assert post.details["repost_of"] == {"post_id": original, "author": "harbourbakes"}


def test_a_reply_a_thread_and_a_quote_say_what_they_belong_to(x):
    root = x.add_tweet()
    own, foreign = x.add_reply(root, "harbourbakes", "And then"), x.add_reply(root, "reader", "Nice")
    quote = x.add_tweet("reader", quoted_tweet=x.tweets[root])
    assert collected(own).details["thread"] == root
    details = collected(foreign).details
    assert (details["reply_to"], details["reply_to_author"]) == (root, "harbourbakes")
    assert "thread" not in details
    assert collected(quote).details["quotes"]["post_id"] == root
    assert collected(quote).details["quotes"]["text"].startswith("Forty loaves &")


def test_a_poll_and_the_preview_of_a_link_are_details(x):
    values = {"choice1_label": "Rye", "choice1_count": "12", "choice2_label": "Oat", "choice2_count": "3"}
    poll = [{"key": key, "value": {"string_value": value, "type": "STRING"}} for key, value in values.items()]
    details = collected(x.add_tweet(card={"name": "poll2choice_text_only", "binding_values": poll})).details
    assert details["poll"] == [{"label": "Rye", "votes": 12}, {"label": "Oat", "votes": 3}]
    preview = {"title": {"string_value": "Rye at home"}, "description": {"string_value": "In a day"}}
    details = collected(x.add_tweet(card={"name": "summary", "binding_values": preview})).details
    assert details["card"] == {"title": "Rye at home", "about": "In a day"}


def test_ids_that_are_dropped_are_lost_and_the_rest_is_found(x):
    known = x.add_tweet()
    outcomes = TwitterApi().collect([address("11"), address(known), address("12")])
    assert [(type(each), each.address.post_id) for each in outcomes] == [(Lost, "11"), (Found, known), (Lost, "12")]
    assert {each.state for each in outcomes if isinstance(each, Lost)} == {"not_found"}
    assert x.count("tweets") == 1


@pytest.mark.parametrize(("reason", "state"), [("Suspended", "not_found"), ("Protected", "private")])
def test_nobody_sees_the_tweets_of_an_author_who_is_not_there(reason, state, x):
    tweet_id = x.add_tweet()
    x.suspend("harbourbakes")
    x.users["harbourbakes"]["unavailableReason"] = reason
    [lost] = TwitterApi().collect([address(tweet_id)])
    assert isinstance(lost, Lost)
    assert (lost.state, lost.note) == (state, f"{reason}: User is suspended")
    recent = TwitterApi().recent_posts(SOMEBODY, limit=5)
    assert isinstance(recent, Lost)
    assert recent.state == state


@pytest.mark.parametrize("under_data", [True, False])
def test_recent_posts_come_page_by_page_from_either_shape(under_data, x):
    x.page_size, x.latest_under_data, x.ends_with_empty_page = 4, under_data, True
    ids = [x.add_tweet() for _ in range(10)]
    assert ids_of(TwitterApi().recent_posts(SOMEBODY, limit=6)) == ids[:3:-1]
    assert x.count("last_tweets") == 2
    assert ids_of(TwitterApi().recent_posts(SOMEBODY, limit=50)) == ids[::-1]
    assert x.count("last_tweets") == 2 + 4


def test_recent_posts_leave_out_retweets_replies_and_other_peoples_posts(x):
    own = x.add_tweet()
    x.add_retweet(x.add_tweet("other"), "harbourbakes")
    x.add_tweet(text="RT @other: cut short…")
    x.add_reply(own, "harbourbakes", "Thank you")
    renamed = x.users["other"] | {"id": x.users["harbourbakes"]["id"]}
    x.tweets["77"] = x.tweets[own] | {"id": "77", "author": renamed}
    assert ids_of(TwitterApi().recent_posts(SOMEBODY, limit=5)) == [own]
    by_number = AuthorAddress(platform="x", handle="other", author_id=renamed["id"])
    assert ids_of(TwitterApi().recent_posts(by_number, limit=5)) == [own, "77"]


def test_the_pinned_post_does_not_come_first(x):
    old, new = x.add_tweet(), x.add_tweet()
    x.users["harbourbakes"]["pinnedTweetIds"] = [old]
    posts = TwitterApi().recent_posts(SOMEBODY, limit=5)
    assert ids_of(posts) == [new, old]
    assert isinstance(posts, list)
    assert [post.details.get("pinned") for post in posts] == [None, True]
    assert all(post.listed and post.address == address(post.address.post_id) for post in posts)


def test_a_cursor_that_repeats_itself_ends_the_list(x):
    x.repeats_cursor = True
    ids = [x.add_tweet() for _ in range(3)]
    assert ids_of(TwitterApi().recent_posts(SOMEBODY, limit=50)) == ids[::-1]
    assert x.count("last_tweets") == 2


def test_an_author_without_posts_is_not_an_author_who_is_not_there(x):
    x.add_user()
    assert TwitterApi().recent_posts(SOMEBODY, limit=5) == []
    nobody = AuthorAddress(platform="x", handle="nobody")
    assert TwitterApi().recent_posts(nobody, limit=5) == Lost(state="not_found", address=nobody, note="user not found")


@pytest.mark.parametrize("name", ["replies", "tweets"])
def test_comments_are_the_replies_under_either_name(name, x):
    x.replies_under = name
    root = x.add_tweet()
    first = x.add_reply(root, "reader", "@harbourbakes Good bread", likeCount=9, replyCount=1)
    second = x.add_reply(first, "harbourbakes", "Thanks", conversationId=root)
    x.replies[root].append(x.add_tweet("stranger"))
    comments = sampled(root).comments
    assert [(each.comment_id, each.author, each.reply_to) for each in comments] == [
        (first, "reader", ""),
        (second, "harbourbakes", first),
    ]
    assert (comments[0].likes, comments[0].replies) == (9, 1)
    assert [each.by_post_author for each in comments] == [False, True]


def test_comments_stop_at_the_limit_and_know_the_total_where_the_post_is_among_them(x):
    x.page_size = 3
    root = x.add_tweet()
    for number in range(8):
        x.add_reply(root, f"reader{number}", "Nice")
    assert (len(sampled(root, limit=4).comments), x.count("replies.v2")) == (4, 2)
    assert sampled(root).total is None
    x.replies[root].insert(0, root)
    sample = sampled(root, limit=50)
    assert (len(sample.comments), sample.total) == (8, 64)


@pytest.mark.parametrize(
    "refusal", [{"status": 404, "body": {"detail": "Not Found"}}, {"status": 400, "body": {"detail": "queryType"}}]
)
def test_the_older_list_of_replies_serves_where_the_newer_is_refused(refusal, x):
    root = x.add_tweet()
    reply = x.add_reply(root, "reader", "Nice")
    x.fail("replies.v2", **refusal)
    assert [each.comment_id for each in sampled(root).comments] == [reply]
    assert x.count("replies") == 1


def test_the_comments_of_a_tweet_that_is_gone_are_lost(x):
    lost = TwitterApi().comments(address("5"), limit=5)
    assert lost == Lost(state="not_found", address=address("5"), note="tweet not found")
    assert x.count("replies") == 0


def test_a_hundred_addresses_are_one_request(x):
    ids = [x.add_tweet() for _ in range(100)]
    outcomes: list[Any] = TwitterApi().collect([address(each) for each in ids])
    assert [each.post.address.post_id for each in outcomes] == ids
    assert x.count("tweets") == 1
