"""X, once Twitter: what its addresses look like."""

import re

from social.errors import AddressInvalid
from social.platforms.address import Address, segments

NAME = "X"
HOSTS = frozenset(f"{prefix}{host}" for host in ("x.com", "twitter.com") for prefix in ("", "www.", "m.", "mobile."))
SHAPES = (
    "https://x.com/USER/status/ID",
    "https://x.com/i/status/ID",
    "https://x.com/i/web/status/ID",
    "https://twitter.com/USER/status/ID",
)
ID = re.compile(r"[1-9][0-9]{0,18}", re.ASCII)
LARGEST_ID = 2**63 - 1
USER = re.compile(r"[A-Za-z0-9_]{1,20}", re.ASCII)
STATUS = frozenset({"status", "statuses"})
NUMBER = re.compile(r"[0-9]{1,2}", re.ASCII)
SUBPAGES = (
    ["analytics"], ["history"], ["likes"], ["quotes"], ["retweets"], ["retweets", "with_comments"],
)  # fmt: skip
NOT_POSTS = {
    "hashtag": ("listing", "This is a hashtag: open one post and paste its address."),
    "search": ("listing", "This is a search: open one post and paste its address."),
    "explore": ("listing", "This is a page of many posts: open one and paste its address."),
    "home": ("listing", "This is your own timeline: open one post and paste its address."),
    "intent": (
        "not_a_post",
        "This address does something on X and shows no post: open the post and paste its address.",
    ),
    "i": (
        "not_a_post",
        "This is a space, a list, a community or another page of X: open one post and paste its address.",
    ),
}


def find(address: Address) -> str:
    """The post's id."""
    parts = segments(address.path)
    if parts[:3] in (["i", "web", "status"],) or parts[:2] == ["i", "status"]:
        return _id(parts[parts.index("status") + 1 :])
    if parts[0] in NOT_POSTS:
        code, sentence = NOT_POSTS[parts[0]]
        raise AddressInvalid(sentence, code=code)
    if len(parts) > 1 and parts[1] in STATUS and USER.fullmatch(parts[0]) and parts[0] not in STATUS:
        return _id(parts[2:])
    raise AddressInvalid("This is a profile or another page of X: open one post and paste its address.", code="profile")


def address_of(post_id: str) -> str:
    return f"https://x.com/i/status/{post_id}"


def _id(parts: list[str]) -> str:
    if not parts or not ID.fullmatch(parts[0]) or int(parts[0]) > LARGEST_ID:
        raise AddressInvalid("No post on X has this number: copy the whole address anew.", code="malformed_id")
    if parts[1:] and parts[1:] not in SUBPAGES and not _is_medium(parts[1:]):
        raise AddressInvalid("This is no post on X: open the post and paste its address.", code="not_a_post")
    return parts[0]


def _is_medium(rest: list[str]) -> bool:
    return len(rest) == 2 and rest[0] in {"photo", "video"} and NUMBER.fullmatch(rest[1]) is not None
