"""A channel's tabs as yt-dlp tells them from its jail: who the channel is decides what happens."""

import time
from typing import Any

from core import jail

IDS = ["jNQXAC9IVRw", "YE7VzlLtp-4"]


def extract(job: dict[str, Any]) -> dict[str, Any]:
    if job["url"].endswith("/videos") and "@nobody" not in job["url"]:
        return {"entries": [{"id": each, "title": each, "view_count": 7} for each in IDS]}
    if "@slow" in job["url"]:
        time.sleep(60)
    tab = job["url"].rpartition("/")[2]
    raise jail.Refusal("refused", said=f"ERROR: [youtube:tab] x: This channel does not have a {tab} tab")


if __name__ == "__main__":
    jail.serve(extract)
