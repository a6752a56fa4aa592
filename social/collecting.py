"""From an address to a stored post: what is stored and young enough, and for the rest whoever knows it.

    collected = collect([address, ...], user_id=user.pk)

It never waits for a vendor's job: what is on its way is `waiting`, and the caller comes back in `retry_in` seconds.
Any number of callers may want the same at once; one of them collects it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

import structlog
from django.conf import settings
from django.db import transaction
from django.utils import timezone

from core.calls import on_behalf_of
from core.errors import Problem, VendorTimeout
from social import errands, platforms
from social.activity import remember
from social.errands import DONE, Ending
from social.facts import AuthorAddress, CommentSample, Found, Lost, NotReady, PostAddress, ScrapedPost
from social.models import Errand, Platform, Post, Wanted
from social.saving import save_comments, save_posts
from social.scrapers import SCRAPERS
from social.scrapers.contract import Kind, Scraper

# Rounds of one call: each is a vendor's answer, and a call must end.
MOST_ROUNDS = 12
SOONEST, LATEST = 0.3, 30.0
RECENT_FRESHNESS = timedelta(hours=24)
# What a job of a vendor's survives: it is paid for, so it is asked after again.
ASK_AGAIN_SECONDS = 15.0

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """A post of ours; `reused` where it was there already."""

    post_id: UUID
    collected_at: datetime
    reused: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Failed:
    """Why something was not collected: not_found, private, or the code of an error."""

    code: str
    retryable: bool = False
    retry_after: float | None = None  # seconds, where a busy vendor said when to come again


@dataclass(frozen=True, slots=True, kw_only=True)
class Collected:
    """Where each address stands."""

    stored: dict[PostAddress, Stored] = field(default_factory=dict)
    failed: dict[PostAddress, Failed] = field(default_factory=dict)
    waiting: frozenset[PostAddress] = frozenset()
    retry_in: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """Where one thing stands: done, failed with a code, or waiting for `retry_in` seconds."""

    state: str
    failed: Failed | None = None
    retry_in: float = 0.0


def collect(
    addresses: Sequence[PostAddress], *, user_id: UUID | None = None, newer_than: datetime | None = None
) -> Collected:
    """All that is wanted of these posts; `newer_than` asks for more than the usual freshness."""
    moment = newer_than or timezone.now() - timedelta(hours=settings.POST_FRESHNESS_HOURS)
    before = stored_posts(addresses, newer_than=moment)
    missing = [address for address in addresses if address not in before]
    with on_behalf_of(user_id=user_id):
        closed = _want_posts(missing, moment)
    collected = _standing(addresses, before, moment, closed)
    if user_id:
        remember(user_id, {each.post_id: each.reused for each in collected.stored.values()})
    return collected


def foresee(addresses: Sequence[PostAddress]) -> None:
    """Write down that these will be collected, so that whoever comes first brings home all that fit into one call."""
    moment = timezone.now() - timedelta(hours=settings.POST_FRESHNESS_HOURS)
    stored = stored_posts(addresses, newer_than=moment)
    active = {*Platform.objects.filter(active=True).values_list("slug", flat=True)}
    for platform in sorted({address.platform for address in addresses} & active):
        keys = sorted(each.post_id for each in addresses if each.platform == platform and each not in stored)
        if keys:
            errands.want("post", platform, keys, newer_than=moment)


def collect_recent(author: AuthorAddress, *, user_id: UUID | None = None) -> Progress:
    """The author's latest posts, as the baseline needs them."""
    key = author.author_id if author.platform == "youtube" and author.author_id else author.handle
    with on_behalf_of(user_id=user_id):
        return _one("recent", author.platform, key, newer_than=timezone.now() - RECENT_FRESHNESS)


def collect_comments(post: PostAddress, *, user_id: UUID | None = None, newer_than: datetime | None = None) -> Progress:
    """What people said under a post of ours."""
    moment = newer_than or timezone.now() - timedelta(hours=settings.POST_FRESHNESS_HOURS)
    with on_behalf_of(user_id=user_id):
        return _one("comments", post.platform, post.post_id, newer_than=moment)


def stored_posts(
    addresses: Sequence[PostAddress], *, newer_than: datetime, reused: bool = True
) -> dict[PostAddress, Stored]:
    """Those of these posts that were collected since."""
    found: dict[PostAddress, Stored] = {}
    for platform in {address.platform for address in addresses}:
        ours = {address.post_id: address for address in addresses if address.platform == platform}
        rows = Post.objects.filter(platform=platform, platform_post_id__in=[*ours], collected_at__gte=newer_than)
        for key, post_id, at in rows.values_list("platform_post_id", "pk", "collected_at"):
            if at is not None:
                found[ours[key]] = Stored(post_id=post_id, collected_at=at, reused=reused)
    return found


def drive(kind: Kind, platform: str, keys: Sequence[str] | None) -> int:
    """Run what is due, for these keys or for anybody, and say how many errands that were."""
    for done in range(MOST_ROUNDS):
        errand = errands.take(kind, platform, keys)
        if errand is None:
            return done
        run(errand)
    return MOST_ROUNDS


def _want_posts(missing: Sequence[PostAddress], moment: datetime) -> set[str]:
    """Want and drive the missing ones; the platforms among them that are closed."""
    active = {*Platform.objects.filter(active=True).values_list("slug", flat=True)} if missing else set()
    for platform in sorted({address.platform for address in missing} & active):
        keys = sorted({address.post_id for address in missing if address.platform == platform})
        errands.want("post", platform, keys, newer_than=moment)
        drive("post", platform, keys)
    return {address.platform for address in missing} - active


def _standing(
    addresses: Sequence[PostAddress], before: dict[PostAddress, Stored], moment: datetime, closed: set[str]
) -> Collected:
    missing = [address for address in addresses if address not in before]
    fresh = stored_posts(missing, newer_than=moment, reused=False)
    left = [address for address in missing if address not in fresh]
    failed = {address: Failed(code="platform_inactive") for address in left if address.platform in closed}
    waiting: dict[PostAddress, float] = {}
    done: list[PostAddress] = []
    for address in (each for each in left if each not in failed):
        progress = _progress("post", address.platform, address.post_id)
        if progress.state == "waiting":
            waiting[address] = progress.retry_in
        elif progress.failed:
            failed[address] = progress.failed
        else:
            done.append(address)
    # Somebody else brought these between our two looks.
    late = stored_posts(done, newer_than=moment, reused=False)
    failed |= {address: Failed(code="internal", retryable=True) for address in done if address not in late}
    return Collected(
        stored=before | fresh | late,
        failed=failed,
        waiting=frozenset(waiting),
        retry_in=min(waiting.values(), default=0.0),
    )


def _one(kind: Kind, platform: str, key: str, *, newer_than: datetime) -> Progress:
    errands.want(kind, platform, [key], newer_than=newer_than)
    drive(kind, platform, [key])
    return _progress(kind, platform, key)


def _progress(kind: Kind, platform: str, key: str) -> Progress:
    row = errands.wanted(kind, platform, [key]).select_related("errand").first()
    if row is None or row.state in (Wanted.State.WAITING, Wanted.State.WORKING):
        return Progress(state="waiting", retry_in=_retry_in(row))
    if row.state == Wanted.State.DONE:
        return Progress(state="done")
    failed = Failed(code=row.code, retryable=row.retryable, retry_after=errands.seconds_left(row))
    return Progress(state="failed", failed=failed)


def _retry_in(row: Wanted | None) -> float:
    due = row and (row.errand.run_after if row.errand else row.run_after)
    left = (due - timezone.now()).total_seconds() if due else 0.0
    return min(max(left, SOONEST), LATEST)


# Running an errand


def run(errand: Errand) -> None:
    """Ask its scraper, outside any transaction, and write down what came of it."""
    scraper, rows = SCRAPERS[errand.scraper](), list(errand.wanted.order_by("key"))
    keys = [row.key for row in rows]
    try:
        if errand.attempt > errands.MOST_ATTEMPTS and not errand.job:
            raise Problem(details={"attempts": errand.attempt})
        if timezone.now() > errand.give_up_at:
            raise VendorTimeout(details={"gave_up_after": scraper.patience})
        answer = _ask(scraper, errand, keys)
    except Problem as problem:
        _put_off(errand, keys, problem)
        return
    except Exception:  # a fault of ours in one adapter must not keep the next from being asked
        log.exception("scraper_failed", scraper=errand.scraper, kind=errand.kind)
        _put_off(errand, keys, Problem())
        return
    if isinstance(answer, NotReady):
        errands.wait(errand, job=answer.job, seconds=answer.retry_in)
    else:
        _keep(errand, keys, answer)


Brought = dict[str, ScrapedPost | list[ScrapedPost] | CommentSample | Lost]


def _ask(scraper: Scraper, errand: Errand, keys: list[str]) -> Brought | NotReady:
    if errand.kind == "post":
        addresses = [platforms.address(errand.platform_id, key) for key in keys]
        outcomes = scraper.collect(addresses, job=errand.job)
        return outcomes if isinstance(outcomes, NotReady) else _by_key(outcomes)
    if errand.kind == "recent":
        told = scraper.recent_posts(_author(errand.platform_id, keys[0]), limit=settings.RECENT_POSTS, job=errand.job)
        return told if isinstance(told, NotReady) else {keys[0]: told}
    address = platforms.address(errand.platform_id, keys[0])
    said = scraper.comments(address, limit=settings.COMMENTS_PER_POST, job=errand.job)
    return said if isinstance(said, NotReady) else {keys[0]: said}


def _by_key(outcomes: Sequence[Found | Lost]) -> Brought:
    brought: Brought = {}
    for outcome in outcomes:
        if isinstance(outcome.address, PostAddress):
            brought[outcome.address.post_id] = outcome.post if isinstance(outcome, Found) else outcome
    return brought


def _author(platform: str, key: str) -> AuthorAddress:
    is_channel = platform == "youtube" and key.startswith("UC") and len(key) == 24
    return AuthorAddress(platform=platform, handle="" if is_channel else key, author_id=key if is_channel else "")


def _put_off(errand: Errand, keys: list[str], problem: Problem) -> None:
    """The call failed as a whole. A job that is paid for is asked after again; else the next scraper is."""
    late = timezone.now() > errand.give_up_at
    if errand.job and problem.retryable and problem.code != "job_failed" and not late:
        errands.wait(errand, job=errand.job, seconds=problem.retry_after or ASK_AGAIN_SECONDS)
        return
    with transaction.atomic():
        errands.finish(errand, dict.fromkeys(keys, errands.elsewhere(problem)))


def _keep(errand: Errand, keys: list[str], brought: Brought) -> None:
    """Posts and how it ended, in one transaction: a stale run's posts fall on the floor with its word."""
    nothing = Lost(state="failed", address=_author("", ""), code="vendor_answer_invalid", retryable=True)
    endings = {key: _ending(brought.get(key, nothing)) for key in keys}
    at = timezone.now()
    with transaction.atomic():
        if errands.finish(errand, endings):
            _save(errand, brought, at)


def _save(errand: Errand, brought: Brought, at: datetime) -> None:
    posts: list[ScrapedPost] = []
    for key, found in brought.items():
        if isinstance(found, ScrapedPost):
            posts.append(found)
        elif isinstance(found, list):
            posts += found
        elif isinstance(found, CommentSample):
            _save_comments(errand, key, found, at)
    if posts:
        save_posts(posts, source=errand.scraper, at=at)


def _save_comments(errand: Errand, key: str, sample: CommentSample, at: datetime) -> None:
    post = Post.objects.filter(platform=errand.platform_id, platform_post_id=key).values_list("pk", flat=True).first()
    if post:
        save_comments(post, sample, source=errand.scraper, at=at)


def _ending(found: ScrapedPost | list[ScrapedPost] | CommentSample | Lost) -> Ending:
    if not isinstance(found, Lost):
        return DONE
    if found.state == "failed":
        return Ending(state="elsewhere", code=found.code, retryable=found.retryable, note=found.note)
    return Ending(state="failed", code=found.state, note=found.note)
