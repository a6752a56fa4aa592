"""Dossiers to explain: those of the twelve sample posts, as the pipeline would make them, and others made by hand."""

from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

from analysis import confounders, evidence
from analysis.demand import demand_of
from analysis.dossier import Comment, Dossier, Frame, Known, PostFacts, Spoken
from analysis.verdict import judge
from social import platforms
from social.facts import AuthorAddress, Found, PostAddress, ScrapedPost
from social.scrapers.samples import Samples, _posts

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
SAMPLES = [platforms.address(platform, post_id) for platform, post_id in _posts()]


@cache
def sample(post_id: str) -> Dossier:
    address = next(each for each in SAMPLES if each.post_id == post_id)
    [found] = Samples().collect([address])
    assert isinstance(found, Found)
    return conclude(_known(found.post, address))


def conclude(known: Known) -> Dossier:
    """All that follows from what was collected."""
    verdict = judge(known.facts, known.history, now=known.collected_at or NOW, platform=known.platform)
    items = evidence.build(known, verdict)
    return Dossier(
        known=known,
        verdict=verdict,
        evidence=items,
        confounders=confounders.look_for(known, items),
        demand=demand_of(items, known.comments),
    )


def made(**facts: Any) -> Dossier:
    """A post of which there is something of everything; `facts` replace some of it."""
    usual: dict[str, Any] = {
        "platform": "instagram", "url": "https://www.instagram.com/p/PWhyralDm99/", "author": "cook", "format": "short",
        "profile": {"name": "Cook", "followers": 48_200, "bio": "Quick recipes."},
        "text": "Stop peeling garlic.\nSave this for tonight!",
        "seconds": 5.0,
        "posted_at": NOW - timedelta(days=20), "collected_at": NOW,
        "metrics": {"views": 176_400, "likes": 15_960, "comments": 504}, "comments_total": 504,
        "spoken": (Spoken(start=0, end=2, text="Stop peeling garlic."), Spoken(start=2, end=5, text="Shake it.")),
        "comments": (Comment(text="Part 2 please"), Comment(text="How do you store it?"), Comment(text="genius")),
        "frames": (Frame(kind="frame", file="f.jpg", media_type="image/jpeg", second=0.0),),
        "history": history(21_000),
    }  # fmt: skip
    return conclude(Known(**usual | facts))


def history(views: int) -> tuple[PostFacts, ...]:
    return tuple(
        PostFacts(posted_at=NOW - timedelta(days=25 + 3 * number), format="short", views=views + 100 * (number - 5))
        for number in range(11)
    )


def _known(post: ScrapedPost, address: PostAddress) -> Known:
    profile = {"name": post.author.name, "followers": post.author.followers, "bio": post.author.bio}
    metrics = {name: getattr(post.metrics, name) for name in ("views", "likes", "comments", "shares", "saves")}
    author = AuthorAddress(platform=address.platform, handle=post.author.handle)
    recent = Samples().recent_posts(author, limit=60)
    told = Samples().comments(address, limit=100)
    assert isinstance(recent, list)
    return Known(
        platform=address.platform,
        url=address.url,
        author=post.author.handle,
        profile=profile,
        title=post.title,
        text=post.text,
        format=post.format or "",
        language=post.language,
        seconds=post.seconds,
        posted_at=post.posted_at,
        collected_at=datetime.now(UTC),
        metrics={name: value for name, value in metrics.items() if value is not None},
        details=post.details,
        spoken=tuple(Spoken(start=each["start"], end=each["end"], text=each["text"]) for each in post.raw["speech"]),
        comments=tuple(Comment(text=each.text, author=each.author, likes=each.likes) for each in told.comments),
        comments_total=told.total,
        frames=tuple(
            Frame(kind=each.kind, file=each.url, media_type="image/jpeg") for each in post.media if each.kind != "video"
        ),
        history=tuple(_facts(each) for each in recent),
    )


def _facts(post: ScrapedPost) -> PostFacts:
    counts = {name: getattr(post.metrics, name) for name in ("views", "likes", "comments", "shares")}
    return PostFacts(posted_at=post.posted_at, format=post.format, followers=post.author.followers, **counts)
