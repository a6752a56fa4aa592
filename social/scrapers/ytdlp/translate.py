"""yt-dlp's words in ours: https://github.com/yt-dlp/yt-dlp/blob/master/yt_dlp/extractor/common.py (InfoExtractor)."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from social import platforms
from social.errors import AddressInvalid
from social.facts import (
    Author,
    Captions,
    CommentSample,
    Format,
    Media,
    Metrics,
    PostAddress,
    ScrapedComment,
    ScrapedPost,
)
from social.scrapers.reading import count, entry, flag, items, link, moment, seconds, text, texts
from social.scrapers.ytdlp.problems import BOT_CHECK

Info = Mapping[str, Any]
MOST_CAPTIONS, MOST_CHAPTERS, MOST_TAGS = 12, 100, 60
# A file with picture and sound in one that is large enough to look at, and no larger.
TALLEST = 720
# A post that is there has some of these.
SAYS_SOMETHING = ("view_count", "like_count", "channel_id", "uploader_id", "timestamp", "upload_date")
LIVE = {"is_live", "is_upcoming", "post_live", "was_live"}


def post(info: Info, address: PostAddress, *, listed: bool = False) -> ScrapedPost:
    return ScrapedPost(
        address=address,
        author=_author(info, address.platform),
        title=text(info.get("title"), limit=1000) if address.platform == "youtube" else "",
        text=text(info.get("description"), limit=20_000),
        posted_at=_posted_at(info),
        format=_format(info, address),
        metrics=Metrics(
            likes=count(info.get("like_count")),
            # With comments fetched it is how many were, not how many there are.
            comments=None if info.get("comments") else count(info.get("comment_count")),
            shares=count(info.get("repost_count")),
            views=count(info.get("view_count")),
        ),
        language=text(info.get("language"), limit=20),
        seconds=seconds(info.get("duration")),
        media=() if listed else _media(info),
        captions=() if listed else _captions(info),
        details=_details(info),
        listed=listed,
    )


def listed(info: Info, platform: str) -> list[ScrapedPost]:
    """The posts of a channel's list; it tells neither likes nor, mostly, dates."""
    posts = []
    for row in items(info.get("entries")):
        try:
            found = platforms.parse_post_url(platforms.address(platform, text(row.get("id"), limit=64)).url)
        except AddressInvalid:
            continue
        address = PostAddress(platform=platform, post_id=found.post_id, url=found.canonical_url)
        posts.append(post(row, address, listed=True))
    return posts


def refusal(info: Info) -> str:
    """Why there is no post in this; empty where there is one.

    Of what cannot be played yt-dlp tells what it can, and invents a title. Where that is nothing, or where it is taken
    for a machine and so not shown all, its warnings are the answer.
    """
    said = "\n".join(texts(info.get("warnings"), limit=500))
    if any(items(info.get(name)) for name in ("formats", "entries", "comments")):
        return ""
    known = any(info.get(name) is not None for name in SAYS_SOMETHING)
    return "" if known and not BOT_CHECK.search(said) else said or "nothing was told"


def comments(info: Info, *, limit: int) -> CommentSample:
    found = [_comment(row) for row in items(info.get("comments"))]
    return CommentSample(comments=tuple(each for each in found if each.comment_id)[:limit])


def _author(info: Info, platform: str) -> Author:
    # Of Instagram the channel is the handle and the uploader's id a number; elsewhere that id is the handle.
    handle, number, name = ("uploader_id", "channel_id", "channel")
    if platform == "instagram":
        handle, number, name = ("channel", "uploader_id", "uploader")
    return Author(
        handle=text(info.get(handle), limit=100).removeprefix("@"),
        author_id=text(info.get(number), limit=100),
        name=text(info.get(name) or info.get("uploader"), limit=200),
        followers=count(info.get("channel_follower_count")),
        verified=flag(info.get("channel_is_verified")),
    )


def _posted_at(info: Info) -> datetime | None:
    exact = moment(info.get("timestamp")) or moment(info.get("release_timestamp"))
    if exact:
        return exact
    try:
        return datetime.strptime(text(info.get("upload_date"), limit=8), "%Y%m%d").replace(tzinfo=UTC)
    except ValueError:
        return None


def _format(info: Info, address: PostAddress) -> Format:
    if text(info.get("live_status"), limit=20) in LIVE:
        return "live"
    return "short" if info.get("media_type") == "short" or address.platform == "instagram" else "video"


def _media(info: Info) -> tuple[Media, ...]:
    found = [_video(info), _thumbnail(info)]
    return tuple(medium for medium in found if medium)


def _video(info: Info) -> Media | None:
    whole = [form for form in items(info.get("formats")) if _is_whole(form)]
    if not whole:
        return None
    fitting = [form for form in whole if (count(form.get("height")) or 0) <= TALLEST] or whole
    best = max(fitting, key=lambda form: count(form.get("height")) or 0)
    width, height = count(best.get("width")), count(best.get("height"))
    long = seconds(info.get("duration"))
    return Media(kind="video", url=link(best.get("url")), seconds=long, width=width, height=height)


def _is_whole(form: Info) -> bool:
    """Picture and sound in one plain file."""
    plain = text(form.get("protocol"), limit=20) in {"https", "http"} and bool(link(form.get("url")))
    return plain and form.get("ext") == "mp4" and "none" not in (form.get("vcodec"), form.get("acodec"))


def _thumbnail(info: Info) -> Media | None:
    known = [row for row in items(info.get("thumbnails")) if link(row.get("url"))]
    if known:
        best = max(known, key=lambda row: (count(row.get("width")) or 0, count(row.get("preference")) or 0))
        return Media(
            kind="thumbnail",
            url=link(best.get("url")),
            width=count(best.get("width")),
            height=count(best.get("height")),
        )
    url = link(info.get("thumbnail"))
    return Media(kind="thumbnail", url=url) if url else None


def _captions(info: Info) -> tuple[Captions, ...]:
    found = [
        *_tracks(info.get("subtitles"), info, automatic=False),
        *_tracks(info.get("automatic_captions"), info, automatic=True),
    ]
    # A film may be subtitled in thirty languages: of too many, what is spoken is kept first.
    return tuple(sorted(found, key=lambda each: not each.spoken)[:MOST_CAPTIONS])


def _tracks(tracks: Any, info: Info, *, automatic: bool) -> list[Captions]:
    found = []
    for name, forms in entry(tracks).items():
        language = text(name, limit=20).removesuffix("-orig")
        by_form = {text(form.get("ext"), limit=10): link(form.get("url")) for form in items(forms)}
        form = "json3" if by_form.get("json3") else "vtt"
        if url := by_form.get(form):
            spoken = str(name).endswith("-orig") or language == text(info.get("language"), limit=20)
            found.append(Captions(language=language, automatic=automatic, form=form, spoken=spoken, url=url))  # type: ignore[arg-type]
    return found


def _details(info: Info) -> dict[str, Any]:
    known = {
        "tags": _words(info.get("tags")),
        "categories": _words(info.get("categories")),
        "chapters": [
            {
                "start": seconds(row.get("start_time")),
                "end": seconds(row.get("end_time")),
                "title": text(row.get("title"), limit=200),
            }
            for row in items(info.get("chapters"))[:MOST_CHAPTERS]
        ],
        "heatmap": [seconds(row.get("value")) for row in items(info.get("heatmap"))[:MOST_CHAPTERS]],
        "availability": text(info.get("availability"), limit=40),
        "live_status": text(info.get("live_status"), limit=40),
    }
    return {name: value for name, value in known.items() if value}


def _words(value: Any) -> list[str]:
    words: Sequence[Any] = value if isinstance(value, list) else []
    return [said for said in (text(word, limit=100) for word in words[:MOST_TAGS]) if said]


def _comment(row: Info) -> ScrapedComment:
    parent = text(row.get("parent"), limit=200)
    return ScrapedComment(
        comment_id=text(row.get("id"), limit=200),
        text=text(row.get("text"), limit=10_000),
        author=text(row.get("author"), limit=200).removeprefix("@"),
        likes=count(row.get("like_count")),
        posted_at=moment(row.get("timestamp")),
        reply_to="" if parent == "root" else parent,
        by_post_author=flag(row.get("author_is_uploader")),
        pinned=flag(row.get("is_pinned")),
    )
