"""What is kept of a run of yt-dlp that came to nothing: the words of yt-dlp itself, for whoever looks for the cause."""

from core.calls import heard
from social.facts import PostAddress
from social.scrapers.ytdlp import LONGEST_SAID, YtDlp


def test_what_it_says_of_a_failure_is_kept_with_the_call():
    elsewhere = PostAddress(platform="youtube", post_id="jNQXAC9IVRw", url="https://example.com/a.mp4")
    with heard() as calls:
        YtDlp().collect([elsewhere])
    [call] = calls
    assert (call.vendor, call.outcome) == ("ytdlp", "refused")
    assert "suitable extractor" in call.error
    assert len(call.error) <= LONGEST_SAID
