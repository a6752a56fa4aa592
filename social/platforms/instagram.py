"""Instagram: what its addresses look like."""

import re

from social.errors import AddressInvalid
from social.platforms.address import Address, segments

NAME = "Instagram"
HOSTS = frozenset({"instagram.com", "www.instagram.com", "m.instagram.com", "instagr.am", "www.instagr.am"})
SHAPES = (
    "https://www.instagram.com/p/CODE/",
    "https://www.instagram.com/reel/CODE/",
    "https://www.instagram.com/tv/CODE/",
    "https://www.instagram.com/USER/p/CODE/",
)
KINDS = frozenset({"p", "reel", "reels", "tv"})
ENDINGS: tuple[list[str], ...] = ([], ["embed"], ["embed", "captioned"])
# base64url of a number of 64 bits: 11 characters begin with A to P, older posts have fewer. A private post's code has
# 28 characters more.
CODE = re.compile(r"(?:[A-P][A-Za-z0-9_-]{10}(?:[A-Za-z0-9_-]{28})?|[A-Za-z0-9_-]{2,10})", re.ASCII)
USER = re.compile(r"(?!\.+\Z)[A-Za-z0-9._]{1,30}", re.ASCII)  # dots alone lead up and down a path
NOT_POSTS = {
    "stories": ("story", "This is a story, which is gone after a day: paste the address of a post or reel."),
    "s": ("story", "This is a highlight of stories: paste the address of a post or reel."),
    "explore": ("listing", "This is a page of many posts: open one and paste its address."),
    "accounts": ("sign_in", "This is a page to sign in: open the post itself and paste its address."),
    "share": (
        "share_link",
        "This is a share link, which only leads to a post: open it and paste the address it ends at.",
    ),
}


def find(address: Address) -> str:
    """The post's code."""
    parts = segments(address.path)
    if parts[0] in NOT_POSTS:
        code, sentence = NOT_POSTS[parts[0]]
        raise AddressInvalid(sentence, code=code, details={"resolvable": True} if code == "share_link" else None)
    if parts[0] not in KINDS and len(parts) > 1 and parts[1] in KINDS and USER.fullmatch(parts[0]):
        del parts[0]
    if parts[0] not in KINDS:
        raise _not_a_post(parts)
    return _code(parts)


def address_of(post_id: str) -> str:
    return f"https://www.instagram.com/p/{post_id}/"


def _code(parts: list[str]) -> str:
    if parts[1:2] == ["audio"]:
        raise AddressInvalid("This is a sound that many reels use: open one reel and paste its address.", code="audio")
    if len(parts) < 2 or not parts[1]:
        raise AddressInvalid("The post's code is missing: open one post and paste its address.", code="listing")
    if parts[2:] not in ENDINGS or not CODE.fullmatch(parts[1]):
        raise AddressInvalid("No post on Instagram has this code: copy the whole address anew.", code="malformed_id")
    return parts[1]


def _not_a_post(parts: list[str]) -> AddressInvalid:
    if USER.fullmatch(parts[0]):
        return AddressInvalid(
            "This is a profile or another page of Instagram: open one post and paste its address.", code="profile"
        )
    return AddressInvalid("This is no post on Instagram: open one post and paste its address.", code="not_a_post")
