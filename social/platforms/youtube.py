"""YouTube: what its addresses look like."""

import re

from social.errors import AddressInvalid
from social.platforms.address import Address, first, segments

NAME = "YouTube"
SHORT_HOSTS = frozenset({"youtu.be", "www.youtu.be"})
HOSTS = SHORT_HOSTS | {
    "youtube.com", "www.youtube.com", "m.youtube.com", "music.youtube.com", "youtube-nocookie.com",
    "www.youtube-nocookie.com",
}  # fmt: skip
SHAPES = (
    "https://www.youtube.com/watch?v=ID",
    "https://youtu.be/ID",
    "https://www.youtube.com/shorts/ID",
    "https://www.youtube.com/live/ID",
    "https://www.youtube.com/embed/ID",
)
# Eleven characters of base64url hold 66 bits and an id has 64, so the last one is one of sixteen.
ID = re.compile(r"[A-Za-z0-9_-]{10}[AEIMQUYcgkosw048]", re.ASCII)
# Eleven letters too, and no ids: players of a playlist and of a channel's live stream.
PLAYERS = frozenset({"videoseries", "live_stream"})
PAGES = frozenset({"watch", "watch_popup"})
FOLDERS = frozenset({"shorts", "live", "embed", "v", "e"})
NOT_VIDEOS = {
    "playlist": ("playlist", "This is a playlist: open one video and paste its address."),
    "channel": ("profile", "This is a channel: open one video and paste its address."),
    "c": ("profile", "This is a channel: open one video and paste its address."),
    "user": ("profile", "This is a channel: open one video and paste its address."),
    "post": ("not_a_post", "This is a community post, which cannot be read: paste the address of a video."),
    "clip": ("not_a_post", "This is a clip: open the video it is from and paste its address."),
    "results": ("listing", "This is a search: open one video and paste its address."),
    "feed": ("listing", "This is a page of many videos: open one and paste its address."),
    "hashtag": ("listing", "This is a hashtag: open one video and paste its address."),
}


def find(address: Address) -> str:
    """The video's id."""
    parts = segments(address.path)
    if address.host in SHORT_HOSTS:
        return _id(parts)
    if parts[0] in PAGES and len(parts) == 1:
        value = first(address.query, "v")
        return _id([value] if value else [])
    if parts[0] in FOLDERS:
        return _id(parts[1:])
    code, sentence = NOT_VIDEOS.get(parts[0], ("profile", "This is no video: open one video and paste its address."))
    raise AddressInvalid(sentence, code=code)


def address_of(post_id: str) -> str:
    return f"https://www.youtube.com/watch?v={post_id}"


def _id(parts: list[str]) -> str:
    if not parts or not parts[0]:
        raise AddressInvalid("The video's id is missing: open one video and paste its address.", code="listing")
    if len(parts) > 1 or parts[0] in PLAYERS or not ID.fullmatch(parts[0]):
        raise AddressInvalid("No video on YouTube has this id: copy the whole address anew.", code="malformed_id")
    return parts[0]
