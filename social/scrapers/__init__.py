"""Where posts are collected: one vendor, one file; who is asked is in the settings."""

from collections.abc import Collection, Iterator

from django.conf import settings

from social.scrapers.brightdata import BrightData
from social.scrapers.contract import Kind, Scraper
from social.scrapers.samples import Samples
from social.scrapers.twitterapi import TwitterApi
from social.scrapers.youtube_api import YouTubeApi
from social.scrapers.ytdlp import YtDlp

SCRAPERS: dict[str, type[Scraper]] = {
    "samples": Samples,
    "brightdata": BrightData,
    "twitterapi": TwitterApi,
    "youtube_api": YouTubeApi,
    "ytdlp": YtDlp,
}


def next_scraper(platform: str, kind: Kind, *, tried: Collection[str]) -> Scraper | None:
    """Who is asked next for this; None where nobody is left."""
    return next((each for each in _offering(platform, kind) if each.name not in tried), None)


def _offering(platform: str, kind: Kind) -> Iterator[Scraper]:
    scrapers = (SCRAPERS[name]() for name in settings.SCRAPERS[platform] if name in SCRAPERS)
    return (each for each in scrapers if each.offers(platform, kind))
