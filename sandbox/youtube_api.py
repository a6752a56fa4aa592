"""YouTube's Data API on loopback: videos, channels, their uploads and comment threads, and a daily quota."""

import copy
import json
from pathlib import Path
from typing import Any

from sandbox.control import Asked, Reply, Route, Sandbox

SHAPES = json.loads(Path(__file__).with_name("youtube_api_shapes.json").read_text())
DOMAINS = {"quotaExceeded": "youtube.quota", "rateLimitExceeded": "usageLimits", "keyInvalid": "usageLimits"}
INVENTED = 12


class YouTubeApiSandbox(Sandbox):
    """The Data API with some videos. The public attributes are knobs."""

    def __init__(self, *, port: int = 0, key: str = "sandbox", invents: bool = True) -> None:
        super().__init__(port=port)
        self.api_key = key
        self.videos: dict[str, dict[str, Any]] = {}
        self.channels: dict[str, dict[str, Any]] = {}
        self.threads: dict[str, list[dict[str, Any]]] = {}
        self.without_comments: set[str] = set()
        self.units_left = 10_000
        self.page_size = 50
        self.invents = invents  # whatever is not known is made up, so that every address leads to something

    def settings(self) -> dict[str, Any]:
        """The settings that lead here."""
        return {
            "YOUTUBE_API_URL": f"{self.url}/youtube/v3",
            "YOUTUBE_API_KEY": self.api_key,
            "OUTBOUND_ALLOWED_HOSTS": [self.address],
        }

    # What people on YouTube do

    def add_channel(self, handle: str = "slowharbour", *, channel_id: str = "", **statistics: Any) -> str:
        channel = copy.deepcopy(SHAPES["channel"])
        channel["id"] = channel_id or f"UC{len(self.channels):04}456789abcdefghijkl"
        channel["snippet"]["customUrl"] = f"@{handle}"
        channel["statistics"] |= statistics
        self.channels[channel["id"]] = channel
        return str(channel["id"])

    def add_video(self, video_id: str, *, channel_id: str = "", **parts: dict[str, Any]) -> str:
        """A video; `parts` change fields of its parts, to None where they are to be absent."""
        video = copy.deepcopy(SHAPES["video"]) | {"id": video_id}
        video["snippet"]["channelId"] = channel_id or next(iter(self.channels), "") or self.add_channel()
        for part, fields in parts.items():
            video[part] = {name: value for name, value in (video[part] | fields).items() if value is not None}
        self.videos[video_id] = video
        return video_id

    def add_thread(self, video_id: str, text: str, *, replies: int = 0, **fields: Any) -> None:
        threads, channel_id = self.threads.setdefault(video_id, []), self.videos[video_id]["snippet"]["channelId"]
        thread = copy.deepcopy(SHAPES["thread"]) | {"id": f"Ugx{video_id}{len(threads)}"}
        thread["snippet"] |= {"videoId": video_id, "channelId": channel_id, "totalReplyCount": replies}
        comment = thread["snippet"]["topLevelComment"]
        comment["id"] = thread["id"]
        comment["snippet"] |= {"videoId": video_id, "textDisplay": text, "textOriginal": text, **fields}
        threads.append(thread)

    # What it answers

    def refusal(self, asked: Asked) -> Reply | None:
        key = _given(asked, "key")
        if not key:
            return problem(403, "forbidden", "Method doesn't allow unregistered callers.")
        if key != self.api_key:
            return problem(400, "badRequest", "API key not valid. Please pass a valid API key.")
        if self.units_left < 1:
            return problem(403, "quotaExceeded", "The request cannot be completed: you have exceeded your quota.")
        self.units_left -= 1
        return None

    def list_videos(self, asked: Asked) -> Reply:
        ids = _given(asked, "id").split(",")
        if len(ids) > 50:
            return problem(400, "invalidParameter", "The request specifies too many ids.")
        for video_id in ids if self.invents else []:
            self._invent(video_id)
        found = [self.videos[video_id] for video_id in ids if video_id in self.videos]
        return _list(asked, "youtube#videoListResponse", found[::-1])

    def list_channels(self, asked: Asked) -> Reply:
        ids, handle = _given(asked, "id").split(","), "@" + _given(asked, "forHandle").removeprefix("@").lower()
        found = [each for each in self.channels.values() if each["id"] in ids or each["snippet"]["customUrl"] == handle]
        if not found and handle != "@" and self.invents:
            found = [self.channels[self._invent_channel(handle.removeprefix("@"))]]
        reply = _list(asked, "youtube#channelListResponse", found)
        if not found:
            del reply.body["items"]
        return reply

    def list_uploads(self, asked: Asked) -> Reply:
        channel_id = "UC" + _given(asked, "playlistId").removeprefix("UU")
        if channel_id not in self.channels and self.invents:
            self._invent_channel("invented", channel_id=channel_id)
        if channel_id not in self.channels:
            return problem(404, "playlistNotFound", "The playlist identified with the parameter cannot be found.")
        theirs = [each for each in self.videos.values() if each["snippet"]["channelId"] == channel_id]
        theirs.sort(key=lambda video: str(video["snippet"]["publishedAt"]), reverse=True)
        entries = [
            {
                "kind": "youtube#playlistItem",
                "contentDetails": {"videoId": each["id"], "videoPublishedAt": each["snippet"]["publishedAt"]},
            }
            for each in theirs
        ]
        return self._page(asked, "youtube#playlistItemListResponse", entries)

    def list_threads(self, asked: Asked) -> Reply:
        video_id = _given(asked, "videoId")
        if self.invents:
            self._invent(video_id)
        if video_id not in self.videos:
            return problem(404, "videoNotFound", "The video identified by the videoId parameter could not be found.")
        if video_id in self.without_comments:
            return problem(403, "commentsDisabled", "The video has disabled comments.")
        return self._page(asked, "youtube#commentThreadListResponse", self.threads.get(video_id, []))

    def _page(self, asked: Asked, kind: str, entries: list[dict[str, Any]]) -> Reply:
        size = min(int(_given(asked, "maxResults") or 20), self.page_size)
        start = int(_given(asked, "pageToken").removeprefix("P") or 0)
        reply = _list(asked, kind, entries[start : start + size])
        if start + size < len(entries):
            reply.body["nextPageToken"] = f"P{start + size}"
        return reply

    def _invent(self, video_id: str) -> None:
        if video_id not in self.videos:
            self.add_video(video_id)
            for number in range(3):
                self.add_thread(video_id, f"Invented comment {number + 1}")

    def _invent_channel(self, handle: str, *, channel_id: str = "") -> str:
        channel_id = self.add_channel(handle, channel_id=channel_id)
        for number in range(INVENTED):
            moment = f"2026-05-{number + 1:02}T12:00:00Z"
            self.add_video(f"invent{len(self.videos):04}0", channel_id=channel_id, snippet={"publishedAt": moment})
        return channel_id

    routes = [
        Route("videos", "GET", r"/youtube/v3/videos", list_videos),
        Route("channels", "GET", r"/youtube/v3/channels", list_channels),
        Route("playlistItems", "GET", r"/youtube/v3/playlistItems", list_uploads),
        Route("commentThreads", "GET", r"/youtube/v3/commentThreads", list_threads),
    ]


def problem(status: int, reason: str, message: str = "") -> Reply:
    error = {"message": message or reason, "domain": DOMAINS.get(reason, "youtube"), "reason": reason}
    return Reply(status=status, body={"error": {"code": status, "message": message or reason, "errors": [error]}})


def _list(asked: Asked, kind: str, entries: list[dict[str, Any]]) -> Reply:
    parts = {"kind", "etag", "id", *_given(asked, "part").split(",")}
    shown = [{name: value for name, value in each.items() if name in parts} for each in entries]
    page = {"totalResults": len(entries), "resultsPerPage": len(entries)}
    return Reply(body={"kind": kind, "etag": "sandbox", "items": shown, "pageInfo": page})


def _given(asked: Asked, name: str) -> str:
    return asked.query.get(name, [""])[0]
