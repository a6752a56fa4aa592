"""From what a person pasted to posts: each once, or every wrong one named with its reason."""

from collections.abc import Sequence

from core.errors import Invalid
from social import platforms
from social.errors import AddressInvalid
from social.facts import PostAddress
from social.models import Platform
from social.platforms import PLATFORMS, parse_post_url

UNLIMITED = -1


def read_addresses(urls: Sequence[str], *, most: int) -> list[PostAddress]:
    """The posts, in their order and without repeats."""
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


def _read(url: str, active: set[str]) -> PostAddress:
    post = parse_post_url(url)
    if post.platform not in active:
        name = PLATFORMS[post.platform].NAME
        raise AddressInvalid(f"{name} is closed just now: try again later.", code="platform_inactive")
    return platforms.address(post.platform, post.post_id)
