"""A channel's recent uploads through yt-dlp: two tabs, one deadline, and what came is not lost."""

import time

import pytest

from core.errors import VendorTimeout
from social.facts import AuthorAddress, Lost
from social.scrapers.ytdlp import YtDlp
from social.tests.jailed_tabs import IDS


def recent(handle, *, seconds=20.0):
    author = AuthorAddress(platform="youtube", handle=handle)
    return YtDlp(child="social.tests.jailed_tabs", seconds=seconds).recent_posts(author, limit=5)


def test_a_channel_without_shorts_has_its_videos():
    assert [post.address.post_id for post in recent("jawed")] == IDS


def test_a_channel_that_is_not_there_is_lost():
    lost = recent("nobody")
    assert isinstance(lost, Lost)
    assert lost.state == "not_found"


def test_a_tab_that_hangs_leaves_what_the_other_told_and_one_deadline_is_for_both():
    begun = time.monotonic()
    assert [post.address.post_id for post in recent("slow", seconds=4.0)] == IDS
    assert time.monotonic() - begun < 6


def test_a_first_tab_that_hangs_is_an_error():
    with pytest.raises(VendorTimeout):
        recent("nobody@slow", seconds=2.0)
