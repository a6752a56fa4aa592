"""What a file is, by its first bytes: nothing that anybody says of it is believed."""

from dataclasses import dataclass
from typing import Literal

HEAD = 64
# https://mp4ra.org/registered-types/brands: those that hold a video; HEIC and AVIF pictures have brands of their own.
VIDEO_BRANDS = (
    b"isom",
    b"iso2",
    b"iso4",
    b"iso5",
    b"iso6",
    b"mp41",
    b"mp42",
    b"avc1",
    b"M4V ",
    b"dash",
    b"qt  ",
    b"3gp4",
)


@dataclass(frozen=True, slots=True)
class Sniffed:
    """A picture or a video, and the name under which its decoder is chosen, and no other."""

    kind: Literal["image", "video"]
    decoder: str


def sniff(head: bytes) -> Sniffed | None:
    """None where it is nothing that we keep: a playlist, a page, an archive, or something unknown."""
    if head.startswith(b"\xff\xd8\xff"):
        return Sniffed("image", "JPEG")
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return Sniffed("image", "PNG")
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return Sniffed("image", "WEBP")
    if head.startswith((b"GIF87a", b"GIF89a")):
        return Sniffed("image", "GIF")
    if head[4:8] == b"ftyp" and head[8:12] in VIDEO_BRANDS:
        return Sniffed("video", "mp4")
    if head.startswith(b"\x1a\x45\xdf\xa3"):
        return Sniffed("video", "matroska")
    return None
