"""Tweets in our words. Each field may be missing, null, empty or of another type."""

import re
from collections.abc import Mapping
from typing import Any

from social.facts import Author, AuthorAddress, Format, Media, Metrics, PostAddress, ScrapedPost
from social.platforms.x import ID, LARGEST_ID
from social.scrapers.reading import count, entry, flag, items, link, moment, text, texts

MOST_MEDIA = 20  # X shows four; a broken answer may hold any number
MOST_LINKS = 50
LONGEST_QUOTE = 10_000
SHORT_LINK = "https://t.co/"
ESCAPED = {"&lt;": "<", "&gt;": ">", "&amp;": "&"}  # all that X escapes; the ampersand last
# Not languages but states: media only, links only, not determined ... https://docs.x.com
NO_LANGUAGE = re.compile(r"q[a-t][a-z]|und|zxx|mis|mul|art")
OLD_LANGUAGES = {"in": "id", "iw": "he"}


def post(tweet: Mapping[str, Any], address: PostAddress, *, listed: bool = False) -> ScrapedPost:
    """A retweet carries the words, media and counts of what it repeats: its own text is cut short, its counts are 0."""
    original = entry(tweet.get("retweeted_tweet"))
    content = original or tweet
    media = _media(content)
    repeated = {"repost_of": _reference(original)} if original else {}
    return ScrapedPost(
        address=address,
        author=author(tweet),
        title=text(entry(content.get("article")).get("title"), limit=500),
        text=words(content),
        posted_at=moment(tweet.get("createdAt")),
        format=_format(content),
        metrics=_metrics(content),
        language=_language(content.get("lang")),
        seconds=next((each.seconds for each in media if each.kind == "video"), None),
        media=media,
        details=_details(content) | _details_of_author(tweet) | _place_in_thread(tweet) | repeated,
        listed=listed,
        raw=tweet,
    )


def id_of(tweet: Mapping[str, Any]) -> str:
    return _id(tweet.get("id"))


def author(tweet: Mapping[str, Any]) -> Author:
    user = entry(tweet.get("author"))
    # `isVerified` is false for those who pay.
    marks = [
        flag(user.get("isBlueVerified")),
        flag(user.get("isVerified")),
        bool(text(user.get("verifiedType"))) or None,
    ]
    known = [mark for mark in marks if mark is not None]
    return Author(
        handle=_handle(user),
        author_id=text(user.get("id"), limit=100),
        name=text(user.get("name"), limit=200),
        followers=count(user.get("followers")),
        verified=any(known) if known else None,
        bio=text(entry(user.get("profile_bio")).get("description")) or text(user.get("description")),
        avatar_url=link(user.get("profilePicture")),
    )


def unavailable(tweet: Mapping[str, Any]) -> str:
    """Why nobody sees its author's tweets any more; empty where they are seen."""
    user = entry(tweet.get("author"))
    reasons = [text(user.get(name), limit=200) for name in ("unavailableReason", "message")]
    return (": ".join(filter(None, reasons)) or "unavailable") if flag(user.get("unavailable")) else ""


def says_something(tweet: Mapping[str, Any]) -> bool:
    return bool(_handle(entry(tweet.get("author"))) or words(tweet) or _media(tweet))


def is_by(tweet: Mapping[str, Any], whose: AuthorAddress) -> bool:
    """Whether it can be theirs; the name may have changed, the number cannot."""
    user = entry(tweet.get("author"))
    number, handle = text(user.get("id")), _handle(user).lower()
    if number and whose.author_id:
        return number == whose.author_id
    return handle in {"", whose.handle.lower()}


def answered(tweet: Mapping[str, Any]) -> str:
    return _id(tweet.get("inReplyToId"))


def is_in_conversation(tweet: Mapping[str, Any], root: str) -> bool:
    named = {text(tweet.get("conversationId"), limit=21), answered(tweet)} - {""}
    return root in named or not named


def answered_author(tweet: Mapping[str, Any], root: str) -> str:
    """The number of the author of `root`, where this answers it."""
    return text(tweet.get("inReplyToUserId"), limit=100) if answered(tweet) == root else ""


def words(tweet: Mapping[str, Any]) -> str:
    """Its text as people see it: links spelled out, without the short one that stands for its own media."""
    written = text(tweet.get("text"))
    for each in items(entry(tweet.get("entities")).get("urls"))[:MOST_LINKS]:
        short, whole = link(each.get("url")), link(each.get("expanded_url"))
        if short.startswith(SHORT_LINK) and whole:
            written = written.replace(short, whole, 1)
    for each in _media_items(tweet):
        short = link(each.get("url"))
        written = written.replace(short, "") if short.startswith(SHORT_LINK) else written
    for escaped, plain in ESCAPED.items():
        written = written.replace(escaped, plain)
    return text(written)


def _id(value: object) -> str:
    found = text(value, limit=21)
    return found if ID.fullmatch(found) and int(found) <= LARGEST_ID else ""


def _handle(user: Mapping[str, Any]) -> str:
    return text(user.get("userName"), limit=100).removeprefix("@")


def _metrics(tweet: Mapping[str, Any]) -> Metrics:
    shares = [shared for name in ("retweetCount", "quoteCount") if (shared := count(tweet.get(name))) is not None]
    return Metrics(
        likes=count(tweet.get("likeCount")),
        comments=count(tweet.get("replyCount")),
        shares=count(sum(shares)) if shares else None,
        # Who posts has seen it: none means that X did not count.
        views=count(tweet.get("viewCount")) or None,
        saves=count(tweet.get("bookmarkCount")),
    )


def _language(code: object) -> str:
    language = text(code, limit=20).lower()
    return "" if NO_LANGUAGE.fullmatch(language) else OLD_LANGUAGES.get(language, language)


def _media_items(tweet: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    places = (entry(tweet.get(name)).get("media") for name in ("extendedEntities", "entities"))
    return next(filter(None, map(items, places)), [])[:MOST_MEDIA]


def _format(tweet: Mapping[str, Any]) -> Format:
    kinds = [text(each.get("type")) for each in _media_items(tweet)]
    shown = [kind for kind in kinds if kind in {"photo", "video", "animated_gif"}]
    if len(shown) > 1:
        return "carousel"
    return "text" if not shown else "image" if shown == ["photo"] else "video"


def _media(tweet: Mapping[str, Any]) -> tuple[Media, ...]:
    found = [media for position, each in enumerate(_media_items(tweet)) for media in _media_of(each, position)]
    return tuple(media for media in found if media.url)


def _media_of(each: Mapping[str, Any], position: int) -> list[Media]:
    size, picture = entry(each.get("original_info")), link(each.get("media_url_https"))
    width, height = count(size.get("width")), count(size.get("height"))
    alt_text = text(each.get("ext_alt_text"), limit=2000)
    if text(each.get("type")) == "photo":
        return [Media(kind="image", url=picture, position=position, width=width, height=height, alt_text=alt_text)]
    if text(each.get("type")) not in {"video", "animated_gif"}:
        return []
    film = entry(each.get("video_info"))
    milliseconds = count(film.get("duration_millis"))
    video = Media(
        kind="video",
        url=_best(film),
        position=position,
        width=width,
        height=height,
        seconds=milliseconds / 1000 if milliseconds else None,
        alt_text=alt_text,
    )
    return [video, Media(kind="thumbnail", url=picture, position=position)]


def _best(film: Mapping[str, Any]) -> str:
    """The finest of its files; a playlist is none."""
    files = [each for each in items(film.get("variants")) if text(each.get("content_type")) == "video/mp4"]
    finest = max(files, key=lambda each: count(each.get("bitrate")) or 0, default={})
    return link(finest.get("url"))


def _details(tweet: Mapping[str, Any]) -> dict[str, Any]:
    named, quoted = entry(tweet.get("entities")), entry(tweet.get("quoted_tweet"))
    details = {
        "hashtags": texts([each.get("text") for each in items(named.get("hashtags"))])[:MOST_LINKS],
        "mentions": texts([each.get("screen_name") for each in items(named.get("user_mentions"))])[:MOST_LINKS],
        "links": list(filter(None, (link(each.get("expanded_url")) for each in items(named.get("urls"))[:MOST_LINKS]))),
        "quotes": _quoted(quoted) if quoted else {},
        "place": text(entry(tweet.get("place")).get("full_name"), limit=200),
        "limited_replies": flag(tweet.get("isLimitedReply")) or None,
        "quote_count": count(tweet.get("quoteCount")),
        **_card(tweet),
    }
    return {name: value for name, value in details.items() if value not in (None, "", [], {})}


def _details_of_author(tweet: Mapping[str, Any]) -> dict[str, Any]:
    user = entry(tweet.get("author"))
    details = {
        "pinned": (id_of(tweet) in texts(user.get("pinnedTweetIds"))) or None,
        "author_posts": count(user.get("statusesCount")),
        "author_following": count(user.get("following")),
    }
    return {name: value for name, value in details.items() if value is not None}


def _place_in_thread(tweet: Mapping[str, Any]) -> dict[str, Any]:
    answer, root = answered(tweet), text(tweet.get("conversationId"), limit=21)
    if not answer:
        return {}
    whom, number = text(tweet.get("inReplyToUserId")), text(entry(tweet.get("author")).get("id"))
    reply = {"reply_to": answer, "reply_to_author": text(tweet.get("inReplyToUsername"), limit=100)}
    # Somebody who answers themselves goes on telling.
    return reply | ({"thread": root} if ID.fullmatch(root) and whom and whom == number else {})


def _quoted(quoted: Mapping[str, Any]) -> dict[str, str]:
    posted_at = moment(quoted.get("createdAt"))
    when = {"posted_at": posted_at.isoformat()} if posted_at else {}
    return {**_reference(quoted), "text": words(quoted)[:LONGEST_QUOTE], **when}


def _reference(tweet: Mapping[str, Any]) -> dict[str, str]:
    return {"post_id": id_of(tweet), "author": _handle(entry(tweet.get("author")))}


def _card(tweet: Mapping[str, Any]) -> dict[str, Any]:
    """The poll, or the preview of a link, from a list of keys and values."""
    card = entry(tweet.get("card"))
    values = {text(each.get("key")): entry(each.get("value")) for each in items(card.get("binding_values"))}
    values = values or {name: entry(value) for name, value in entry(card.get("binding_values")).items()}
    said = {name: text(value.get("string_value"), limit=500) for name, value in values.items()}
    labels = {number: said.get(f"choice{number}_label", "") for number in range(1, 5)}
    poll = [
        {"label": label, "votes": count(said.get(f"choice{number}_count"))} for number, label in labels.items() if label
    ]
    title = said.get("title", "")
    return {"poll": poll, "card": {"title": title, "about": said.get("description", "")} if title else {}}
