"""TwitterAPI.io on loopback: tweets by id, an author's latest, and replies, in every spelling it has been seen with."""

import copy
import itertools
import json
from pathlib import Path
from typing import Any, Literal

from sandbox.control import Asked, Reply, Route, Sandbox

SHAPES = json.loads(Path(__file__).with_name("twitterapi_shapes.json").read_text())
FIRST_ID = 1_800_000_000_000_000_001
INVENTED_TWEETS = 24


class TwitterApiSandbox(Sandbox):
    """TwitterAPI.io with some tweets. The public attributes are knobs."""

    def __init__(self, *, port: int = 0, key: str = "sandbox", invents: bool = True) -> None:
        super().__init__(port=port)
        self.api_key = key
        self.tweets: dict[str, dict[str, Any]] = {}
        self.users: dict[str, dict[str, Any]] = {}
        self.replies: dict[str, list[str]] = {}
        self.invents = invents  # whatever is not known is made up, so that every address leads to something
        self.has_credit = True
        self.replies_under: Literal["replies", "tweets"] = "replies"
        self.latest_under_data = True
        self.page_size = 20
        self.repeats_cursor = False
        self.ends_with_empty_page = False
        self._ids = itertools.count(FIRST_ID)

    def settings(self) -> dict[str, Any]:
        """The settings that lead here."""
        return {
            "TWITTERAPI_URL": self.url,
            "TWITTERAPI_KEY": self.api_key,
            "OUTBOUND_ALLOWED_HOSTS": [self.address],
        }

    # What people on X do

    def add_user(self, name: str = "harbourbakes", **fields: Any) -> dict[str, Any]:
        number = str(900_100_200_300 + len(self.users))
        user: dict[str, Any] = copy.deepcopy(SHAPES["user"])
        user |= {
            "userName": name,
            "url": f"https://x.com/{name}",
            "id": number,
            **fields,
        }
        self.users[name.lower()] = user
        return user

    def add_tweet(self, author: str = "harbourbakes", *, tweet_id: str = "", **fields: Any) -> str:
        tweet_id = tweet_id or str(next(self._ids))
        user = self.users.get(author.lower()) or self.add_user(author)
        url = f"https://x.com/{author}/status/{tweet_id}"
        plain = copy.deepcopy(SHAPES["tweet"]) | {"id": tweet_id, "url": url, "conversationId": tweet_id}
        self.tweets[tweet_id] = plain | {"author": user} | fields
        return tweet_id

    def add_reply(self, to: str, author: str, text: str, **fields: Any) -> str:
        target = self.tweets[to]
        about = {"id": target["author"]["id"], "userName": target["author"]["userName"]}
        root = target["conversationId"]
        known = {"isReply": True, "inReplyToId": to, "inReplyToUserId": about["id"], "conversationId": root}
        known |= {"inReplyToUsername": about["userName"], "text": text, "entities": {}}
        tweet_id = self.add_tweet(author, **known | fields)
        self.replies.setdefault(root, []).append(tweet_id)
        return tweet_id

    def add_retweet(self, of: str, author: str) -> str:
        original = self.tweets[of]
        text = f"RT @{original['author']['userName']}: {original['text']}"[:139] + "…"
        counts: dict[str, Any] = {"likeCount": 0, "replyCount": 0, "quoteCount": 0, "viewCount": 0, "bookmarkCount": 0}
        return self.add_tweet(author, text=text, retweeted_tweet=original, entities={}, **counts)

    def suspend(self, author: str) -> None:
        user = self.users[author.lower()]
        user.update(unavailable=True, message="User is suspended", unavailableReason="Suspended")

    # What it answers

    def refusal(self, asked: Asked) -> Reply | None:
        key = asked.headers.get("x-api-key")
        if not key:
            message = "API key required. Please include x-api-key in the header"
            return Reply(status=403, body={"error": "Forbidden", "message": message})
        if key != self.api_key:
            return Reply(status=401, body={"error": "Unauthorized", "message": "API key is invalid"})
        if not self.has_credit:
            return Reply(status=402, body={"error": "Unauthorized", "message": "Credits is not enough.Please recharge"})
        return None

    def by_ids(self, asked: Asked) -> Reply:
        ids = _given(asked, "tweet_ids").split(",")
        if not any(ids) or len(ids) > 100:
            return Reply(status=400, body={"detail": "tweet_ids is required, at most 100"})
        for tweet_id in ids if self.invents else []:
            self._invent_tweet(tweet_id)
        found = [self.tweets[tweet_id] for tweet_id in ids if tweet_id in self.tweets]
        # Those that are gone are simply not there, and the rest is in no order.
        return Reply(body={"tweets": found[::-1], "status": "success", "msg": "success"})

    def latest(self, asked: Asked) -> Reply:
        name, number = _given(asked, "userName").lower(), _given(asked, "userId")
        if not (name or number):
            return Reply(status=400, body={"detail": "userName is required"})
        if name and name not in self.users and self.invents:
            self._invent_author(name)
        user = next((each for key, each in self.users.items() if key == name or each["id"] == number), None)
        if user is None:
            return Reply(body={"status": "error", "msg": "user not found", "data": None})
        theirs = [tweet for tweet in self.tweets.values() if tweet["author"]["id"] == user["id"]]
        if _given(asked, "includeReplies") == "false":
            theirs = [tweet for tweet in theirs if not tweet["isReply"]]
        tweets, paging = self._page(asked, sorted(theirs, key=lambda tweet: -int(tweet["id"])))
        body = {"data": {"pin_tweet": None, "tweets": tweets}} if self.latest_under_data else {"tweets": tweets}
        return Reply(body={"status": "success", "code": 0, "msg": "success", **body, **paging})

    def replies_of(self, asked: Asked) -> Reply:
        tweet_id = _given(asked, "tweetId")
        if tweet_id not in self.tweets and self.invents:
            self._invent_tweet(tweet_id)
        if tweet_id not in self.tweets:
            return Reply(body={"status": "error", "message": "tweet not found"})
        tweets, paging = self._page(asked, [self.tweets[each] for each in self.replies.get(tweet_id, [])])
        return Reply(body={self.replies_under: tweets, "status": "success", "message": "success", **paging})

    def _page(self, asked: Asked, tweets: list[dict[str, Any]]) -> tuple[list[dict[str, Any]], dict[str, Any]]:
        start = int(_given(asked, "cursor").removeprefix("c") or 0)
        end = start + self.page_size
        # The promise of another page that turns out empty, as it is made in the wild.
        more = end < len(tweets) or (self.ends_with_empty_page and start < len(tweets))
        cursor = "c0" if self.repeats_cursor else f"c{end}" if more else ""
        return tweets[start:end], {"has_next_page": more or self.repeats_cursor, "next_cursor": cursor}

    def _invent_tweet(self, tweet_id: str) -> None:
        if tweet_id in self.tweets:
            return
        self.add_tweet(tweet_id=tweet_id, extendedEntities={"media": [media("photo")]})
        for number in range(3):
            self.add_reply(tweet_id, f"reader{number}", f"Invented reply {number + 1}")

    def _invent_author(self, name: str) -> None:
        for number in range(INVENTED_TWEETS):
            self.add_tweet(name, text=f"Invented post {number + 1}", entities={}, likeCount=100 + 37 * number % 900)

    routes = [
        Route("tweets", "GET", r"/twitter/tweets", by_ids),
        Route("last_tweets", "GET", r"/twitter/user/last_tweets", latest),
        Route("replies.v2", "GET", r"/twitter/tweet/replies/v2", replies_of),
        Route("replies", "GET", r"/twitter/tweet/replies", replies_of),
    ]


def media(kind: Literal["photo", "video"], **fields: Any) -> dict[str, Any]:
    """One of a tweet's `extendedEntities`."""
    return {**copy.deepcopy(SHAPES[kind]), **fields}


def _given(asked: Asked, name: str) -> str:
    return asked.query.get(name, [""])[0]
