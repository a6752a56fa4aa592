"""X's rows in our words."""

from typing import Any

from social.facts import Author, Format, Media, Metrics, PostAddress, ScrapedPost
from social.scrapers.brightdata.rows import Reader, Row
from social.scrapers.reading import count, entry, flag, items, link, moment, seconds, text, texts

MOST_MEDIA = 50


def post_id(row: Row) -> str:
    return text(row.get("id"), limit=100)


def post(row: Row, address: PostAddress) -> ScrapedPost:
    media = _media(row)
    return ScrapedPost(
        address=address,
        author=Author(
            handle=text(row.get("user_posted"), limit=100).removeprefix("@"),
            name=text(row.get("name"), limit=200),
            followers=count(row.get("followers")),
            verified=flag(row.get("is_verified")),
            bio=text(row.get("biography"), limit=2000),
            avatar_url=link(row.get("profile_image_link")),
        ),
        text=text(row.get("description")),
        posted_at=moment(row.get("date_posted")),
        format=_format(media),
        metrics=Metrics(
            likes=count(row.get("likes")),
            comments=count(row.get("replies")),
            shares=count(row.get("reposts")),
            views=count(row.get("views")),
            saves=count(row.get("bookmarks")),
        ),
        seconds=next((each.seconds for each in media if each.seconds), None),
        media=media,
        details=_details(row),
        raw=row,
    )


READER = Reader(post_id, post)


def _format(media: tuple[Media, ...]) -> Format:
    if any(each.kind == "video" for each in media):
        return "video"
    return ("text", "image", "carousel")[min(len(media), 2)]


def _media(row: Row) -> tuple[Media, ...]:
    photos = [url for each in texts(row.get("photos"), limit=4000) if (url := link(each))]
    videos = [each for each in items(row.get("videos")) if link(each.get("video_url"))]
    return (
        *(Media(kind="image", url=url, position=n) for n, url in enumerate(photos[:MOST_MEDIA])),
        *(
            Media(kind="video", url=link(each["video_url"]), position=n, seconds=_thousandth(each.get("duration")))
            for n, each in enumerate(videos[:MOST_MEDIA])
        ),
    )


def _thousandth(value: object) -> float | None:
    milliseconds = count(value)
    return seconds(milliseconds / 1000) if milliseconds is not None else None


def _details(row: Row) -> dict[str, Any]:
    parent, external = entry(row.get("parent_post_details")), link(row.get("external_url"))
    details = {
        "hashtags": [tag.removeprefix("#") for tag in texts(row.get("hashtags"))],
        "mentions": [text(each.get("profile_name"), limit=100) for each in items(row.get("tagged_users"))],
        "reply_to": text(parent.get("post_id"), limit=100),
        "reply_to_author": text(parent.get("profile_name") or parent.get("profile_id"), limit=100),
        "quotes": _quoted(entry(row.get("quoted_post"))),
        "quote_count": count(row.get("quotes")),
        "links": [external] if external else [],
        "author_posts": count(row.get("posts_count")),
        "author_following": count(row.get("following")),
    }
    return {name: value for name, value in details.items() if value not in (None, "", [], {})}


def _quoted(quoted: Row) -> dict[str, Any]:
    if not text(quoted.get("post_id"), limit=100):
        return {}
    # Their own spelling of the date is the first one.
    posted_at = moment(quoted.get("data_posted") or quoted.get("date_posted"))
    told = {
        "post_id": text(quoted.get("post_id"), limit=100),
        "author": text(quoted.get("profile_name") or quoted.get("profile_id"), limit=100),
        "text": text(quoted.get("description"), limit=10_000),
        "url": link(quoted.get("url")),
        "posted_at": posted_at.isoformat() if posted_at else "",
    }
    return {name: value for name, value in told.items() if value}
