"""Instagram's rows in our words: posts, which know no views, and reels, which do."""

from dataclasses import replace
from typing import Any

from social.facts import Author, Format, Media, Metrics, PostAddress, ScrapedPost
from social.scrapers.brightdata.rows import Reader, Row
from social.scrapers.reading import count, entry, flag, items, link, moment, seconds, text, texts

MOST_MEDIA = 50
FORMATS: dict[str, Format] = {
    "image": "image",
    "photo": "image",
    "carousel": "carousel",
    "sidecar": "carousel",
    "video": "video",
    "reel": "short",
    "clips": "short",
    "igtv": "video",
}


def post_id(row: Row) -> str:
    # `post_id` is a number, and with reels the author's is behind it; addresses have the short code.
    return text(row.get("shortcode") or row.get("content_id"), limit=100)


def post(row: Row, address: PostAddress) -> ScrapedPost:
    media = _media(row)
    length = next((each.seconds for each in media if each.seconds), None) or seconds(row.get("length"))
    return ScrapedPost(
        address=address,
        author=_author(row),
        text=text(row.get("description")),
        posted_at=moment(row.get("date_posted")),
        format=_format(row, media),
        metrics=Metrics(
            likes=count(row.get("likes")),
            comments=count(row.get("num_comments")),
            views=count(row.get("video_play_count" if row.get("views") is None else "views")),
        ),
        seconds=length,
        media=media,
        details=_details(row),
        raw=row,
    )


def with_reel(known: ScrapedPost, row: Row) -> ScrapedPost:
    """A post, with what only the row of its reel tells."""
    reel = post(row, known.address)
    videos = any(each.kind == "video" for each in known.media)
    return replace(
        known,
        format=reel.format or known.format,
        metrics=replace(known.metrics, views=reel.metrics.views),
        seconds=reel.seconds or known.seconds,
        media=known.media if videos else (*known.media, *(each for each in reel.media if each.kind == "video")),
        details={**reel.details, **known.details},
        raw={**known.raw, "reel": row},
    )


READER = Reader(post_id, post)


def _author(row: Row) -> Author:
    _, _, author_id = text(row.get("post_id"), limit=100).partition("_")
    return Author(
        handle=text(row.get("user_posted"), limit=100).removeprefix("@"),
        author_id=text(row.get("user_posted_id"), limit=100) or author_id,
        followers=count(row.get("followers")),
        verified=flag(row.get("is_verified")),
        avatar_url=link(row.get("profile_image_link")),
    )


def _format(row: Row, media: tuple[Media, ...]) -> Format | None:
    said = text(row.get("product_type"), limit=20).lower(), text(row.get("content_type"), limit=20).lower()
    named = next((FORMATS[each] for each in said if each in FORMATS), None)
    shown = [each for each in media if each.kind != "thumbnail"]
    if named or not shown:
        return named
    if len(shown) > 1:
        return "carousel"
    return "video" if shown[0].kind == "video" else "image"


def _media(row: Row) -> tuple[Media, ...]:
    lengths = _lengths(row)
    shown = _shown(row)[:MOST_MEDIA]
    videos = sum(each.kind == "video" for each in shown)
    media = [
        # A length belongs to its address, or to the only video there is.
        replace(each, seconds=lengths.get(each.url) or (lengths.get("") if videos == 1 else None))
        if each.kind == "video"
        else each
        for each in shown
    ]
    thumbnail = link(row.get("thumbnail"))
    return (*media, *([Media(kind="thumbnail", url=thumbnail)] if thumbnail else []))


def _shown(row: Row) -> list[Media]:
    """The pictures and videos in the order they are shown in, where that is said."""
    content = [
        Media(
            kind="video" if text(each.get("type"), limit=20).lower() == "video" else "image",
            url=link(each.get("url")),
            position=position,
            alt_text=text(each.get("alt_text"), limit=2000),
        )
        for position, each in enumerate(items(row.get("post_content")))
    ]
    if found := [each for each in content if each.url]:
        return found
    pictures = [link(each.get("url")) for each in items(row.get("images"))] or texts(row.get("photos"), limit=4000)
    videos = [row.get("video_url"), *texts(row.get("videos"), limit=4000)]
    only = text(row.get("alt_text"), limit=2000) if len(pictures) == 1 else ""
    return [
        *(Media(kind="image", url=url, position=n, alt_text=only) for n, url in enumerate(filter(link, pictures))),
        *(Media(kind="video", url=url, position=n) for n, url in enumerate(filter(None, map(link, videos)))),
    ]


def _lengths(row: Row) -> dict[str, float | None]:
    """How long the videos are, by their addresses; "" stands for the only one."""
    told = row.get("videos_duration")
    lengths = {link(each.get("url")): seconds(each.get("video_duration")) for each in items(told)}
    plain = [seconds(each) for each in told] if isinstance(told, list) else []
    return {"": next(filter(None, plain), None) or seconds(row.get("length")) or next(iter(lengths.values()), None)} | {
        url: length for url, length in lengths.items() if url
    }


def _details(row: Row) -> dict[str, Any]:
    partner, audio = entry(row.get("partnership_details")), entry(row.get("audio"))
    music = {
        "title": text(audio.get("original_audio_title"), limit=300),
        "artist": text(audio.get("ig_artist_username"), limit=100),
        "id": text(audio.get("audio_asset_id"), limit=100),
        "url": link(row.get("audio_url")),
    }
    details = {
        "hashtags": [tag.removeprefix("#") for tag in texts(row.get("hashtags"))],
        "paid_partnership": flag(row.get("is_paid_partnership")),
        "partner": text(partner.get("username") or partner.get("profile_id"), limit=100),
        "collaborators": texts(row.get("coauthor_producers")),
        "tagged": _tagged(row),
        "music": {name: value for name, value in music.items() if value},
        "plays": count(row.get("video_play_count")),
        "author_posts": count(row.get("posts_count")),
        "author_following": count(row.get("following")),
    }
    return {name: value for name, value in details.items() if value not in (None, "", [], {})}


def _tagged(row: Row) -> list[str]:
    return [name for each in items(row.get("tagged_users")) if (name := text(each.get("username"), limit=100))]
