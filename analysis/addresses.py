"""From what a person pasted to posts: each once, or every wrong one named with its reason."""

import hashlib
from collections.abc import Sequence

from core.errors import Invalid
from social import platforms
from social.errors import AddressInvalid
from social.facts import PostAddress
from social.models import Platform
from social.platforms import PLATFORMS, parse_post_url, redirects

UNLIMITED = -1
# Before the name of what is no post's id: none begins so.
LINK = "link:"
LONGEST_LINK = 300


def read_addresses(urls: Sequence[str], *, most: int) -> list[PostAddress]:
    """The posts, in their order and without repeats; a link that leads to one is under a name of ours until then."""
    active = {*Platform.objects.filter(active=True).values_list("slug", flat=True)}
    found: dict[PostAddress, None] = {}
    wrong: list[dict[str, str]] = []
    for url in urls:
        try:
            found[_read(url, active)] = None
        except AddressInvalid as problem:
            wrong.append({"url": url[:2000], "error": problem.message, "code": problem.code})
    if wrong:
        raise Invalid("Some of these are not addresses of posts that can be analysed.", details={"post_urls": wrong})
    if most != UNLIMITED and len(found) > most:
        sentence = f"Your plan allows {most} posts in one request; these are {len(found)}."
        raise Invalid(sentence, details={"post_urls": [sentence]})
    return [*found]


def is_link(address: PostAddress) -> bool:
    """Whether only a visit tells which post this is."""
    return address.post_id.startswith(LINK)


def _read(url: str, active: set[str]) -> PostAddress:
    address = _post_or_link(url)
    if address.platform not in active:
        name = PLATFORMS[address.platform].NAME
        raise AddressInvalid(f"{name} is closed just now: try again later.", code="platform_inactive")
    return address


def _post_or_link(url: str) -> PostAddress:
    try:
        post = parse_post_url(url)
    except AddressInvalid:
        platform, link = redirects.platform_of(url.strip()), url.strip()
        if platform is None or len(link) > LONGEST_LINK:
            raise
        return PostAddress(platform=platform, post_id=LINK + hashlib.sha256(link.encode()).hexdigest()[:40], url=link)
    return platforms.address(post.platform, post.post_id)
