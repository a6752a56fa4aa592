"""What a request would use, before anything is spent: units, what is stored already, about how long and how dear."""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.utils import timezone

from accounts.models import UsageKind, User
from accounts.usage import check_usage_limit, get_user_plan
from analysis.addresses import read_addresses
from analysis.models import PostAnalysis, Status
from social.collecting import stored_posts

# What is expected is what the latest analyses of a platform took; before there are any, these seconds.
LATEST = 50
USUAL_SECONDS = {"stored": 15.0, "new": 60.0}


def quote(user: User, urls: Sequence[str]) -> dict[str, Any]:
    addresses = read_addresses(urls, most=get_user_plan(user).max_urls)
    moment = timezone.now() - timedelta(hours=settings.POST_FRESHNESS_HOURS)
    stored = stored_posts(addresses, newer_than=moment)
    posts = [
        {
            "url": address.url,
            "platform": address.platform,
            "stored": address in stored,
            "collected_at": stored[address].collected_at if address in stored else None,
        }
        for address in addresses
    ]
    units = [_units(user, platform, count) for platform, count in sorted(_count(posts).items())]
    latest = {platform: _latest(platform) for platform in _count(posts)}
    expected = [_expected(latest[address.platform], stored=address in stored) for address in addresses]
    costs = [cost for _, cost in expected]
    return {
        "posts": posts,
        "units": units,
        "fits": all(each["fits"] for each in units),
        # Posts go side by side: the slowest decides.
        "expected_seconds": round(max(seconds for seconds, _ in expected), 1),
        "expected_cost": None if None in costs else round(sum(cost or 0.0 for cost in costs)),
    }


def _count(posts: Sequence[dict[str, Any]]) -> Counter[str]:
    return Counter(post["platform"] for post in posts)


def _units(user: User, platform: str, count: int) -> dict[str, Any]:
    state = check_usage_limit(user, UsageKind.URL_LOOKUPS, platform=platform, amount=count)
    return {
        "platform": platform, "units": count, "limit": state.limit, "used": state.used, "remaining": state.remaining,
        "fits": state.fits, "resets_at": state.resets_at,
    }  # fmt: skip


def _latest(platform: str) -> list[tuple[datetime, datetime | None, int | None]]:
    ended = PostAnalysis.objects.filter(status=Status.COMPLETED, platform=platform).order_by("-created_at", "-id")
    return list(ended.values_list("created_at", "finished_at", "cost_micros")[:LATEST])


def _expected(
    latest: Sequence[tuple[datetime, datetime | None, int | None]], *, stored: bool
) -> tuple[float, float | None]:
    """Seconds, and micro-dollars where any of the latest had a price."""
    # Two clocks may be a little apart.
    took = [max(0.0, (finished - created).total_seconds()) for created, finished, _ in latest if finished]
    costs = [cost for _, _, cost in latest if cost is not None]
    usual = USUAL_SECONDS["stored" if stored else "new"]
    seconds = sorted(took)[len(took) // 2] if took else usual
    return min(seconds, usual) if stored else seconds, sum(costs) / len(costs) if costs else None
