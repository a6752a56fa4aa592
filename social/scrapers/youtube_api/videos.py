"""Videos, channels and comments of the Data API in our words. Each field may be missing or of another type."""

import re
from collections.abc import Mapping
from typing import Any

from social.facts import Author, Format, Media, Metrics, PostAddress, ScrapedComment, ScrapedPost
from social.scrapers.reading import count, entry, flag, link, moment, seconds, text, texts

# The API does not tell a Short, which may have three minutes, from a video. Up to one minute nearly all are Shorts.
LONGEST_SHORT = 60.0
NO_LANGUAGE = {"zxx", "und", "mul", "mis"}
HASHTAG = re.compile(r"(?<!\w)#(\w{1,100})")
MOST_TAGS = 100


def post(
    video: Mapping[str, Any], address: PostAddress, channel: Mapping[str, Any], *, listed: bool = False
) -> ScrapedPost:
    """A video. Its captions are not the API's to give: those of other people's videos come through yt-dlp."""
    snippet, content = entry(video.get("snippet")), entry(video.get("contentDetails"))
    language = text(snippet.get("defaultAudioLanguage"), limit=20) or text(snippet.get("defaultLanguage"), limit=20)
    return ScrapedPost(
        address=address,
        author=_author(snippet, channel),
        title=text(snippet.get("title"), limit=500),
        text=text(snippet.get("description")),
        posted_at=moment(snippet.get("publishedAt")),
        format=_format(snippet, content),
        metrics=_metrics(entry(video.get("statistics"))),
        language="" if language in NO_LANGUAGE else language,
        seconds=seconds(content.get("duration")) or None,
        media=_thumbnail(snippet),
        details=_details(snippet, content),
        listed=listed,
        raw=video,
    )


def id_of(row: Mapping[str, Any]) -> str:
    return text(row.get("id"), limit=100)


def channel_of(video: Mapping[str, Any]) -> str:
    return text(entry(video.get("snippet")).get("channelId"), limit=100)


def says_something(video: Mapping[str, Any]) -> bool:
    return bool(text(entry(video.get("snippet")).get("title")))


def comment(thread: Mapping[str, Any]) -> ScrapedComment:
    """The comment that a thread begins with."""
    about = entry(thread.get("snippet"))
    first = entry(about.get("topLevelComment"))
    snippet = entry(first.get("snippet"))
    writer, owner = text(entry(snippet.get("authorChannelId")).get("value")), text(about.get("channelId"))
    return ScrapedComment(
        comment_id=text(first.get("id"), limit=100) or id_of(thread),
        text=text(snippet.get("textOriginal")) or text(snippet.get("textDisplay")),
        author=text(snippet.get("authorDisplayName"), limit=100).removeprefix("@"),
        likes=count(snippet.get("likeCount")),
        replies=count(about.get("totalReplyCount")),
        posted_at=moment(snippet.get("publishedAt")),
        by_post_author=writer == owner if writer and owner else None,
    )


def is_about(thread: Mapping[str, Any], video_id: str) -> bool:
    return text(entry(thread.get("snippet")).get("videoId"), limit=100) in {"", video_id}


def _author(snippet: Mapping[str, Any], channel: Mapping[str, Any]) -> Author:
    about, numbers = entry(channel.get("snippet")), entry(channel.get("statistics"))
    hidden = flag(numbers.get("hiddenSubscriberCount"))
    return Author(
        handle=text(about.get("customUrl"), limit=100).removeprefix("@"),
        author_id=text(snippet.get("channelId"), limit=100),
        name=text(snippet.get("channelTitle"), limit=200) or text(about.get("title"), limit=200),
        followers=None if hidden else count(numbers.get("subscriberCount")),
        bio=text(about.get("description")),
        avatar_url=link(_largest(about).get("url")),
    )


def _metrics(statistics: Mapping[str, Any]) -> Metrics:
    """What is hidden or closed is absent. Shares and saves are never told."""
    return Metrics(
        likes=count(statistics.get("likeCount")),
        comments=count(statistics.get("commentCount")),
        views=count(statistics.get("viewCount")),
    )


def _format(snippet: Mapping[str, Any], content: Mapping[str, Any]) -> Format:
    length = seconds(content.get("duration"))
    # What is still being broadcast has no length: P0D.
    if text(snippet.get("liveBroadcastContent")) in {"live", "upcoming"} or text(content.get("duration")) == "P0D":
        return "live"
    return "short" if length and length <= LONGEST_SHORT else "video"


def _largest(snippet: Mapping[str, Any]) -> Mapping[str, Any]:
    sizes = map(entry, entry(snippet.get("thumbnails")).values())
    return max(sizes, key=lambda each: count(each.get("width")) or 0, default={})


def _thumbnail(snippet: Mapping[str, Any]) -> tuple[Media, ...]:
    largest = _largest(snippet)
    url, width, height = link(largest.get("url")), count(largest.get("width")), count(largest.get("height"))
    return (Media(kind="thumbnail", url=url, width=width, height=height),) if url else ()


def _details(snippet: Mapping[str, Any], content: Mapping[str, Any]) -> dict[str, Any]:
    state = text(snippet.get("liveBroadcastContent"), limit=20)
    restricted = text(entry(content.get("contentRating")).get("ytRating")) == "ytAgeRestricted"
    found = HASHTAG.findall(f"{text(snippet.get('title'))} {text(snippet.get('description'))}")
    details = {
        "hashtags": list(dict.fromkeys(found))[:MOST_TAGS],
        "tags": texts(snippet.get("tags"))[:MOST_TAGS],
        "category": text(snippet.get("categoryId"), limit=20),
        "definition": text(content.get("definition"), limit=20),
        "has_captions": flag(content.get("caption")),
        "broadcast": state if state in {"live", "upcoming"} else "",
        "age_restricted": restricted or None,
    }
    return {name: value for name, value in details.items() if value not in ("", None, [])}
