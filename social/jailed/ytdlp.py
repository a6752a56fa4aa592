"""yt-dlp in the jail: one address that we built from an id, only the extractors it needs, nothing written, nothing run.

Options that could run a program, read a file or send our cookies stay off; what yt-dlp connects to is decided by the
jail. https://github.com/yt-dlp/yt-dlp#embedding-yt-dlp
"""

import os
from collections.abc import Sequence
from typing import Any

# Read by yt-dlp when it is imported: nobody's plugins are loaded.
os.environ["YTDLP_NO_PLUGINS"] = "1"

from yt_dlp import YoutubeDL
from yt_dlp.utils import DownloadError, UnsupportedError

from core import jail

EXTRACTORS = {
    "youtube": [r"youtube$"],
    "recent": [r"youtube$", r"youtube:tab$"],
    "x": [r"twitter$"],
    "instagram": [r"Instagram$"],
}
# What is read further; the rest, mostly formats, is megabytes.
KEPT = (
    "id", "display_id", "title", "description", "uploader", "uploader_id", "channel", "channel_id",
    "channel_follower_count", "channel_is_verified", "duration", "view_count", "like_count", "comment_count",
    "repost_count", "live_status", "media_type", "timestamp", "release_timestamp", "upload_date", "availability",
    "age_limit", "language", "tags", "categories", "chapters", "heatmap", "thumbnails", "thumbnail", "comments",
    "webpage_url", "extractor",
)  # fmt: skip
FORMAT_KEPT = ("url", "ext", "height", "width", "vcodec", "acodec", "protocol", "filesize", "filesize_approx")
MOST_FORMATS = 40
MOST_WORDS = 20


class Listener:
    """Keeps what yt-dlp would print as warnings; its errors come to us as exceptions.

    That a video is private, gone or not shown to machines is a mere warning where its formats may be missing.
    """

    def __init__(self) -> None:
        self.warnings: list[str] = []

    def debug(self, words: str) -> None:
        """Nothing is printed."""

    info = error = debug

    def warning(self, words: str) -> None:
        self.warnings = [*self.warnings, words[:500]][-MOST_WORDS:]


def extract(job: dict[str, Any], *, extractors: Sequence[Any] = ()) -> dict[str, Any]:
    listener = Listener()
    with YoutubeDL(options(job) | {"logger": listener}) as downloader:
        for extractor in extractors:
            downloader.add_info_extractor(extractor)
        try:
            found = downloader.sanitize_info(downloader.extract_info(job["url"], download=False))
        except (DownloadError, UnsupportedError) as problem:
            # Its words only: the exception itself holds open files and does not pass from a process to another.
            raise jail.Refusal("refused", said=str(problem)[:500]) from None
    return trimmed(found or {}) | {"warnings": listener.warnings}


def options(job: dict[str, Any]) -> dict[str, Any]:
    return {
        "quiet": True,
        "no_warnings": True,
        "noprogress": True,
        "cachedir": False,
        "skip_download": True,
        "noplaylist": True,
        "extract_flat": "in_playlist",
        "lazy_playlist": True,
        "playlistend": job.get("limit") or 1,
        "ignore_no_formats_error": True,
        "allowed_extractors": EXTRACTORS[job["extractors"]],
        "default_search": "error",
        "enable_file_urls": False,
        "usenetrc": False,
        "cookiefile": None,
        "cookiesfrombrowser": None,
        "external_downloader": {},
        "socket_timeout": 15,
        "extractor_retries": 1,
        "retries": 1,
        "getcomments": bool(job.get("comments")),
        "proxy": job.get("proxy") or "",
        "extractor_args": {
            "youtube": {
                "max_comments": [str(job.get("comments") or 0), "all", "0", "0"],
                "comment_sort": ["top"],
                "skip": ["translated_subs"],
            }
        },
    }


def trimmed(found: dict[str, Any]) -> dict[str, Any]:
    kept = {name: found[name] for name in KEPT if found.get(name) is not None}
    forms = found.get("formats") or []
    # Of a hundred, those with picture and sound in one are few and stand far from the end, where the best ones are.
    whole = [form for form in forms if "none" not in (form.get("vcodec"), form.get("acodec"))]
    kept["formats"] = [{name: form.get(name) for name in FORMAT_KEPT} for form in (whole or forms)[-MOST_FORMATS:]]
    kept["subtitles"] = _tracks(found.get("subtitles"))
    # Of a hundred languages that a machine translates to, the one that is spoken.
    spoken = {name: forms for name, forms in (found.get("automatic_captions") or {}).items() if name.endswith("-orig")}
    kept["automatic_captions"] = _tracks(spoken or _in(found.get("automatic_captions"), ("en", "pt")))
    kept["entries"] = [trimmed(entry) for entry in found.get("entries") or [] if entry]
    return kept


def _in(tracks: dict[str, Any] | None, languages: tuple[str, ...]) -> dict[str, Any]:
    return {name: forms for name, forms in (tracks or {}).items() if name in languages}


def _tracks(tracks: dict[str, Any] | None) -> dict[str, Any]:
    return {
        name: [
            {"ext": form.get("ext"), "url": form.get("url")} for form in forms if form.get("ext") in ("json3", "vtt")
        ]
        for name, forms in (tracks or {}).items()
        if name != "live_chat"
    }


if __name__ == "__main__":
    jail.serve(extract)
