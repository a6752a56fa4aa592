"""The sandbox's TwitterAPI.io keeps to the protocol it stands for, with each of its ways."""

from collections.abc import Iterator

import httpx
import pytest

from sandbox.twitterapi import TwitterApiSandbox


@pytest.fixture
def twitterapi() -> Iterator[TwitterApiSandbox]:
    with TwitterApiSandbox(invents=False) as sandbox:
        yield sandbox


@pytest.fixture
def client(twitterapi: TwitterApiSandbox) -> Iterator[httpx.Client]:
    headers = {"X-API-Key": twitterapi.api_key}
    with httpx.Client(base_url=twitterapi.url, headers=headers, timeout=5, trust_env=False) as client:
        yield client


def test_it_leaves_out_what_it_does_not_know_without_a_word(twitterapi, client):
    known = twitterapi.add_tweet()
    body = client.get("/twitter/tweets", params={"tweet_ids": f"1,{known},2"}).json()
    assert [tweet["id"] for tweet in body["tweets"]] == [known]
    assert body["status"] == "success"


@pytest.mark.parametrize("under_data", [True, False])
def test_it_lists_the_latest_under_data_or_at_the_root(under_data, twitterapi, client):
    ids = [twitterapi.add_tweet() for _ in range(3)]
    twitterapi.page_size, twitterapi.latest_under_data = 2, under_data
    first = client.get("/twitter/user/last_tweets", params={"userName": "HarbourBakes"}).json()
    assert [tweet["id"] for tweet in (first["data"] if under_data else first)["tweets"]] == ids[:0:-1]
    assert first["has_next_page"] is True
    second = client.get(
        "/twitter/user/last_tweets", params={"userName": "harbourbakes", "cursor": first["next_cursor"]}
    ).json()
    assert (second["has_next_page"], second["next_cursor"]) == (False, "")


@pytest.mark.parametrize("name", ["replies", "tweets"])
def test_it_spells_the_list_of_replies_in_two_ways(name, twitterapi, client):
    root = twitterapi.add_tweet()
    reply = twitterapi.add_reply(root, "reader", "Good bread")
    twitterapi.replies_under = name
    for path in ("/twitter/tweet/replies", "/twitter/tweet/replies/v2"):
        assert [tweet["id"] for tweet in client.get(path, params={"tweetId": root}).json()[name]] == [reply]


def test_it_hides_an_error_in_a_success(client):
    answer = client.get("/twitter/user/last_tweets", params={"userName": "nobody"})
    assert (answer.status_code, answer.json()["status"]) == (200, "error")


def test_it_refuses_in_its_own_words(twitterapi, client):
    path = "/twitter/tweets"
    assert "x-api-key" in httpx.get(f"{twitterapi.url}{path}", trust_env=False).json()["message"]
    assert client.get(path, headers={"X-API-Key": "other"}).status_code == 401
    assert client.get(path).json() == {"detail": "tweet_ids is required, at most 100"}
    twitterapi.has_credit = False
    assert client.get(path).json()["message"] == "Credits is not enough.Please recharge"


def test_it_invents_only_where_it_is_told_to(twitterapi, client):
    def answers() -> int:
        return len(client.get("/twitter/tweets", params={"tweet_ids": "77"}).json()["tweets"])

    assert answers() == 0
    twitterapi.invents = True
    assert answers() == 1
