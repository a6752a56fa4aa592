"""YouTube's rows in our words, their transcript as captions."""

from typing import Any

from social.facts import Author, Captions, Media, Metrics, PostAddress, ScrapedPost
from social.scrapers.brightdata.rows import Reader, Row
from social.scrapers.reading import count, flag, items, link, moment, seconds, text, texts

MOST_CUES = 5000
LANGUAGES = {
    "arabic": "ar",
    "chinese": "zh",
    "dutch": "nl",
    "english": "en",
    "french": "fr",
    "german": "de",
    "hindi": "hi",
    "indonesian": "id",
    "italian": "it",
    "japanese": "ja",
    "korean": "ko",
    "polish": "pl",
    "portuguese": "pt",
    "russian": "ru",
    "spanish": "es",
    "turkish": "tr",
    "ukrainian": "uk",
    "vietnamese": "vi",
}


def post_id(row: Row) -> str:
    return text(row.get("video_id") or row.get("shortcode"), limit=100)


def post(row: Row, address: PostAddress) -> ScrapedPost:
    length = seconds(row.get("video_length"))
    short = "short" in text(row.get("post_type"), limit=40).lower() or "/shorts/" in text(row.get("url"), limit=500)
    return ScrapedPost(
        address=address,
        author=_author(row),
        title=text(row.get("title"), limit=1000),
        text=text(row.get("description")),
        posted_at=moment(row.get("date_posted")),
        format="short" if short else "video",
        metrics=Metrics(
            likes=count(row.get("likes")), comments=count(row.get("num_comments")), views=count(row.get("views"))
        ),
        seconds=length,
        media=_media(row, length),
        captions=_captions(row),
        details=_details(row),
        raw=row,
    )


READER = Reader(post_id, post)


def _author(row: Row) -> Author:
    # `youtuber` is the handle, with "@", and `handle_name` the name; some rows have it the other way round.
    names = [text(row.get(name), limit=200) for name in ("youtuber", "handle_name")]
    handle = next((name for name in names if name.startswith("@")), "")
    address = text(row.get("channel_url_decoded") or row.get("channel_url"), limit=500)
    return Author(
        handle=(handle or (f"@{address.rpartition('/@')[2]}" if "/@" in address else ""))[1:101],
        author_id=text(row.get("youtuber_id"), limit=100) or address.partition("/channel/")[2][:100],
        name=next((name for name in names if name and name != handle), ""),
        followers=count(row.get("subscribers")),
        verified=flag(row.get("verified")),
        avatar_url=link(row.get("avatar_img_channel")),
    )


def _media(row: Row, length: float | None) -> tuple[Media, ...]:
    video, thumbnail = link(row.get("video_url")), link(row.get("preview_image"))
    return (
        *([Media(kind="video", url=video, seconds=length)] if video else []),
        *([Media(kind="thumbnail", url=thumbnail)] if thumbnail else []),
    )


def _captions(row: Row) -> tuple[Captions, ...]:
    cues = [
        f"{_clock(start)} --> {_clock(end)}\n{words}"
        for each in items(row.get("formatted_transcript"))[:MOST_CUES]
        if (words := _cue_text(each.get("text")))
        and (start := count(each.get("start_time"))) is not None
        and (end := count(each.get("end_time"))) is not None
        and start < end
    ]
    if not cues:
        return ()
    told = next(iter(items(row.get("transcript_language"))), {})
    name = text(told.get("language") or row.get("transcription_language"), limit=60).lower()
    return (
        Captions(
            language=LANGUAGES.get(name.split(" ")[0], name if len(name) <= 5 else ""),
            automatic="auto" in name or bool(flag(told.get("auto_translate"))),
            form="vtt",
            # What is spoken has no need of a translation.
            spoken=flag(told.get("auto_translate")) is False,
            text="\n\n".join(["WEBVTT", *cues]) + "\n",
        ),
    )


def _cue_text(value: object) -> str:
    words = " ".join(text(value, limit=2000).split())
    return words.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _clock(milliseconds: int) -> str:
    whole, thousandths = divmod(milliseconds, 1000)
    return f"{whole // 3600:02}:{whole // 60 % 60:02}:{whole % 60:02}.{thousandths:03}"


def _details(row: Row) -> dict[str, Any]:
    tags = [text(each.get("hashtag"), limit=200) for each in items(row.get("hashtags"))] or texts(row.get("hashtags"))
    details = {
        "hashtags": [tag.removeprefix("#") for tag in tags if tag],
        "tags": texts(row.get("tags")),
        "chapters": _chapters(row),
        "paid_partnership": flag(row.get("is_sponsored")),
        "age_restricted": flag(row.get("is_age_restricted")),
        "license": text(row.get("license"), limit=200),
    }
    return {name: value for name, value in details.items() if value not in (None, "", [], {})}


def _chapters(row: Row) -> list[dict[str, Any]]:
    chapters = [
        {
            "title": text(each.get("title"), limit=300),
            "start": seconds(next((each[name] for name in ("start", "start_time", "time") if name in each), None)),
        }
        for each in items(row.get("chapters"))[:200]
    ]
    return [each for each in chapters if each["title"] and each["start"] is not None]
