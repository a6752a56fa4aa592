"""What yt-dlp says when it could not: it has no codes, so its words are read."""

import re

from core.errors import Problem, VendorBusy, VendorRefused, VendorUnavailable
from social.facts import AuthorAddress, Lost, PostAddress

# An address in a data centre is asked to sign in, for about an hour.
BOT_CHECK = re.compile(r"not a bot|confirm you.re not|unusual traffic|HTTP Error 429|try again later", re.IGNORECASE)
BOT_CHECK_SECONDS = 3600.0
GONE = re.compile(
    r"video unavailable|has been removed|no longer available|does not exist"
    r"|account (?:has been |is )?(?:terminated|suspended)|HTTP Error 404|not found"
    r"|this channel (?:does not|doesn.t) exist|does not have an? \w+ tab"
    r"|(?:tweet|post) is unavailable|deleted by the|suspended account",
    re.IGNORECASE,
)
PRIVATE = re.compile(
    r"private|members.only|join this channel|protected|only available to|confirm your age|age.restricted|inappropriate",
    re.IGNORECASE,
)
NOT_YET = re.compile(r"premieres in|will begin in|live event will|is upcoming", re.IGNORECASE)
# What it can do nothing about here, and another scraper perhaps can.
NOT_OFFERED = re.compile(
    r"log ?in|sign in|cookies|empty media response|no video in this post|no video could be found in this tweet"
    r"|unsupported url|no suitable extractor|requested content is not available|rate.limit reached",
    re.IGNORECASE,
)
ELSEWHERE = re.compile(
    r"not (?:made this video )?available in your (?:country|location)|blocked it (?:in|from) your country"
    r"|geo.?restrict",
    re.IGNORECASE,
)
NETWORK = re.compile(
    r"timed? ?out|connection|getaddrinfo|name resolution|temporary failure|HTTP Error 5\d\d"
    r"|unable to download|SSL|proxy",
    re.IGNORECASE,
)


def lost(said: str, address: PostAddress | AuthorAddress) -> Lost:
    """How it ended for this address; an error of ours where it says nothing of the address."""
    if BOT_CHECK.search(said):
        raise VendorBusy(retry_after=BOT_CHECK_SECONDS)
    note = said[:300]
    if NOT_OFFERED.search(said) and not PRIVATE.search(said):
        return Lost(state="failed", address=address, code="not_offered", note=note)
    if PRIVATE.search(said):
        return Lost(state="private", address=address, note=note)
    # Before what is gone: YouTube begins both with "Video unavailable".
    if ELSEWHERE.search(said):
        return Lost(state="failed", address=address, code="not_available_here", note=note)
    if NOT_YET.search(said):
        return Lost(state="failed", address=address, code="not_yet", note=note)
    if GONE.search(said):
        return Lost(state="not_found", address=address, note=note)
    raise _trouble(said)


def _trouble(said: str) -> Problem:
    if NETWORK.search(said):
        return VendorUnavailable()
    return VendorRefused(details={"said": said[:200]})
