"""What a scraper brings home: frozen facts in our own words. No vendor's names are known above `scrapers`."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

Format = Literal["image", "carousel", "video", "short", "live", "text"]
MediaKind = Literal["image", "video", "thumbnail"]
LostState = Literal["not_found", "private", "failed"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PostAddress:
    """One post, as `parse_post_url` names it."""

    platform: str
    post_id: str
    url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthorAddress:
    """Whose posts: the handle is as the platform writes it, without "@"; YouTube's channel id where there is one."""

    platform: str
    handle: str
    author_id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Author:
    """Who wrote it, as far as it was said. None means: not known, never zero."""

    handle: str = ""
    author_id: str = ""
    name: str = ""
    followers: int | None = None
    verified: bool | None = None
    bio: str = ""
    avatar_url: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Metrics:
    """Counts at the moment of collection. None means: hidden or not known, never zero."""

    likes: int | None = None
    comments: int | None = None
    shares: int | None = None
    views: int | None = None
    saves: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Media:
    """A picture, a video or a thumbnail where the platform keeps it, for some hours."""

    kind: MediaKind
    url: str
    position: int = 0
    width: int | None = None
    height: int | None = None
    seconds: float | None = None
    alt_text: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Captions:
    """Words with times that the platform has of a video: an address to fetch, or the text itself."""

    language: str
    automatic: bool
    form: Literal["json3", "vtt"]
    spoken: bool = False  # the language that is spoken in the video, as the platform says
    url: str = ""
    text: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class ScrapedPost:
    """A post. `listed` where it was only seen in a list of its author's posts, with what such lists leave out."""

    address: PostAddress
    author: Author = Author()
    title: str = ""
    text: str = ""
    posted_at: datetime | None = None
    format: Format | None = None
    metrics: Metrics = Metrics()
    language: str = ""
    seconds: float | None = None
    media: tuple[Media, ...] = ()
    captions: tuple[Captions, ...] = ()
    # What helps to explain it, under our names: hashtags, mentions, paid_partnership, partner, collaborators, pinned,
    # music, chapters, heatmap, reply_to, quotes ...
    details: Mapping[str, Any] = field(default_factory=dict)
    listed: bool = False
    raw: Mapping[str, Any] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class ScrapedComment:
    """A comment, or a reply to one."""

    comment_id: str
    text: str
    author: str = ""
    likes: int | None = None
    replies: int | None = None
    posted_at: datetime | None = None
    reply_to: str = ""
    by_post_author: bool | None = None
    pinned: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CommentSample:
    """Comments that were seen, and how many the post has, where that is known. `closed`: its author allows none."""

    comments: tuple[ScrapedComment, ...] = ()
    total: int | None = None
    closed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """An address whose post was brought home."""

    address: PostAddress
    post: ScrapedPost


@dataclass(frozen=True, slots=True, kw_only=True)
class Lost:
    """An address, a profile or a post's comments that gave nothing. `note` is the vendor's word, for operators only."""

    state: LostState
    address: PostAddress | AuthorAddress
    code: str = ""  # of an error of core.errors or social.errors, where `failed`
    retryable: bool = False
    retry_after: float | None = None
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class NotReady:
    """The vendor works on it under this job; ask again with it."""

    job: str
    retry_in: float


Outcome = Found | Lost
