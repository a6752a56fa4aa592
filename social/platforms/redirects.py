"""Addresses that only lead to a post: Instagram's share links and t.co. They are asked where to."""

import re

import httpx

from core import http
from core.errors import VendorProblem
from core.vendors import Vendor
from social.errors import AddressInvalid
from social.platforms import ParsedPost, parse_post_url

MOST_HOPS = 3
# Nobody else is visited: a share link may lead to another one, and then to the post.
LEADS = {
    "instagram": re.compile(
        r"https://(?:www\.)?instagram\.com/share/(?:(?:p|reel|r)/)?[A-Za-z0-9_-]{5,40}/?(?:\?[!-~]*)?", re.ASCII
    ),
    "x": re.compile(r"https://t\.co/[A-Za-z0-9]{5,20}", re.ASCII),
}


def resolve(text: str) -> ParsedPost:
    """The post that a link leads to, or AddressInvalid; a vendor's own errors where it cannot be asked."""
    for _ in range(1 + MOST_HOPS):
        try:
            return parse_post_url(text)
        except AddressInvalid:
            platform = platform_of(text)
            if platform is None:
                raise
        text = _next(text, platform)
    raise AddressInvalid("This link leads on and on: open it and paste the address it ends at.", code="share_link")


def platform_of(text: str) -> str | None:
    """Whose link this is, if it is one that can be followed."""
    return next((platform for platform, shape in LEADS.items() if shape.fullmatch(text)), None)


def _next(text: str, platform: str) -> str:
    answer = Vendor(platform).request(
        operation="resolve", url=text, method="HEAD", timeout=10.0, read_timeout=5.0, max_bytes=100_000
    )
    location = answer.headers.get("location", "")
    if answer.status not in http.REDIRECTS or not location:
        raise AddressInvalid("This link leads to no post: open it and paste the address it ends at.", code="share_link")
    try:
        return str(httpx.URL(text).join(location))
    except httpx.InvalidURL:
        raise VendorProblem from None
