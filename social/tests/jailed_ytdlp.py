"""yt-dlp in the jail as the tests run it: with one more extractor, which reads pages of a server on loopback."""

import json
from typing import Any

from yt_dlp.extractor.common import InfoExtractor

from core import jail
from social.jailed import ytdlp


class SandboxIE(InfoExtractor):
    """Stands in for YouTube's: same name, so that what is allowed stays as it is."""

    IE_NAME = "youtube"
    _VALID_URL = r"https?://127\.0\.0\.1:\d+/.+"

    def _real_extract(self, url: str) -> dict[str, Any]:
        told: dict[str, Any] = json.loads(self._download_webpage(url, "video"))
        if "cannot_be_played" in told:
            self.raise_no_formats(told["cannot_be_played"], expected=True)
        return told


def extract(job: dict[str, Any]) -> dict[str, Any]:
    return ytdlp.extract(job, extractors=[SandboxIE()])


if __name__ == "__main__":
    jail.serve(extract)
