"""Which platforms there are, and the one way from what a person pasted to a post.

    parse_post_url("https://youtu.be/jNQXAC9IVRw")  ->  ("youtube", "jNQXAC9IVRw", "https://www.youtube.com/watch?v=...")

No call is made for it: what only leads to a post, like a share link, is refused here and resolved by `redirects`.
"""

from types import ModuleType
from typing import NamedTuple

from social.errors import AddressInvalid
from social.facts import PostAddress
from social.platforms import instagram, x, youtube
from social.platforms.address import HOW, Address, read

PLATFORMS: dict[str, ModuleType] = {"instagram": instagram, "x": x, "youtube": youtube}
OF_HOST = {host: slug for slug, platform in PLATFORMS.items() for host in platform.HOSTS}
# What leads elsewhere, and only a visit tells where.
SHORTENERS = frozenset({"t.co", "ig.me", "bit.ly", "tinyurl.com", "goo.gl", "lnkd.in", "buff.ly", "l.instagram.com"})
RESOLVABLE = frozenset({"t.co"})
WORDS = ("instagram", "instagr", "twitter", "youtube", "youtu")


class ParsedPost(NamedTuple):
    """A post, as an address names it."""

    platform: str
    post_id: str
    canonical_url: str


def parse_post_url(text: str) -> ParsedPost:
    address = read(text)
    slug = OF_HOST.get(address.host)
    if slug is None:
        raise _not_ours(address)
    platform = PLATFORMS[slug]
    post_id = platform.find(address)
    return ParsedPost(slug, post_id, platform.address_of(post_id))


def address(platform: str, post_id: str) -> PostAddress:
    return PostAddress(platform=platform, post_id=post_id, url=PLATFORMS[platform].address_of(post_id))


def _not_ours(found: Address) -> AddressInvalid:
    if found.host in SHORTENERS:
        sentence = "This is a short link, which only leads to a post: open it and paste the address it ends at."
        resolvable = {"resolvable": True} if found.host in RESOLVABLE else None
        return AddressInvalid(sentence, code="short_link", details=resolvable)
    if any(word in found.host for word in WORDS):
        return AddressInvalid(f"{found.host[:60]} is not a site where posts are read. {HOW}", code="look_alike")
    return AddressInvalid(f"Posts of this site cannot be read yet. {HOW}", code="other_site")
