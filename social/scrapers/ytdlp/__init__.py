"""yt-dlp: YouTube without a key, and what is public of videos on X and Instagram. Each run is a process of its own."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any, ClassVar
from urllib.parse import urlsplit

from django.conf import settings

from core import calls, jail
from core.addresses import resolve_name
from core.calls import VendorCall
from core.errors import Problem, VendorProblem, VendorUnavailable
from core.vendors import Vendor
from social.facts import AuthorAddress, CommentSample, Found, Lost, Outcome, PostAddress, ScrapedPost
from social.scrapers.contract import Kind
from social.scrapers.ytdlp import translate
from social.scrapers.ytdlp.problems import lost

CHILD = "social.jailed.ytdlp"
SECONDS = 90.0
# Of address space. A JavaScript runtime takes much of it, and uses little.
MEMORY_MB = 4000
TABS = ("videos", "shorts")
LONGEST_SAID = 300


class YtDlp:
    """One address a run. What it cannot do without signing in is left to the next scraper."""

    name: ClassVar[str] = "ytdlp"
    batch: ClassVar[int] = 1
    gathers: ClassVar[float] = 0
    patience: ClassVar[float] = 180

    def __init__(self, *, child: str = CHILD, seconds: float = SECONDS) -> None:
        self._child, self._seconds = child, seconds

    def offers(self, platform: str, kind: Kind) -> bool:
        return platform == "youtube" or kind == "post"

    def collect(self, addresses: Sequence[PostAddress], *, job: str = "") -> list[Outcome]:
        return [self._collect(address) for address in addresses]

    def recent_posts(self, author: AuthorAddress, *, limit: int, job: str = "") -> list[ScrapedPost] | Lost:
        channel = f"channel/{author.author_id}" if author.author_id else f"@{author.handle}"
        posts: list[ScrapedPost] = []
        until = time.monotonic() + self._seconds
        missing: Lost | None = None
        for tab in TABS:
            url = f"https://www.youtube.com/{channel}/{tab}"
            try:
                found = self._run("recent", url, author, extractors="recent", limit=limit, until=until)
            except VendorProblem:
                if not posts:
                    raise
                break  # What came before is of use without the rest.
            if isinstance(found, Lost):
                # A channel without Shorts has no such tab.
                missing = missing or found
            else:
                posts += translate.listed(found, author.platform)
        return posts[: 2 * limit] if posts or missing is None else missing

    def comments(self, post: PostAddress, *, limit: int, job: str = "") -> CommentSample | Lost:
        found = self._run("comments", post.url, post, extractors=post.platform, comments=limit)
        return found if isinstance(found, Lost) else translate.comments(found, limit=limit)

    def _collect(self, address: PostAddress) -> Outcome:
        found = self._run("post", address.url, address, extractors=address.platform)
        return found if isinstance(found, Lost) else Found(address=address, post=translate.post(found, address))

    def _run(
        self, operation: str, url: str, address: PostAddress | AuthorAddress, *, until: float = 0.0, **job: Any
    ) -> dict[str, Any] | Lost:
        left = max(until - time.monotonic(), 1.0) if until else self._seconds
        with Vendor(self.name).spared():
            try:
                with _announced(operation):
                    found = self._jailed({"url": url, "proxy": settings.YTDLP_PROXY, **job}, seconds=left)
            except jail.Refusal as refusal:
                return lost(str(refusal.details.get("said", "")), address)
            except jail.JailBroken as broken:
                raise VendorUnavailable(details=broken.details) from None
            told: dict[str, Any] = found if isinstance(found, dict) else {}
            said = translate.refusal(told) if operation != "recent" else ""
            return lost(said, address) if said else told

    def _jailed(self, job: dict[str, Any], *, seconds: float) -> Any:
        return jail.run(
            self._child,
            job,
            seconds=seconds,
            memory_mb=MEMORY_MB,
            reach="public",
            allowed=[*settings.OUTBOUND_ALLOWED_HOSTS, *_addresses(settings.YTDLP_PROXY)],
        )


def _addresses(proxy: str) -> list[str]:
    """Where the proxy is: it may stand in a private network, as nothing else may."""
    parts = urlsplit(proxy)
    with suppress(OSError, ValueError):
        port = parts.port or 80
        return [f"{address}:{port}" for address in resolve_name(parts.hostname, port)] if parts.hostname else []
    return []


@contextmanager
def _announced(operation: str) -> Iterator[None]:
    """Tell whoever keeps vendor calls of a run that does not go through the one way out."""
    started, outcome, error = time.monotonic(), "internal", ""
    try:
        yield
        outcome = "ok"
    except jail.Refusal as refusal:
        outcome, error = "refused", str(refusal.details.get("said", ""))[:LONGEST_SAID]
        raise
    except Problem as problem:
        outcome = problem.code
        raise
    finally:
        milliseconds = round((time.monotonic() - started) * 1000)
        call = VendorCall(vendor="ytdlp", operation=operation, outcome=outcome, duration_ms=milliseconds, error=error)
        calls.announce(call)
